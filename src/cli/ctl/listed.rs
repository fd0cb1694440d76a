//! Which rows of a listing are shown, and in which order.

use clap::builder::PossibleValuesParser;
use clap::value_parser;

/// What peers can be sorted by; `-` before it for descending.
const SORTS: [&str; 26] = [
    "id",
    "node",
    "remote",
    "agent",
    "state",
    "shard",
    "lag",
    "backlog",
    "routes",
    "subscriptions",
    "uptime",
    "updates_received",
    "updates_sent",
    "-id",
    "-node",
    "-remote",
    "-agent",
    "-state",
    "-shard",
    "-lag",
    "-backlog",
    "-routes",
    "-subscriptions",
    "-uptime",
    "-updates_received",
    "-updates_sent",
];

/// Which peers are listed, and how.
#[derive(Clone, PartialEq, Eq, Debug, Default, clap::Args)]
pub(super) struct PeersShown {
    /// Sort by this column; a - before it sorts in descending order
    #[arg(
        long, value_name = "COLUMN", conflicts_with = "peer", allow_hyphen_values = true,
        value_parser = PossibleValuesParser::new(SORTS), hide_possible_values = true
    )]
    pub(super) sort: Option<String>,
    /// Show peers with this text in their node, agent or address, or with this number
    #[arg(long = "match", value_name = "TEXT", conflicts_with = "peer")]
    pub(super) matching: Option<String>,
    /// Show peers in this state
    #[arg(long, value_name = "STATE", conflicts_with = "peer", value_parser = ["connecting", "established", "closing"])]
    pub(super) state: Option<String>,
    /// Show this many at most
    #[arg(long, value_name = "N", conflicts_with = "peer", value_parser = value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
    /// Show all columns, in more than 80 characters
    #[arg(long, conflicts_with = "peer")]
    pub(super) wide: bool,
}

/// What VNIs can be sorted by; `-` before it for descending.
const VNI_SORTS: [&str; 12] = [
    "vni",
    "routes",
    "members",
    "subscribers",
    "behind",
    "shard",
    "-vni",
    "-routes",
    "-members",
    "-subscribers",
    "-behind",
    "-shard",
];

/// Which VNIs of a reflector are listed, and how.
#[derive(Clone, PartialEq, Eq, Debug, Default, clap::Args)]
pub(super) struct VnisShown {
    /// Sort by this column; a - before it sorts in descending order. Reflectors only
    #[arg(
        long, value_name = "COLUMN", allow_hyphen_values = true,
        value_parser = PossibleValuesParser::new(VNI_SORTS), hide_possible_values = true
    )]
    pub(super) sort: Option<String>,
    /// Show this many at most
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
}
