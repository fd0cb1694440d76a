//! Takes a sample a second.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::ring::Ring;
use super::sample::{Moment, sample};
use crate::inspector::Inspector;

/// The time between two samples.
const STEP: Duration = Duration::from_secs(1);
/// A shard that takes longer to return its counters is stuck, and the sample says so instead.
const PATIENCE: Duration = Duration::from_millis(900);

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::admin::reflector) struct Recorder {
    inspector: Inspector,
    ring: watch::Sender<Ring>,
}

impl Recorder {
    pub(super) fn new(inspector: Inspector, ring: watch::Sender<Ring>) -> Self {
        Self { inspector, ring }
    }

    /// Runs until the reflector has stopped. Cost: a question to every shard per second.
    pub(in crate::admin::reflector) async fn run(self) {
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before: Option<Moment> = None;
        loop {
            ticks.tick().await;
            let now = match timeout(PATIENCE, self.inspector.counters()).await {
                Ok(Ok(counters)) => Some(Moment { at: Instant::now(), total: counters.total }),
                Ok(Err(_stopped)) => return,
                Err(_late) => None,
            };
            let stuck = self.inspector.stuck().len();
            let is_draining = self.inspector.is_draining();
            let text = sample(before.as_ref(), now.as_ref(), stuck, is_draining);
            self.ring.send_modify(|ring| ring.push(text.into()));
            before = now.or(before);
        }
    }
}
