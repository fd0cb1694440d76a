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
    /// Send windows of updates to many subscribers, one window after another
    Fanout(fanout::Fanout),
    /// Load a large table, let subscribers join late, and withdraw it
    Table(table::Table),
    /// Open many sessions that send only KEEPALIVEs
    Idle(idle::Idle),
    /// Send updates at a fixed rate, and measure how long each takes to each subscriber
    Latency(latency::Latency),
    /// Let every peer publish and subscribe, in many VNIs
    Mesh(mesh::Mesh),
    /// Simulate hypervisors whose virtual machines start, stop and move
    Churn(churn::Churn),
    /// Run churn beside readers that are slow or stuck, and compare with churn alone
    Slow(slow::Slow),
    /// Run churn while new processes take over from the reflector; fail if a session ends
    Handover(handover::Handover),
    /// Play a recording of metalbond ctl monitor --record
    Replay(replay::Replay),
    /// Disconnect many peers at once, reconnect them, and measure the time until each has all routes
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
