//! The messages to subscribers that want one next hop of each destination; see [`choice`](super::choice).
//!
//! Of the STANDARD routes of a destination such a subscriber has the chosen one. If the subscriber alone announces that
//! route, it has the best of the others instead. It has the same other routes as every client. While its dump is under
//! way, it has STANDARD routes of a destination only if the dump has covered the chosen one.
//!
//! All such subscribers are sent the same messages for a change, except two: the one that alone announces the route
//! that was chosen before, and the one that alone announces the route that is chosen now. Their messages are computed
//! separately.
//!
//! **Cost**: a look at each STANDARD route of a destination with a change, and one more for each of these two. These
//! looks count as work, see [`choice`](super::choice), and bound a chunk.

use ahash::AHashMap;
use smallvec::SmallVec;

use super::batch::{Audience, BatchBuilder, Sink};
use super::catch_up::is_dumped;
use super::view::View;
use super::vnet::Vnet;
use crate::ids::PeerId;
use crate::wire::{Action, Destination, NextHop};

/// A STANDARD route of a destination.
struct Candidate {
    route: u32,
    hop: NextHop,
    before: View,
    after: View,
}

impl Candidate {
    fn was(&self) -> View {
        self.before
    }

    fn is(&self) -> View {
        self.after
    }
}

/// The STANDARD routes of a destination, before a change and after it.
struct Offer<'a> {
    vnet: &'a Vnet,
    candidates: SmallVec<[Candidate; 4]>,
    /// How far the receiver's dump has come.
    dumped: u32,
}

/// The routes of an offer that a peer had and has, by their places in the offer.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Held {
    before: Option<usize>,
    after: Option<usize>,
}

impl Held {
    /// The route that a message with this action must be about.
    fn lacks(self, action: Action) -> Option<usize> {
        let Self { before, after } = self;
        let (of, unless) = if action == Action::Add { (after, before) } else { (before, after) };
        of.filter(|_| of != unless)
    }
}

/// The meaning of a change: for all, and for the peers to which it means something else.
struct Meaning {
    everybody: Held,
    others: SmallVec<[(PeerId, Held); 2]>,
}

impl<'a> Offer<'a> {
    /// The offer before and after these changes of a destination.
    fn of(vnet: &'a Vnet, group: &[(u32, View)], dumped: u32) -> Self {
        let mut changed: SmallVec<[(u32, View); 8]> = group.into();
        changed.sort_unstable_by_key(|(route, _)| *route);
        let before = |route: u32, now: View| {
            let place = changed.binary_search_by_key(&route, |(route, _)| *route);
            place.map_or(now, |place| changed[place].1)
        };
        let routes = group.first().map(|(route, _)| vnet.routes.with_same_destination(*route));
        let standard = routes.into_iter().flatten().filter(|&route| vnet.is_standard(route));
        let candidates = standard.map(|route| {
            let after = vnet.view(route);
            Candidate {
                route,
                hop: vnet.routes.next_hop_of(route),
                before: before(route, after),
                after,
            }
        });
        Self { vnet, candidates: candidates.collect(), dumped }
    }

    /// The present offer, for a peer that has had nothing of it.
    fn new(vnet: &'a Vnet, route: u32) -> Self {
        let mut offer = Self::of(vnet, &[(route, vnet.view(route))], super::slab::NONE);
        for candidate in &mut offer.candidates {
            candidate.before = View::NOBODY;
        }
        offer
    }

    /// The chosen route, if the dump has covered it.
    fn chosen(&self, view: fn(&Candidate) -> View) -> Option<usize> {
        let announced = self.candidates.iter().enumerate();
        let announced = announced.filter(|(_, it)| view(it).is_announced());
        let chosen = announced.min_by_key(|(_, it)| (!view(it).is_preferred(), it.hop));
        let (place, chosen) = chosen?;
        is_dumped(self.vnet, self.dumped, chosen.route).then_some(place)
    }

    /// The route that a peer has if `chosen` is chosen.
    fn of_peer(
        &self,
        chosen: Option<usize>,
        view: fn(&Candidate) -> View,
        peer: PeerId,
    ) -> Option<usize> {
        let is_own = |it: &Candidate| {
            view(it).sole_member().is_some_and(|member| self.vnet.announcer(member).peer == peer)
        };
        if !is_own(&self.candidates[chosen?]) {
            return chosen;
        }
        let others = self.candidates.iter().enumerate();
        let others = others.filter(|(_, it)| view(it).is_announced() && !is_own(it));
        others.min_by_key(|(_, it)| it.hop).map(|(place, _)| place)
    }

    fn meaning(&self) -> Meaning {
        let (before, after) = (self.chosen(Candidate::was), self.chosen(Candidate::is));
        let everybody = Held { before, after };
        let announcer = |chosen: Option<usize>, view: fn(&Candidate) -> View| {
            let member = view(&self.candidates[chosen?]).sole_member()?;
            let origin = &self.vnet.members[member].origin;
            (origin.audience() == Audience::Choosers).then_some(origin.peer)
        };
        let was = announcer(before, Candidate::was);
        let is = announcer(after, Candidate::is).filter(|is| Some(*is) != was);
        let held = |peer| Held {
            before: self.of_peer(before, Candidate::was, peer),
            after: self.of_peer(after, Candidate::is, peer),
        };
        let others = was.into_iter().chain(is).map(|peer| (peer, held(peer)));
        Meaning { everybody, others: others.filter(|(_, held)| *held != everybody).collect() }
    }

    /// Encodes the withdrawals, or the announcements, that a change means.
    fn emit(&self, sink: &mut impl Sink, action: Action, meaning: &Meaning) {
        let common = meaning.everybody.lacks(action);
        if let Some(place) = common {
            let (destination, hop) = self.identity(place);
            let differ = meaning.others.iter().filter(|(_, held)| held.lacks(action) != common);
            let except = differ.map(|(peer, _)| *peer);
            sink.builder().choice(action, (destination, &hop), except);
        }
        for (peer, held) in &meaning.others {
            let lacks = held.lacks(action).filter(|_| held.lacks(action) != common);
            if let Some(place) = lacks {
                let (destination, hop) = self.identity(place);
                sink.builder().only(action, (destination, &hop), *peer);
            }
        }
    }

    fn identity(&self, place: usize) -> (&'a Destination, NextHop) {
        let Candidate { route, hop, .. } = self.candidates[place];
        (self.vnet.routes.route(route).destination(), hop)
    }
}

impl Vnet {
    /// Encodes changes of one destination, withdrawals first. `dumped` says how far the dump of the receiver has come.
    pub(super) fn emit_choice(&self, sink: &mut impl Sink, group: &[(u32, View)], dumped: u32) {
        let has_standard = group.iter().any(|(route, _)| self.is_standard(*route));
        let offer = has_standard.then(|| Offer::of(self, group, dumped));
        let offer = offer.map(|offer| (offer.meaning(), offer));
        let others = || {
            let is_meant = |route| !self.is_standard(route) && is_dumped(self, dumped, route);
            group.iter().filter(move |(route, _)| is_meant(*route))
        };
        for &(route, before) in others() {
            sink.builder().withdraw(&self.change(route, before), |m| self.announcer(m));
        }
        if let Some((meaning, offer)) = &offer {
            offer.emit(sink, Action::Remove, meaning);
            offer.emit(sink, Action::Add, meaning);
        }
        for &(route, before) in others() {
            sink.builder().announce(&self.change(route, before), |m| self.announcer(m));
        }
    }

    /// Encodes the messages of a dump for a peer that wants one next hop, at an announced route.
    /// `chosen` remembers the chosen routes of destinations with several routes. Returns the number of looks at routes.
    pub(super) fn dump_choice(
        &self,
        builder: &mut BatchBuilder,
        route: u32,
        chosen: &mut AHashMap<u32, Option<u32>>,
    ) -> usize {
        let Some(group) = self.routes.group_of(route).filter(|_| self.is_standard(route)) else {
            self.dump_route(builder, route);
            return 0;
        };
        let mut looks = 0;
        let found = *chosen.entry(group).or_insert_with(|| {
            self.known_chosen(route).or_else(|| {
                looks += self.routes.siblings(route);
                self.chosen(route, false)
            })
        });
        if found == Some(route) {
            looks += self.routes.siblings(route);
            let offer = Offer::new(self, route);
            offer.emit(builder, Action::Add, &offer.meaning());
        }
        looks
    }

    /// The STANDARD route of a destination that a peer with one next hop has; `route` is any route of that destination.
    pub(super) fn choice_of(&self, peer: PeerId, route: u32) -> Option<u32> {
        let offer = Offer::new(self, route);
        let place = offer.of_peer(offer.chosen(Candidate::is), Candidate::is, peer)?;
        Some(offer.candidates[place].route)
    }
}
