//! Writing a table.

use crate::portable::form::{self, cursor::Dump, piece::Kind};
use crate::portable::{ENTRIES, address_bytes, in_pieces, number};
use crate::table::Table;
use crate::table::cursor::Cursor;
use crate::table::held::{HeldParts, Hold};
use crate::table::member::{Member, Subscription};
use crate::table::slab::NONE;
use crate::table::view::View;
use crate::table::vnet::Vnet;
use crate::wire::{Destination, NextHop, Vni};

impl Table {
    /// Gives the pieces of the portable form to `each`, in order. Nothing may wait to be sealed or sent.
    /// Returns how many routes they hold.
    ///
    /// Cost: a walk over all routes, and 4 bytes for each place and 8 for each change meanwhile.
    pub(crate) fn export(&self, each: &mut impl FnMut(Kind)) -> u64 {
        self.look().export(each)
    }
}

/// The numbers that the portable form gives anew.
struct Numbers {
    /// New numbers of members and of routes, by their numbers here; `NONE` if they are not written.
    members: Vec<u32>,
    routes: Vec<u32>,
    /// The base of the journal and the positions that it holds, ascending.
    base: u64,
    held: Vec<u64>,
}

impl Numbers {
    fn of(vnet: &Vnet) -> Self {
        let (journal, base) = (&vnet.journal, vnet.journal.base());
        let next = |from: u64| journal.next_held(from);
        let held = std::iter::successors(next(base), |&position| next(position + 1)).collect();
        let mut members = vec![false; vnet.members.end() as usize];
        let mut note = |member: u32| members[member as usize] = true;
        let leaving = vnet.members.leaving().iter().copied();
        vnet.members.present().chain(leaving).for_each(&mut note);
        let mut numbers = Self { members: Vec::new(), routes: Vec::new(), base, held };
        let befores = numbers.held.iter().map(|&position| journal.at(position).before);
        befores.filter_map(View::sole_member).for_each(note);
        numbers.members = ascending(members.into_iter());
        numbers.routes = ascending((0..vnet.routes.end()).map(|place| vnet.routes.is_held(place)));
        numbers
    }

    fn member(&self, member: u32) -> u32 {
        self.members.get(member as usize).copied().unwrap_or(NONE)
    }

    fn route(&self, place: u32) -> u32 {
        self.routes.get(place as usize).copied().unwrap_or(NONE)
    }

    fn view(&self, view: View) -> u32 {
        view.renumbered(|member| self.member(member)).to_bits()
    }

    fn position(&self, position: u64) -> u64 {
        if position < self.base {
            return position;
        }
        self.base + number(self.held.partition_point(|held| *held < position))
    }

    /// The number of written routes in places below `place`.
    fn routes_below(&self, place: u32) -> u64 {
        let before = self.routes.iter().take(place as usize).rev();
        before.copied().find(|route| *route != NONE).map_or(0, |last| u64::from(last) + 1)
    }
}

/// Numbers the wanted values in ascending order; `NONE` for the others.
fn ascending(wanted: impl Iterator<Item = bool>) -> Vec<u32> {
    let mut next = 0;
    let number = |is_wanted: bool| {
        let own = if is_wanted { next } else { NONE };
        next += u32::from(is_wanted);
        own
    };
    wanted.map(number).collect()
}

impl Vnet {
    /// See [`Table::export`].
    pub(in crate::table) fn export(&self, each: &mut impl FnMut(Kind)) -> u64 {
        debug_assert!(self.sealed.is_empty() && self.open == self.journal.head());
        let numbers = Numbers::of(self);
        let Vni(vni) = self.vni;
        let ages = self.ages.samples();
        let sample = |(before, at)| form::Sample { before: numbers.position(before), at };
        let ages = ages.map(sample).collect();
        each(Kind::Table(form::Table { vni, base: numbers.base, ages }));
        let written = |numbers: &[u32]| {
            let numbered = (0..).zip(numbers.to_vec());
            numbered.filter(|(_, number)| *number != NONE)
        };
        let members =
            written(&numbers.members).map(|(member, _)| self.member_form(member, &numbers));
        in_pieces(members, |members| Kind::Members(form::Members { members }), each);
        for (member, number) in written(&numbers.members) {
            self.export_rest(member, number, each);
        }
        let filtered = self.all_filtered().map(|(member, (to, hop), _)| form::FilteredRoute {
            member: numbers.member(member),
            route: Some(identity_form(to, hop)),
        });
        in_pieces(filtered, |routes| Kind::Filtered(form::Filtered { routes }), each);
        self.export_held(&numbers, each);
        let routes = (0..self.routes.end()).filter(|place| self.routes.is_held(*place));
        let routes = routes.map(|place| self.route_form(place, &numbers));
        in_pieces(routes, |routes| Kind::Routes(form::Routes { routes }), each);
        for positions in numbers.held.chunks(ENTRIES) {
            let entries = || positions.iter().map(|&position| self.journal.at(position));
            let routes = entries().map(|entry| numbers.routes[entry.route as usize]).collect();
            let before = entries().map(|entry| numbers.view(entry.before)).collect();
            let preferred = (0..).zip(entries()).filter(|(_, entry)| entry.before.is_preferred());
            let preferred = preferred.map(|(number, _)| number).collect();
            each(Kind::Changes(form::Changes { routes, before, preferred }));
        }
        numbers.routes_below(self.routes.end())
    }

    /// Writes the peers with stale routes.
    fn export_held(&self, numbers: &Numbers, each: &mut impl FnMut(Kind)) {
        for HeldParts { member, hold, fresh } in self.held_members() {
            let Hold { kin, until } = hold;
            let [source, name] = kin.to_numbers();
            let held = form::HeldMember {
                member: numbers.member(member),
                source,
                name,
                until: until.0,
                is_back: fresh.is_some(),
                fresh: Vec::new(),
            };
            let places = fresh.into_iter().flatten().map(|place| numbers.route(*place));
            let places: Vec<_> = places.filter(|route| *route != NONE).collect();
            let mut parts: Vec<_> = places.chunks(ENTRIES).map(<[u32]>::to_vec).collect();
            parts.is_empty().then(|| parts.push(Vec::new()));
            for fresh in parts {
                let members = vec![form::HeldMember { fresh, ..held.clone() }];
                each(Kind::Held(form::Held { members }));
            }
        }
    }

    fn member_form(&self, member: u32, numbers: &Numbers) -> form::Member {
        let number = member;
        let member = &self.members[member];
        let Member { origin, subscription, dump_to, subscribed, .. } = member;
        let cursor = match subscription {
            Subscription::None => None,
            Subscription::InSync => Some(Cursor::at(self.open).form(numbers)),
            Subscription::Behind(cursor) => Some(cursor.form(numbers)),
        };
        form::Member {
            peer: origin.peer.0,
            is_server: origin.is_server,
            has_left: self.members.find(origin.peer) != Some(number),
            subscribed: subscribed.0,
            cursor,
            dump_to: dump_to.map(|position| numbers.position(position)),
            echo: origin.selection.echo.number(),
            one_next_hop: origin.selection.one_next_hop,
        }
    }

    /// Writes the parts that a member's cursor has passed and that are still to be sent.
    fn export_rest(&self, member: u32, number: u32, each: &mut impl FnMut(Kind)) {
        let Member { subscription, origin, .. } = &self.members[member];
        let Subscription::Behind(cursor) = subscription else { return };
        for batch in cursor.rest() {
            let mut messages = Vec::new();
            batch.for_each_piece(origin.peer, |piece| messages.extend_from_slice(&piece));
            let messages = messages.into();
            each(Kind::Remainder(form::Remainder { member: number, messages }));
        }
    }

    fn route_form(&self, place: u32, numbers: &Numbers) -> form::Route {
        let route = self.routes.route(place);
        let primary = route.primary().into_iter();
        let announcers = primary.chain(self.routes.further_of(place));
        form::Route {
            announcers: announcers.map(|member| numbers.member(member)).collect(),
            changed: numbers.position(self.journal.stamped(route.changed)),
            is_first: self.routes.is_first(place),
            is_preferred: self.is_preferred(place),
            ..identity_form(route.destination(), &self.routes.next_hop_of(place))
        }
    }
}

/// A route's destination and next hop.
fn identity_form(destination: &Destination, hop: &NextHop) -> form::Route {
    let (nat_from, nat_to) = hop.nat_ports();
    form::Route {
        prefix: bytes::Bytes::copy_from_slice(destination.prefix()),
        prefix_length: destination.prefix_len().into(),
        next_hop: address_bytes(hop.address()),
        target_vni: hop.target_vni(),
        r#type: hop.kind() as u32,
        nat_from,
        nat_to,
        ..form::Route::default()
    }
}

impl Cursor {
    fn form(&self, numbers: &Numbers) -> form::Cursor {
        let position = |position| numbers.position(position);
        let horizon = |(end, head)| form::Horizon { end: position(end), head: position(head) };
        form::Cursor {
            synced: position(self.synced()),
            walked: position(self.walked),
            horizons: self.horizons().map(horizon).collect(),
            dump: match self.dumped {
                0 => None,
                NONE => Some(Dump::Whole(true)),
                place => Some(Dump::Dumped(numbers.routes_below(place))),
            },
            is_fresh: self.is_fresh(),
        }
    }
}
