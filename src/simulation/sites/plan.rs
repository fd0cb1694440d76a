//! What happens in one run.

use std::time::Duration;

use crate::simulation::Rng;

/// The faults of a run, and its sizes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) sites: usize,
    pub(super) shards: usize,
    pub(super) clients: usize,
    pub(super) vnis: u32,
    pub(super) routes: u32,
    /// The number of routes of each VNI that each site always announces: one, or more than one turn of a peer serves.
    pub(super) anchors: u32,
    /// The mean time between two actions of a site's clients.
    pub(super) churn: Duration,
    /// The mean time between two faults.
    pub(super) faults_every: Duration,
    pub(super) faults: Vec<Fault>,
    /// Of a thousand messages: how many are lost, come twice, and come late.
    pub(super) drops: usize,
    pub(super) repeats: usize,
    pub(super) delays: usize,
    /// Whether an interest may take seconds to reach other servers.
    pub(super) slow_interest: bool,
    /// For how long there are faults.
    pub(super) trouble: Duration,
    /// Batches and messages in 10 ms above which a link gathers changes.
    pub(super) gathers_above: u32,
    /// The number of updates that a shard serves in a turn.
    pub(super) work_per_turn: usize,
    /// The number of bytes of a chunk.
    pub(super) low_water: usize,
    pub(super) is_verbose: bool,
}

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// Two sites do not reach each other, or one does not reach the other.
    Partition,
    /// The process of a site ends, and another one starts.
    Restart,
    /// The same after a drain.
    Drain,
    /// The process of a site hands over to another one, or gives up half way.
    Handover,
    /// The process of a site stands still.
    Freeze,
    /// One site, or all, lose their connection to the engine.
    Engine,
    /// Messages to a site are lost for a moment, and the site learns of it.
    Overflow,
    /// A site's connection takes few messages.
    Slow,
}

impl Fault {
    const ALL: [Self; 8] = [
        Self::Partition,
        Self::Restart,
        Self::Drain,
        Self::Handover,
        Self::Freeze,
        Self::Engine,
        Self::Overflow,
        Self::Slow,
    ];
}

impl Plan {
    /// The most routes that the clients of a site can announce.
    pub(super) fn routes_of_site(&self) -> u64 {
        u64::from(self.vnis) * u64::from(self.routes + self.anchors)
    }

    pub(super) fn draw(rng: &mut Rng, is_verbose: bool) -> Self {
        // A bug of a single fault is easier to find without the others.
        let faults = match rng.below(4) {
            0 => vec![*rng.pick(&Fault::ALL)],
            1 => Vec::new(),
            _ => Fault::ALL.into_iter().filter(|_| rng.chance(400)).collect(),
        };
        let seconds = |rng: &mut Rng, low, high| Duration::from_secs(rng.between(low, high) as u64);
        Self {
            sites: rng.between(2, 4),
            shards: rng.between(1, 2),
            clients: rng.between(2, 3),
            vnis: u32::try_from(rng.between(1, 3)).unwrap_or(1),
            routes: u32::try_from(rng.between(3, 40)).unwrap_or(3),
            anchors: if rng.chance(250) { 150 } else { 1 },
            churn: Duration::from_millis(*rng.pick(&[10, 50, 300, 2000])),
            faults_every: Duration::from_millis(*rng.pick(&[300, 1000, 4000])),
            faults,
            drops: rng.rate(60),
            repeats: rng.rate(60),
            delays: rng.rate(150),
            slow_interest: rng.chance(300),
            trouble: seconds(rng, 3, 15),
            gathers_above: if rng.chance(400) { 0 } else { 30 },
            work_per_turn: if rng.chance(300) { 60 } else { 16_384 },
            low_water: rng.bound(1, 200, 65_536),
            is_verbose,
        }
    }
}
