//! The balancer's report.

use std::time::Duration;

/// The moves to a shard, or from a shard, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Moved {
    /// The number of moved partitions.
    pub(crate) partitions: u64,
    /// The number of moved sessions.
    pub(crate) sessions: u64,
}

/// The report about one shard.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct ShardReport {
    /// Whether the shard gets connections and VNIs.
    pub(crate) is_awake: bool,
    /// The share of the last tenth of a second in which its thread ran, and the share in which it waited for a core.
    pub(crate) ran: f64,
    pub(crate) waited: f64,
    /// The number of partitions that the shard owns, of 4096.
    pub(crate) partitions: usize,
    pub(crate) arrived: Moved,
    pub(crate) left: Moved,
    /// Whether its thread is no longer pinned, because another thread kept its core busy.
    pub(crate) is_freed: bool,
}

/// The report about all shards.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct BalanceReport {
    pub(crate) shards: Vec<ShardReport>,
    pub(crate) why: Why,
    /// Moves that were given up because they took too long.
    pub(crate) given_up: u64,
}

/// Why this number of shards is awake.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) enum Why {
    /// The balancer does nothing: there is one shard, or the system does not report how busy threads are.
    #[default]
    Fixed,
    /// Many peers have connected within this time after the start.
    Start(Duration),
    /// The load needs them; its value in cores.
    Load(f64),
}

impl Why {
    /// The number of shards that are awake, and why, as an answer to that question.
    pub(crate) fn sentence(self, awake: usize) -> String {
        match self {
            Self::Fixed => "all shards are, always".into(),
            Self::Start(time) => {
                format!("all shards are, because many peers connected within {time:?} of the start")
            }
            Self::Load(load) => {
                let shards = if awake == 1 { "1 shard" } else { &format!("{awake} shards") };
                format!("{shards}, by a load of {load:.2} cores when that changed last")
            }
        }
    }
}
