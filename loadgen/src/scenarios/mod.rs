//! The scenarios: a file for each, with its actions and its measurements.
//!
//! `churn`, `slow` and `handover` share the code in `cloud`; `fanout` and `mesh` share that in `rounds`.

mod churn;
mod cloud;
mod fanout;
mod handover;
mod idle;
mod latency;
mod mesh;
mod replay;
mod rounds;
mod slow;
mod storm;
mod table;

use clap::Subcommand;

use crate::run::Scenario;

/// The scenarios with their flags, as the command line lists them.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenarios {
    /// Windows of updates to many subscribers, one after another
    Fanout(fanout::Fanout),
    /// A large table: load it, give it to late joiners, withdraw it
    Table(table::Table),
    /// Many sessions that only keep themselves alive
    Idle(idle::Idle),
    /// Updates at a fixed rate: how long they take to every subscriber
    Latency(latency::Latency),
    /// Every peer publishes and subscribes, in many VNIs
    Mesh(mesh::Mesh),
    /// Hypervisors whose virtual machines start, stop and move
    Churn(churn::Churn),
    /// The same beside readers that are slow or stuck
    Slow(slow::Slow),
    /// The reflector is replaced by new processes, and no session ends
    Handover(handover::Handover),
    /// What metalbond ctl monitor --record has recorded, once more
    Replay(replay::Replay),
    /// Many peers vanish at once and come back at once
    Storm(storm::Storm),
}

impl Scenarios {
    /// The chosen scenario.
    pub(crate) fn chosen(&self) -> &dyn Scenario {
        match self {
            Self::Fanout(fanout) => fanout,
            Self::Table(table) => table,
            Self::Idle(idle) => idle,
            Self::Latency(latency) => latency,
            Self::Mesh(mesh) => mesh,
            Self::Churn(churn) => churn,
            Self::Slow(slow) => slow,
            Self::Handover(handover) => handover,
            Self::Replay(replay) => replay,
            Self::Storm(storm) => storm,
        }
    }
}
