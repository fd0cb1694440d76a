//! Looking at one VNI: bounded slices of its routes and members, and facts about one route.
//!
//! Nothing here changes anything, and nothing is remembered between two looks. Listings go by the
//! place of a route or member, which is its for life.

use super::batch::Audience;
use super::catch_up::is_dumped;
use super::growth::to_u32;
use super::member::{Origin, Subscription};
use super::rows::{
    ANNOUNCERS_MAX, DestinationInfo, Lookup, NEXT_HOPS_MAX, PeerVni, RouteFilter, RouteInfo,
    SubscriptionState, VniInfo,
};
use super::vnet::Vnet;
use crate::ids::{Moment, PeerId, ShardId};
use crate::policy::{Echo, Refusal, Rights};
use crate::wire::{Action, Destination, NextHop};

/// The number of routes that one lookup, or one explanation, looks at.
pub(crate) const CHAIN_MAX: usize = 256;

/// A slice of a listing: its rows, and the place where to go on if there is more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Slice<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next: Option<u32>,
}

/// The share of a table in its shard's occupancy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Size {
    pub(crate) routes: u32,
    pub(crate) tombstones: u32,
    pub(crate) journal: u32,
    pub(crate) filtered: u32,
    pub(crate) stale: u32,
}

/// The facts that the owner of a VNI knows about one peer and one destination.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct DeliveryFacts {
    pub(crate) subscription: Option<SubscriptionState>,
    /// Announcements and subscriptions that limits have refused on the shard, of any VNI; the shard fills it in.
    pub(crate) refused: u64,
    pub(crate) routes: Vec<RouteFacts>,
    pub(crate) filtered: Vec<FilteredFacts>,
}

/// The facts that it knows about a route of that destination which the policy refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FilteredFacts {
    pub(crate) next_hop: NextHop,
    pub(crate) peer: PeerId,
    pub(crate) rights: Rights,
    pub(crate) refusal: Refusal,
}

/// The facts that it knows about one route of that destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RouteFacts {
    pub(crate) next_hop: NextHop,
    pub(crate) announcers: Vec<PeerId>,
    /// Only this peer announces it, and the peer does not receive it back.
    pub(crate) is_only_own: bool,
    /// The same, but the peer receives it back in a dump.
    pub(crate) is_only_in_dump: bool,
    /// The next hop that the peer receives instead, if it receives one next hop of each destination and not this one.
    pub(crate) instead: Option<NextHop>,
    /// The peer is a server, and only servers announce it.
    pub(crate) is_only_servers: bool,
    /// The journal position of its newest change; `None` when the journal has forgotten that, since all peers have it.
    pub(crate) changed: Option<u64>,
    /// Its newest change is not sealed yet.
    pub(crate) is_gathering: bool,
    /// The peer's cursor has passed it. Meaningless for a peer in sync.
    pub(crate) is_covered: bool,
}

impl Vnet {
    /// The size of the table.
    pub(crate) fn size(&self) -> Size {
        let routes = self.routes.announced();
        Size {
            routes: to_u32(routes),
            tombstones: to_u32(self.routes.held().saturating_sub(routes)),
            journal: to_u32(self.journal.len()),
            filtered: to_u32(self.filtered()),
            stale: to_u32(self.stale_routes()),
        }
    }

    /// The VNI as a row.
    pub(crate) fn info(&self, shard: ShardId) -> VniInfo {
        let Size { routes, tombstones, journal, filtered, .. } = self.size();
        let in_sync = Audience::ALL.map(|audience| self.members.in_sync(audience));
        let in_sync = in_sync.iter().sum::<usize>() as u64;
        let behind = self.members.behind().len() as u64;
        VniInfo {
            vni: self.vni,
            shard,
            routes: routes.into(),
            tombstones: tombstones.into(),
            members: self.members.count() as u64,
            subscribers: in_sync + behind,
            behind,
            journal: journal.into(),
            filtered: filtered.into(),
        }
    }

    /// A peer's part in this VNI.
    pub(crate) fn part(&self, peer: PeerId) -> Option<PeerVni> {
        let member = &self.members[self.members.find(peer)?];
        let subscription = self.progress(&member.subscription);
        Some(PeerVni { vni: self.vni, subscription, routes: u64::from(member.routes) })
    }

    /// When a peer subscribed.
    pub(crate) fn subscribed(&self, peer: PeerId) -> Option<Moment> {
        Some(self.members[self.members.find(peer)?].subscribed)
    }

    /// Subscribers from a place on: at most `rows`, among at most `places`.
    pub(crate) fn subscribers(
        &self,
        from: u32,
        rows: usize,
        places: u32,
    ) -> Slice<(Origin, SubscriptionState)> {
        slice(from, self.members.end(), rows, places, |place| {
            let member = &self.members[place];
            Some((member.origin, self.progress(&member.subscription)?))
        })
    }

    /// Announced routes from a place on: at most `rows`, among at most `places`.
    pub(crate) fn list(
        &self,
        now: Moment,
        filter: &RouteFilter,
        from: u32,
        rows: usize,
        places: u32,
    ) -> Slice<RouteInfo> {
        let announcer = match filter.announcer.map(|peer| self.members.find(peer)) {
            None => None,
            Some(Some(member)) => Some(member),
            Some(None) => return Slice { rows: Vec::new(), next: None },
        };
        slice(from, self.routes.end(), rows, places, |place| {
            let route = self.routes.announced_at(place)?;
            if let Some(member) = announcer
                && route.primary() != Some(member)
                && !self.routes.is_further(place, member)
            {
                return None;
            }
            let within = filter.within.as_ref();
            if within.is_some_and(|within| !within.contains(route.destination())) {
                return None;
            }
            let address = self.routes.next_hop_of(place).address();
            if filter.next_hop.is_some_and(|wanted| wanted != address) {
                return None;
            }
            Some(self.row(now, place))
        })
    }

    /// Announced destinations from a place on: at most `rows` next hops and those of
    /// one destination more, among at most `places`.
    pub(crate) fn destinations(
        &self,
        from: u32,
        rows: usize,
        places: u32,
    ) -> Slice<DestinationInfo> {
        let end = self.routes.end();
        let last = end.min(from.saturating_add(places.max(1)));
        let (mut found, mut hops, mut place) = (Vec::new(), 0, from);
        while place < last && hops < rows.max(1) {
            if let Some((destination, routes)) = self.routes.destination_at(place) {
                let announced = routes.filter(|route| self.routes.route(*route).is_announced());
                let next_hops = announced.take(NEXT_HOPS_MAX);
                let next_hops: Vec<_> =
                    next_hops.map(|route| self.routes.next_hop_of(route)).collect();
                if !next_hops.is_empty() {
                    hops += next_hops.len();
                    found.push(DestinationInfo { destination: *destination, next_hops });
                }
            }
            place += 1;
        }
        Slice { rows: found, next: (place < end).then_some(place) }
    }

    /// The routes of one destination, or of the longest destination that contains an address.
    pub(crate) fn lookup(&self, now: Moment, what: Lookup) -> Vec<RouteInfo> {
        match what {
            Lookup::Exact(destination) => self.announced_at(now, &destination),
            Lookup::Longest(address) => {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                for length in (0..=bits).rev() {
                    let Ok(unclean) = Destination::new(address, length) else { continue };
                    let clean = unclean.network();
                    let found: Vec<_> = [Some(clean), Some(unclean).filter(|it| *it != clean)]
                        .into_iter()
                        .flatten()
                        .flat_map(|destination| self.announced_at(now, &destination))
                        .collect();
                    if !found.is_empty() {
                        return found;
                    }
                }
                Vec::new()
            }
        }
    }

    /// The facts about one peer and one destination, or one of its routes.
    pub(crate) fn delivery_facts(
        &self,
        peer: PeerId,
        destination: &Destination,
        next_hop: Option<&NextHop>,
    ) -> DeliveryFacts {
        let member = self.members.find(peer).map(|member| (member, &self.members[member]));
        let is_wanted = |place: &u32| {
            let is_announced = self.routes.route(*place).is_announced();
            is_announced && next_hop.is_none_or(|hop| *hop == self.routes.next_hop_of(*place))
        };
        let is_chooser = member.is_some_and(|(_, it)| it.origin.audience() == Audience::Choosers);
        let any = self.routes.of_destination(destination).next().filter(|_| is_chooser);
        let choice = any.and_then(|any| self.choice_of(peer, any));
        let route = |place: u32| {
            let view = self.view(place);
            let changed = self.journal.position(self.routes.route(place).changed);
            let is_server = member.is_some_and(|(_, member)| member.origin.is_server);
            let is_covered = match member.map(|(_, member)| &member.subscription) {
                Some(Subscription::Behind(cursor)) => {
                    is_dumped(self, cursor.dumped, place)
                        && changed.is_none_or(|position| position < cursor.walked)
                }
                _ => false,
            };
            let next_hop = self.routes.next_hop_of(place);
            let echo = member.filter(|(m, _)| view.sole_member() == Some(*m));
            let echo = echo.map(|(_, member)| member.origin.selection.echo);
            let returns = |echo: Echo| echo.returns(Action::Add, next_hop.kind());
            let is_other = choice != Some(place) && self.is_standard(place);
            RouteFacts {
                instead: choice.filter(|_| is_other).map(|it| self.routes.next_hop_of(it)),
                next_hop,
                announcers: self.announcers(place).collect(),
                is_only_own: echo.is_some_and(|echo| !returns(echo)),
                is_only_in_dump: echo.is_some_and(|it| !returns(it) && returns(it.in_dump())),
                is_only_servers: is_server && !view.has_client(),
                changed,
                is_gathering: changed.is_some_and(|position| position >= self.open),
                is_covered,
            }
        };
        DeliveryFacts {
            subscription: member.and_then(|(_, member)| self.progress(&member.subscription)),
            refused: 0,
            routes: self
                .routes
                .of_destination(destination)
                .filter(is_wanted)
                .take(CHAIN_MAX)
                .map(route)
                .collect(),
            filtered: self.filtered_of(destination, next_hop),
        }
    }

    fn announced_at(&self, now: Moment, destination: &Destination) -> Vec<RouteInfo> {
        self.routes
            .of_destination(destination)
            .filter(|place| self.routes.route(*place).is_announced())
            .take(CHAIN_MAX)
            .map(|place| self.row(now, place))
            .collect()
    }

    fn row(&self, now: Moment, place: u32) -> RouteInfo {
        let announcers: Vec<_> = self.announcers(place).take(ANNOUNCERS_MAX).collect();
        let is_stale = |peer: &PeerId| self.is_stale_announcer(*peer, place);
        RouteInfo {
            vni: self.vni,
            destination: *self.routes.route(place).destination(),
            next_hop: self.routes.next_hop_of(place),
            stale_announcers: announcers.iter().copied().filter(is_stale).collect(),
            announcers,
            announcer_names: Vec::new(),
            announcer_count: 1 + u64::from(self.routes.further_count(place)),
            sites: Vec::new(),
            age: now.since(self.changed_by(place).unwrap_or(now)),
        }
    }

    /// The moment by which a route's newest change had come; `None` while it is not sealed.
    pub(super) fn changed_by(&self, place: u32) -> Option<Moment> {
        // The stamp is the low half of a position before the head. A route that stays the same while others
        // change 2^32 times looks younger than it is.
        self.ages.of(self.journal.stamped(self.routes.route(place).changed))
    }

    fn announcers(&self, place: u32) -> impl Iterator<Item = PeerId> + '_ {
        let primary = self.routes.route(place).primary();
        let all = primary.into_iter().chain(self.routes.further_of(place));
        let all: smallvec::SmallVec<[u32; 4]> = all.take(CHAIN_MAX).collect();
        all.into_iter().map(|member| self.members[member].origin.peer)
    }

    fn progress(&self, subscription: &Subscription) -> Option<SubscriptionState> {
        match subscription {
            Subscription::None => None,
            Subscription::InSync => Some(SubscriptionState::InSync),
            Subscription::Behind(cursor) => {
                let entries =
                    if cursor.dumped == 0 { 0 } else { self.journal.head() - cursor.walked };
                let places = self.routes.end().saturating_sub(cursor.dumped);
                Some(SubscriptionState::Behind { entries, places: u64::from(places) })
            }
        }
    }
}

/// Looks at places from `from` on until there are enough rows, or enough places were looked at.
pub(crate) fn slice<T>(
    from: u32,
    end: u32,
    rows: usize,
    places: u32,
    row: impl Fn(u32) -> Option<T>,
) -> Slice<T> {
    let last = end.min(from.saturating_add(places.max(1)));
    let mut found = Vec::new();
    let mut place = from;
    while place < last && found.len() < rows.max(1) {
        found.extend(row(place));
        place += 1;
    }
    Slice { rows: found, next: (place < end).then_some(place) }
}
