//! Counts the leaves whose routes differ from those that they should have, in two checks in a row.
//!
//! State: the differences that the last check found, and since when each has been there. VNIs that agreed and have not
//! changed since are not read again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::ids::{Moment, PeerId};
use crate::inspector::Inspector;
use crate::metrics::{Row, Rows, Value};
use crate::relaxed::Relaxed;
use crate::shard::inspect::LeafState;
use crate::threads::InspectError;
use crate::wire::Vni;

/// The time between two looks at the setting while it is off.
const ASLEEP: Duration = Duration::from_secs(60);
/// The pause after a comparison is at least this many times as long as the comparison.
const SHARE: u32 = 4;

/// The numbers of the last comparison.
#[derive(Clone, Debug, Default)]
pub(super) struct Verified(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    reporting: Relaxed,
    differing: Relaxed,
}

impl Verified {
    pub(super) fn rows(&self) -> Rows {
        let number = |of: &Relaxed| Value::Number(of.get());
        vec![
            (
                Row::new().gauge(
                    "metalbond_leaves_reporting",
                    "Leaves that report which routes they have; as of the last comparison.",
                ),
                number(&self.0.reporting),
            ),
            (
                Row::new().gauge(
                    "metalbond_leaves_differing",
                    "Leaves that have had other routes than they should have, or a kernel that lacks \
                     routes, for longer than verify-interval.",
                ),
                number(&self.0.differing),
            ),
        ]
    }

    fn set(&self, reporting: usize, differing: usize) {
        self.0.reporting.set(reporting as u64);
        self.0.differing.set(differing as u64);
    }
}

/// The state of a VNI when all its leaves agreed: the position of its next change, when its newest report came, and
/// the number of reports.
type Agreed = (u64, Moment, usize);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Verifier {
    inspector: Inspector,
    verified: Verified,
    agreed: HashMap<Vni, Agreed>,
    since: HashMap<(PeerId, Vni), Instant>,
}

impl Verifier {
    pub(super) fn new(inspector: Inspector, verified: Verified) -> Self {
        Self { inspector, verified, agreed: HashMap::new(), since: HashMap::new() }
    }

    /// Runs until the reflector has stopped.
    pub(super) async fn run(mut self) {
        let mut took = Duration::ZERO;
        loop {
            let interval = self.inspector.in_force().config.verify_interval;
            if interval.is_zero() {
                self.verified.set(0, 0);
                self.since.clear();
                sleep(ASLEEP).await;
                continue;
            }
            sleep(interval.max(took.saturating_mul(SHARE))).await;
            let began = Instant::now();
            if self.look(interval).await.is_err() {
                return;
            }
            took = began.elapsed();
        }
    }

    /// Counts the leaves that have differed for at least `interval`.
    async fn look(&mut self, interval: Duration) -> Result<(), InspectError> {
        let mut agreed = HashMap::new();
        let mut since = HashMap::new();
        let mut reporting = HashSet::new();
        let vnis = match self.inspector.has_reports().await? {
            true => self.inspector.subscribed_vnis(None).await?,
            false => Vec::new(),
        };
        for vni in vnis {
            let reports = self.inspector.reports(vni, None).await?;
            let Some(newest) = reports.newest() else { continue };
            reporting.extend(reports.reporting());
            let head = self.inspector.head_of(vni).await?;
            let state = head.map(|head| (head, newest, reports.len()));
            if let Some(state) = state
                && self.agreed.get(&vni) == Some(&state)
            {
                agreed.insert(vni, state);
                continue;
            }
            let rows = self.inspector.compare(&reports).await?;
            let are_good =
                rows.iter().all(|row| matches!(row.state, LeafState::Agrees | LeafState::Silent));
            if let Some(state) = state.filter(|_| are_good) {
                agreed.insert(vni, state);
            }
            for row in rows.iter().filter(|row| matches!(row.state, LeafState::Differs(_))) {
                let key = (row.peer, vni);
                since.insert(key, self.since.get(&key).copied().unwrap_or_else(Instant::now));
            }
        }
        let lasting = since.iter().filter(|(_, since)| since.elapsed() >= interval);
        let differing: HashSet<PeerId> = lasting.map(|((peer, _), _)| *peer).collect();
        self.verified.set(reporting.len(), differing.len());
        (self.agreed, self.since) = (agreed, since);
        Ok(())
    }
}
