//! What the balancer tells of itself.

use std::time::Duration;

/// What moved to a shard, or from it, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Moved {
    /// Moves of partitions.
    pub(crate) partitions: u64,
    /// Sessions.
    pub(crate) sessions: u64,
}

/// One shard.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct ShardReport {
    /// Whether it gets connections and VNIs.
    pub(crate) is_awake: bool,
    /// The share of the last tenth of a second for which its thread ran, and for which it waited for a core.
    pub(crate) ran: f64,
    pub(crate) waited: f64,
    /// Partitions that it owns, of 4096.
    pub(crate) partitions: usize,
    pub(crate) arrived: Moved,
    pub(crate) left: Moved,
    /// Whether its thread was let go from its core, which something else kept busy.
    pub(crate) is_freed: bool,
}

/// All of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct BalanceReport {
    pub(crate) shards: Vec<ShardReport>,
    pub(crate) why: Why,
    /// Moves that were given up because they took too long.
    pub(crate) given_up: u64,
}

/// Why so many shards are awake as are.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) enum Why {
    /// Nothing is balanced: there is one shard, or the system does not tell how busy threads are.
    #[default]
    Fixed,
    /// All are, for so long after the start.
    Start(Duration),
    /// So much load, in cores, needs them.
    Load(f64),
}

impl Why {
    /// How many are awake and why, for a text that asks that.
    pub(crate) fn sentence(self, awake: usize) -> String {
        match self {
            Self::Fixed => "all shards are, always".into(),
            Self::Start(time) => format!("all shards are, for {time:?} after the start"),
            Self::Load(load) => {
                let shards = if awake == 1 { "1 shard" } else { &format!("{awake} shards") };
                format!("{shards}, by a load of {load:.2} cores when that changed last")
            }
        }
    }
}
