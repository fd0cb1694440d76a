//! A VNI with few routes and members in which nothing happens: most of a fleet, most of the time.
//!
//! State: who subscribes, and each route with its announcers and when it changed. A [`Vnet`] makes changes
//! cheap and has a journal, an index, lists and counts for that, some 2 KB before the first route. What is
//! packed takes about 100 bytes, and 130 more for each route; unpacking costs a microsecond or two.

use smallvec::SmallVec;

use super::cursor::Cursor;
use super::growth::{Weight, to_u32};
use super::member::{Origin, Subscription};
use super::vnet::Vnet;
use super::{Size, Slice, SubscriptionState, TableBounds, VniInfo};
use crate::ids::{Moment, PeerId, ShardId};
use crate::policy::{Rights, Selection};
use crate::wire::{Destination, NextHop, Vni};

/// The largest number of members, and of routes, that are packed: packing more would save less and cost a longer
/// moment.
const MOST: usize = 16;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Packed {
    /// The head of the journal: positions never repeat.
    head: u64,
    /// The members in the order of their numbers, which begin at 0.
    members: SmallVec<[Member; 1]>,
    routes: Box<[Route]>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    peer: PeerId,
    subscribed: Moment,
    shard: ShardId,
    is_server: bool,
    is_subscriber: bool,
    /// Whether it is a subscriber that moves to another shard: it lacks nothing, but has to ask before it gets more.
    is_behind: bool,
    rights: Rights,
    selection: Selection,
}

#[derive(Debug)]
struct Route {
    destination: Destination,
    next_hop: NextHop,
    announcers: Announcers,
    changed: Moment,
}

/// Members by their numbers, the primary announcer first, then the oldest. Each takes four bits: there are at most
/// [`MOST`].
#[derive(Clone, Copy, Debug, Default)]
struct Announcers {
    numbers: u64,
    count: u8,
}

/// A fleet has tens of thousands of each, and the allocator's sizes here are 80, 96 and 112 bytes.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<[Member; 2]>() <= 80 && size_of::<Route>() <= 80);

impl Packed {
    /// An empty VNI.
    pub(super) fn new() -> Self {
        Self { head: 0, members: SmallVec::new_const(), routes: Box::new([]) }
    }

    /// Packs a VNI; `None` when it holds too much, or something is under way.
    pub(super) fn of(vnet: &mut Vnet) -> Option<Self> {
        if !vnet.is_at_rest() || vnet.members.count() > MOST || vnet.routes.announced() > MOST {
            return None;
        }
        let mut numbers: SmallVec<[u32; MOST]> = vnet.members.present().collect();
        numbers.sort_unstable();
        let member = |&number: &u32| {
            let member = &vnet.members[number];
            Member {
                peer: member.origin.peer,
                subscribed: member.subscribed,
                shard: member.origin.shard,
                is_server: member.origin.is_server,
                rights: member.origin.rights,
                selection: member.origin.selection,
                is_subscriber: matches!(member.subscription, Subscription::InSync),
                is_behind: false,
            }
        };
        let number_of = |member: u32| numbers.binary_search(&member).unwrap_or(0);
        let route = |place: u32| {
            let route = vnet.routes.announced_at(place)?;
            let primary = route.primary().into_iter();
            let announcers = primary.chain(vnet.routes.further_of(place));
            Some(Route {
                destination: *route.destination(),
                next_hop: vnet.routes.next_hop_of(place),
                announcers: announcers.map(number_of).collect(),
                changed: vnet.changed_by(place).unwrap_or_default(),
            })
        };
        let mut members = SmallVec::new_const();
        members.reserve_exact(numbers.len());
        members.extend(numbers.iter().map(member));
        let routes = (0..vnet.routes.end()).filter_map(route).collect();
        Some(Self { head: vnet.journal.head(), members, routes })
    }

    /// Whether a client subscribes.
    pub(super) fn is_wanted(&self) -> bool {
        self.members.iter().any(|member| member.is_subscriber && !member.is_server)
    }

    /// Whether a client subscribes or announces.
    pub(super) fn has_clients(&self) -> bool {
        self.members.iter().any(|member| !member.is_server)
    }

    /// The open VNI.
    pub(super) fn unpack(&self, vni: Vni, basis: &TableBasis) -> Vnet {
        let mut vnet = Vnet::new(vni, basis.bounds, basis.hasher.clone());
        for member in &self.members {
            let number = vnet.member(member.origin());
            vnet.members[number].subscribed = member.subscribed;
            if member.is_subscriber && !member.is_behind {
                vnet.members.set_in_sync(number);
            }
        }
        // As if each route had changed once, in the order of their latest changes.
        let head = self.head.max(self.routes.len() as u64);
        let mut order: SmallVec<[usize; MOST]> = (0..self.routes.len()).collect();
        order.sort_by_key(|&at| self.routes[at].changed);
        vnet.begin_at(head);
        let mut stamps: SmallVec<[u64; MOST]> = SmallVec::from_elem(0, order.len());
        for (position, at) in (head - order.len() as u64..).zip(order) {
            vnet.ages.note(position + 1, self.routes[at].changed);
            stamps[at] = position;
        }
        for (route, stamp) in self.routes.iter().zip(stamps) {
            vnet.take_back(route, stamp);
        }
        for member in self.members.iter().filter(|member| member.is_behind) {
            if let Some(number) = vnet.members.find(member.peer) {
                vnet.members.set_behind(number, Cursor::at(head));
            }
        }
        vnet
    }

    /// See [`Vnet::relocate`].
    pub(super) fn relocate(&mut self, peer: PeerId, to: ShardId) -> bool {
        let Some(member) = self.members.iter_mut().find(|member| member.peer == peer) else {
            return false;
        };
        member.shard = to;
        let was_behind = std::mem::replace(&mut member.is_behind, member.is_subscriber);
        member.is_subscriber && !was_behind
    }

    /// Whether a peer subscribes.
    pub(super) fn is_subscriber(&self, peer: PeerId) -> bool {
        self.members.iter().any(|member| member.peer == peer && member.is_subscriber)
    }

    /// Whether no peer takes part.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn size(&self) -> Size {
        Size { routes: to_u32(self.routes.len()), tombstones: 0, journal: 0, filtered: 0, stale: 0 }
    }

    pub(super) fn weight(&self) -> Weight {
        let announcements: usize =
            self.routes.iter().map(|route| usize::from(route.announcers.count)).sum();
        Weight { routes: to_u32(self.routes.len()), announcements: to_u32(announcements) }
    }

    pub(super) fn info(&self, vni: Vni, shard: ShardId) -> VniInfo {
        let subscribers = self.members.iter().filter(|member| member.is_subscriber).count();
        let behind = self.members.iter().filter(|member| member.is_behind).count();
        VniInfo {
            vni,
            shard,
            routes: self.routes.len() as u64,
            tombstones: 0,
            members: self.members.len() as u64,
            subscribers: subscribers as u64,
            behind: behind as u64,
            journal: 0,
            filtered: 0,
        }
    }

    /// All subscribers from a place on: they are few.
    pub(super) fn subscribers(&self, from: u32) -> Slice<(Origin, SubscriptionState)> {
        let members = self.members.iter().skip(from as usize);
        let subscribers = members.filter(|member| member.is_subscriber);
        let rows = subscribers.map(|member| (member.origin(), member.state()));
        Slice { rows: rows.collect(), next: None }
    }
}

impl Announcers {
    fn iter(self) -> impl Iterator<Item = u32> + Clone {
        (0..self.count).map(move |at| ((self.numbers >> (4 * at)) & 15) as u32)
    }
}

impl FromIterator<usize> for Announcers {
    /// Of the first [`MOST`] numbers, which are below [`MOST`].
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        numbers.into_iter().take(MOST).fold(Self::default(), |Self { numbers, count }, number| {
            Self { numbers: numbers | ((number as u64 & 15) << (4 * count)), count: count + 1 }
        })
    }
}

impl Member {
    fn origin(&self) -> Origin {
        Origin {
            peer: self.peer,
            shard: self.shard,
            is_server: self.is_server,
            rights: self.rights,
            selection: self.selection,
        }
    }

    fn state(&self) -> SubscriptionState {
        if self.is_behind {
            SubscriptionState::Behind { entries: 0, places: 0 }
        } else {
            SubscriptionState::InSync
        }
    }
}

impl Vnet {
    /// Whether nothing is under way: no change that a peer may still have to be told of, no member
    /// that is behind or leaving, no batch in any queue.
    fn is_at_rest(&mut self) -> bool {
        while self.retention.pins.front().is_some_and(|pin| pin.batch.strong_count() == 0) {
            self.retention.pins.pop_front();
        }
        self.members.retire_idle(self.journal.head());
        !self.lingers()
            && self.retention.pins.is_empty()
            && self.members.behind().is_empty()
            && self.sealed.is_empty()
            && self.coalesced == 0
            && !self.has_stale()
            && self.preferred.is_none()
            && self.policing.as_ref().is_none_or(|policing| policing.is_idle())
    }

    /// Puts a route into an empty table as it was when it was packed.
    fn take_back(&mut self, route: &Route, stamp: u64) {
        let Route { destination, next_hop, announcers, .. } = route;
        let (destination, next_hop) = (*destination, *next_hop);
        let stamp = super::journal::Journal::stamp(stamp);
        let hash = self.routes.hash_of(&destination);
        let place = self.routes.find_or_insert(hash, &destination, &next_hop, stamp);
        let Some(place) = place else { return };
        self.restore_announcers(place, announcers.iter());
        self.routes.set_changed(place, stamp);
    }
}

/// The values that all VNIs of a shard have in common.
#[derive(Debug)]
pub(crate) struct TableBasis {
    pub(crate) bounds: TableBounds,
    /// Carries the process's random seeds: prefixes come from the network.
    pub(crate) hasher: ahash::RandomState,
}
