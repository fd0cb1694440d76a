//! The results of handovers, as operators see them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::metrics::{Row, Rows, Value};

/// The result of the latest handover that this process took part in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HandoverReport {
    /// Its outcome.
    pub outcome: Outcome,
    /// The process that handed over, or was about to.
    pub from: u32,
    /// The process that took over, or was about to.
    pub to: u32,
    /// The program at the other end and its version.
    pub other: String,
    /// Seconds since 1970 at which the handover ended.
    pub at: u64,
    /// The number of connections, including those before their HELLO.
    pub connections: u64,
    /// The number of routes.
    pub routes: u64,
    /// The size of the snapshot in bytes.
    pub bytes: u64,
    /// The durations of its steps.
    pub steps: HandoverSteps,
    /// Why it was called off; `None` if it was not.
    pub reason: Option<String>,
}

/// The outcome of a handover.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// This process has taken over from another.
    TakenOver,
    /// This process has taken over; the other process died after it had sent everything.
    TakenOverAlone,
    /// Another process has taken over from this one.
    HandedOver,
    /// The handover was called off, and this process continues to serve.
    CalledOff,
}

impl HandoverReport {
    /// Seconds since 1970.
    pub(crate) fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}

/// The durations of the steps of a handover.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct HandoverSteps {
    /// The successor prepared; meanwhile the predecessor served.
    #[serde(rename = "prepare_seconds", serialize_with = "seconds")]
    pub prepare: Duration,
    /// Connections and tables left the shards, or arrived there.
    #[serde(rename = "shards_seconds", serialize_with = "seconds")]
    pub shards: Duration,
    /// This process wrote or read the snapshot.
    #[serde(rename = "snapshot_seconds", serialize_with = "seconds")]
    pub snapshot: Duration,
    /// The time in which no process read from sessions, as far as this process knows.
    #[serde(rename = "silence_seconds", serialize_with = "seconds")]
    pub silence: Duration,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// The handovers of this line of processes, each of which took over from the one before.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Handovers {
    /// The id of this process.
    pub process: u32,
    /// The version of its program.
    pub version: &'static str,
    /// Seconds since 1970 at which this process began to serve.
    pub serving_since: u64,
    /// The number of processes before this one in the line.
    pub generation: u32,
    /// Seconds since 1970 at which the first process of the line began to serve.
    pub sessions_since: u64,
    /// The number of handovers that this process has called off.
    pub called_off: u64,
    /// The number of handovers that this process has taken part in, including one in progress.
    pub attempts: u64,
    /// Whether a handover is in progress.
    pub is_under_way: bool,
    /// The latest handover that has ended.
    pub latest: Option<HandoverReport>,
}

impl Handovers {
    /// The handovers as metrics.
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

const GENERATION: Row = Row::new()
    .counter("metalbond_handovers_total", "Handovers in the chain that led to this process.");
const CALLED_OFF: Row = Row::new().counter(
    "metalbond_handovers_called_off_total",
    "Handovers of this process that were called off; it kept its sessions.",
);
const SINCE: Row = Row::new().gauge(
    "metalbond_sessions_since_seconds",
    "When the first process in the chain of handovers that led to this one began to serve, in seconds since 1970.",
);
const SILENCE: Row = Row::new().gauge(
    "metalbond_handover_silence_seconds",
    "Seconds for which no session was served in the latest handover; 0 before the first.",
);
