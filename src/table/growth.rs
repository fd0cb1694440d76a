//! Updates while there is room for few more routes, or for none.
//!
//! [`Vnet::update_all`] knows no limit. Its caller compares the length of a run of updates with the [`Room`] that
//! there is, and comes here only when a run could need more: so limits cost one comparison for each run.

use super::apply::Applied;
use super::rib::Announcement;
use super::vnet::Vnet;
use crate::policy::Terms;
use crate::wire::Action;

/// What of a VNI counts against limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Weight {
    /// Routes that somebody announces.
    pub(crate) routes: i64,
    /// Announcements: a route counts once for each peer that announces it, also one that a policy refuses.
    pub(crate) announcements: i64,
}

/// A count, for adding and taking away.
#[inline]
pub(crate) fn amount(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What may still be added. What a withdrawal takes away may be added again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    /// Routes, of all VNIs.
    pub(crate) routes: i64,
    /// Announcements, of all VNIs: a route takes memory once more for each further peer that announces it.
    pub(crate) announcements: i64,
    /// Routes of this VNI.
    pub(crate) vni: i64,
    /// Announcements of this peer.
    pub(crate) peer: i64,
}

/// Announcements that were refused, by the limit that has been reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct LimitHits {
    /// That on routes in all VNIs.
    pub(crate) routes: u32,
    /// That on memory.
    pub(crate) memory: u32,
    /// That on VNIs.
    pub(crate) vnis: u32,
    /// That on the routes of the VNI.
    pub(crate) vni: u32,
    /// That on the routes of the peer.
    pub(crate) peer: u32,
}

impl LimitHits {
    /// All of them.
    pub(crate) fn total(&self) -> u32 {
        let Self { routes, memory, vnis, vni, peer } = *self;
        [memory, vnis, vni, peer].into_iter().fold(routes, u32::saturating_add)
    }
}

impl Room {
    /// What is left of it when there are so many more.
    fn less(self, routes: i64, announcements: i64) -> Self {
        Self {
            routes: self.routes.saturating_sub(routes),
            vni: self.vni.saturating_sub(routes),
            announcements: self.announcements.saturating_sub(announcements),
            peer: self.peer.saturating_sub(announcements),
        }
    }

    /// Whether so many updates fit, whatever they are.
    #[inline]
    pub(crate) fn fits(&self, updates: usize) -> bool {
        let Self { routes, announcements, vni, peer } = *self;
        let least = routes.min(announcements).min(vni).min(peer);
        usize::try_from(least).is_ok_and(|least| updates <= least)
    }
}

impl Vnet {
    /// What of it counts against limits.
    #[inline]
    pub(crate) fn weight(&self) -> Weight {
        let routes = amount(self.routes.announced());
        let kept = i64::try_from(self.filtered()).unwrap_or(i64::MAX);
        let announcements = routes + amount(self.routes.further_total()) + kept;
        Weight { routes, announcements }
    }

    /// Announcements and withdrawals by a member, in order, of which no announcement is carried out that there is
    /// no room for. Repeated announcements need none. Costs a lookup for each more than [`Vnet::update_all`].
    pub(crate) fn update_within(
        &mut self,
        member: u32,
        updates: &[Announcement],
        terms: Option<&Terms<'_>>,
        mut room: Room,
    ) -> (Applied, LimitHits) {
        let (mut applied, mut hits) = (Applied::default(), LimitHits::default());
        for update in updates {
            if let Some(count) = self.hindrance(member, update, &room, &mut hits) {
                *count = count.saturating_add(1);
                continue;
            }
            let before = self.routes();
            let Applied { change, ignored } =
                self.update_all(member, std::slice::from_ref(update), terms);
            let routes = amount(self.routes()) - amount(before);
            applied.change += change;
            applied.ignored += ignored;
            room = room.less(routes, change);
        }
        (applied, hits)
    }

    /// Where an update is counted that there is no room for; `None` when there is.
    fn hindrance<'a>(
        &self,
        member: u32,
        update: &Announcement,
        room: &Room,
        hits: &'a mut LimitHits,
    ) -> Option<&'a mut u32> {
        let Announcement { action: Action::Add, destination, next_hop } = update else {
            return None;
        };
        let route = self.routes.find(destination, next_hop);
        let announced = route.filter(|&route| self.routes.route(route).is_announced());
        if announced.is_some_and(|route| self.routes.is_announced_by(route, member)) {
            None // it changes nothing
        } else if room.peer < 1 {
            Some(&mut hits.peer)
        } else if announced.is_none() && room.vni < 1 {
            Some(&mut hits.vni)
        } else if announced.is_none() && room.routes < 1 {
            Some(&mut hits.routes)
        } else if room.announcements < 1 {
            Some(&mut hits.memory)
        } else {
            None
        }
    }
}
