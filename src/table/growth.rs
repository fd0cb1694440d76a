//! Updates while there is room for few more routes, or for none.
//!
//! [`Vnet::update_all`] knows no limit. Its caller compares the length of a run of updates with the [`Room`] that
//! there is, and comes here only when a run could need more: so limits cost one comparison for each run.

use super::apply::Applied;
use super::rib::Announcement;
use super::vnet::Vnet;
use crate::policy::Terms;
use crate::wire::Action;

/// The weight of a VNI against limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Weight {
    /// Routes that at least one peer announces.
    pub(crate) routes: u32,
    /// Announcements: a route counts once for each peer that announces it, also one that a policy refuses.
    pub(crate) announcements: u32,
}

/// A count as a signed number.
#[inline]
pub(crate) fn amount(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count in half the room: each VNI keeps some, and none holds four billion of anything.
#[inline]
pub(super) fn to_u32<N>(count: N) -> u32
where
    u32: TryFrom<N>,
{
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The amounts that may still be added. A withdrawal makes room again.
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

/// The number of refused announcements, by the limit that has been reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct LimitHits {
    /// The limit on routes in all VNIs.
    pub(crate) routes: u32,
    /// The limit on memory.
    pub(crate) memory: u32,
    /// The limit on VNIs.
    pub(crate) vnis: u32,
    /// The limit on the routes of the VNI.
    pub(crate) vni: u32,
    /// The limit on the routes of the peer.
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
    /// The room that is left after so many more routes and announcements.
    fn less(self, routes: i64, announcements: i64) -> Self {
        Self {
            routes: self.routes.saturating_sub(routes),
            vni: self.vni.saturating_sub(routes),
            announcements: self.announcements.saturating_sub(announcements),
            peer: self.peer.saturating_sub(announcements),
        }
    }

    /// Whether there is room for so many updates of any kind.
    #[inline]
    pub(crate) fn fits(&self, updates: usize) -> bool {
        let Self { routes, announcements, vni, peer } = *self;
        let least = routes.min(announcements).min(vni).min(peer);
        usize::try_from(least).is_ok_and(|least| updates <= least)
    }
}

impl Vnet {
    /// Its weight against limits.
    #[inline]
    pub(crate) fn weight(&self) -> Weight {
        let routes = to_u32(self.routes.announced());
        let further = to_u32(self.routes.further_total());
        let kept = to_u32(self.filtered());
        Weight { routes, announcements: routes.saturating_add(further).saturating_add(kept) }
    }

    /// Applies announcements and withdrawals of a member, in order, but skips an announcement without
    /// room. A repeated announcement needs no room. Costs one lookup per update more than [`Vnet::update_all`].
    pub(crate) fn update_within(
        &mut self,
        member: u32,
        updates: &[Announcement],
        terms: Option<&Terms<'_>>,
        mut room: Room,
    ) -> (Applied, LimitHits) {
        let (mut applied, mut hits) = (Applied::default(), LimitHits::default());
        for update in updates {
            if let Some(count) = self.hindrance(member, update, terms, &room, &mut hits) {
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

    /// The counter of `hits` for an update without room; `None` when there is room. A route that the policy refuses
    /// needs no room among the routes, and one that is filtered already counts as an announcement.
    fn hindrance<'a>(
        &self,
        member: u32,
        update: &Announcement,
        terms: Option<&Terms<'_>>,
        room: &Room,
        hits: &'a mut LimitHits,
    ) -> Option<&'a mut u32> {
        let Announcement { action: Action::Add, destination, next_hop } = update else {
            return None;
        };
        let route = self.routes.find(destination, next_hop);
        let announced = route.filter(|&route| self.routes.route(route).is_announced());
        if announced.is_some_and(|route| self.routes.is_announced_by(route, member)) {
            return None; // it changes nothing
        }
        let own = self.members[member].origin.rights.own;
        let is_full = room.vni < 1 || room.routes < 1;
        let is_allowed = || terms.is_none_or(|it| it.judge(own, destination, next_hop).allows());
        let adds_route = announced.is_none() && is_full && is_allowed();
        let adds_announcement = !self.is_filtered(member, &(*destination, *next_hop));
        if adds_announcement && room.peer < 1 {
            Some(&mut hits.peer)
        } else if adds_route && room.vni < 1 {
            Some(&mut hits.vni)
        } else if adds_route {
            Some(&mut hits.routes)
        } else if adds_announcement && room.announcements < 1 {
            Some(&mut hits.memory)
        } else {
            None
        }
    }
}
