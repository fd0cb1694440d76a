//! What became of handovers, as operators see it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::metrics::{Row, Rows, Value};

/// What became of the latest handover that this process took part in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// What it came to.
    pub outcome: Outcome,
    /// The process that handed over, or was about to.
    pub from: u32,
    /// The process that took over, or was about to.
    pub to: u32,
    /// The program at the other end and its version.
    pub other: String,
    /// Seconds since 1970 at which it ended.
    pub at: u64,
    /// Connections that it was about, those without a HELLO included.
    pub connections: u64,
    /// Routes that it was about.
    pub routes: u64,
    /// Bytes of the snapshot.
    pub bytes: u64,
    /// Its steps.
    pub steps: Steps,
    /// Why it was called off.
    pub reason: Option<String>,
}

/// What a handover came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// This process serves what another one served.
    TakenOver,
    /// The other process had died behind its last word, and this one serves what it had.
    TakenOverAlone,
    /// Another process serves what this one served.
    HandedOver,
    /// This process goes on.
    CalledOff,
}

impl Report {
    /// Seconds since 1970.
    pub(crate) fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}

/// How long each step took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Steps {
    /// The successor prepared; sessions were served.
    #[serde(rename = "prepare_seconds", serialize_with = "seconds")]
    pub prepare: Duration,
    /// Everything left the shards, or came to them.
    #[serde(rename = "shards_seconds", serialize_with = "seconds")]
    pub shards: Duration,
    /// The snapshot was written, or read.
    #[serde(rename = "snapshot_seconds", serialize_with = "seconds")]
    pub snapshot: Duration,
    /// From when nothing was read until this process knew that the other reads, or read itself.
    #[serde(rename = "silence_seconds", serialize_with = "seconds")]
    pub silence: Duration,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// Handovers of this line of processes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Handovers {
    /// This process.
    pub process: u32,
    /// The version of its program.
    pub version: &'static str,
    /// Seconds since 1970 at which this process began to serve.
    pub serving_since: u64,
    /// How many processes have handed over before this one.
    pub generation: u32,
    /// Seconds since 1970 at which the first process of the line began to serve.
    pub sessions_since: u64,
    /// Handovers that this process has called off.
    pub called_off: u64,
    /// How many it has taken part in, the one under way included.
    pub attempts: u64,
    /// Whether one is under way.
    pub is_under_way: bool,
    /// The latest that has ended.
    pub latest: Option<Report>,
}

impl Handovers {
    /// As metrics.
    pub(crate) fn rows(&self) -> Rows {
        let steps = self.latest.as_ref().map(|latest| latest.steps).unwrap_or_default();
        vec![
            (GENERATION, Value::Number(self.generation.into())),
            (CALLED_OFF, Value::Number(self.called_off)),
            (SINCE, Value::Number(self.sessions_since)),
            (SILENCE, Value::Time(steps.silence)),
        ]
    }
}

const GENERATION: Row = Row::new().counter(
    "metalbond_handovers_total",
    "Processes that have handed their sessions over, down to this one.",
);
const CALLED_OFF: Row = Row::new().counter(
    "metalbond_handovers_called_off_total",
    "Handovers of this process that were called off; its sessions went on.",
);
const SINCE: Row = Row::new().gauge(
    "metalbond_sessions_since_seconds",
    "When the first process of this line began to serve, in seconds since 1970.",
);
const SILENCE: Row = Row::new().gauge(
    "metalbond_handover_silence_seconds",
    "For how long the latest handover served no session; 0 before the first.",
);
