//! How many routes the leaf takes in.

use crate::ids::{Level, Moment};
use crate::wire::Vni;

/// How long there must be room before waiting routes come in: most withdrawn routes are announced again at once,
/// with another next hop, and routes that were there go before waiting ones.
const SETTLED: std::time::Duration = std::time::Duration::from_secs(1);

/// Limits on routes, over all servers together. 0 means no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::client) struct RouteLimits {
    /// In all VNIs.
    pub(in crate::client) all: usize,
    /// In each VNI.
    pub(in crate::client) vni: usize,
}

/// A limit that has come near, or has been reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::client) struct NearLimit {
    /// `None` for the limit over all VNIs.
    pub(in crate::client) vni: Option<Vni>,
    pub(in crate::client) level: Level,
    pub(in crate::client) routes: usize,
    pub(in crate::client) most: usize,
}

/// The number of routes of all VNIs, and its limits.
#[derive(Debug)]
pub(super) struct Room {
    limits: RouteLimits,
    /// Routes that are there; `waiting` counts the waiting routes that are remembered.
    pub(super) routes: usize,
    pub(super) waiting: usize,
    level: Level,
    /// When to take in waiting routes.
    admit: Option<Moment>,
    /// Limits that came near, for the actor to fetch.
    notices: Vec<NearLimit>,
}

impl Room {
    pub(super) fn new(limits: RouteLimits) -> Self {
        let (level, notices) = (Level::default(), Vec::new());
        Self { limits, routes: 0, waiting: 0, level, admit: None, notices }
    }

    /// Sets other limits.
    pub(super) fn set_limits(&mut self, now: Moment, limits: RouteLimits) {
        self.limits = limits;
        self.note_room(now);
    }

    /// Whether there is room for one more route in a VNI that has `of_vni` routes.
    pub(super) fn has_room(&self, of_vni: usize) -> bool {
        let RouteLimits { all, vni } = self.limits;
        (all == 0 || self.routes < all) && (vni == 0 || of_vni < vni)
    }

    /// Whether one more waiting route is remembered: as many as the limit allows routes.
    pub(super) fn remembers(&self) -> bool {
        let RouteLimits { all, vni } = self.limits;
        self.waiting < if all > 0 { all } else { vni.saturating_mul(8) }
    }

    /// When to take in waiting routes, if any wait.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.admit.filter(|_| self.waiting > 0)
    }

    /// There may be room: waiting routes are to be taken in, but not at once.
    pub(super) fn note_room(&mut self, now: Moment) {
        if self.waiting > 0 {
            self.admit.get_or_insert(now + SETTLED);
        }
    }

    /// Whether it is time to take in waiting routes.
    pub(super) fn is_due(&mut self, now: Moment) -> bool {
        if self.waiting == 0 {
            self.admit = None;
        }
        self.admit.take_if(|due| *due <= now).is_some()
    }

    /// A VNI now has `routes` routes; `hit` says that a limit refused some.
    pub(super) fn look(&mut self, vni: Vni, level: &mut Level, routes: usize, hit: bool) {
        let RouteLimits { all, vni: of_vni } = self.limits;
        let total = self.routes;
        if of_vni > 0 {
            let hit = hit && routes >= of_vni;
            self.note(Some(vni), level.look(routes as u64, of_vni as u64, hit), routes, of_vni);
        }
        if all > 0 {
            let risen = self.level.look(total as u64, all as u64, hit && total >= all);
            self.note(None, risen, total, all);
        }
    }

    fn note(&mut self, vni: Option<Vni>, risen: Option<Level>, routes: usize, most: usize) {
        self.notices.extend(risen.map(|level| NearLimit { vni, level, routes, most }));
    }

    /// Limits that came near, or were reached, since the last call.
    pub(super) fn take_notices(&mut self) -> Vec<NearLimit> {
        std::mem::take(&mut self.notices)
    }
}
