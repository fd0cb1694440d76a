//! Reading a table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::ids::{Kin, Moment, PeerId, ShardId};
use crate::policy::{Echo, Rights, Selection};
use crate::portable::form::{self, cursor::Dump, piece::Kind};
use crate::portable::{Defect, required};
use crate::table::cursor::Cursor;
use crate::table::held::{Hold, Places};
use crate::table::journal::Journal;
use crate::table::member::Origin;
use crate::table::slab::NONE;
use crate::table::view::View;
use crate::table::vnet::Vnet;
use crate::table::{Table, TableBasis};
use crate::wire::{Destination, NextHop, Vni};

/// The largest number of routes of one table, and of members.
const MOST: u32 = 1 << 29;

/// A table while it is read: made from its first piece, it takes the others in order.
#[derive(Debug)]
pub(crate) struct Importer {
    vnet: Vnet,
    basis: Arc<TableBasis>,
    base: u64,
    members: Vec<Read>,
    /// The routes with which a dump begins.
    firsts: SmallVec<[u32; 4]>,
    /// Places of preferred routes.
    preferred: Vec<u32>,
    /// The place of the first route; `None` before that.
    first_place: Option<u32>,
    routes: u64,
    has_changes: bool,
    held: BTreeMap<u32, Held>,
}

/// A member with stale routes as read so far: the numbers of routes that it has announced again, if it is back.
#[derive(Debug)]
struct Held {
    hold: Hold,
    fresh: Option<Vec<u32>>,
}

/// A member as read so far, until everything that it needs is known.
#[derive(Debug)]
struct Read {
    has_left: bool,
    is_connected: bool,
    cursor: Option<form::Cursor>,
    dump_to: Option<u64>,
    rest: Vec<Bytes>,
}

impl Importer {
    /// Begins a table.
    ///
    /// # Errors
    /// [`Defect::Value`].
    pub(crate) fn new(table: form::Table, basis: &Arc<TableBasis>) -> Result<Self, Defect> {
        let form::Table { vni, base, ages } = table;
        if base > u64::MAX / 2 {
            return Err(Defect::Value("Table.base"));
        }
        let mut vnet = Vnet::new(Vni(vni), basis.bounds, basis.hasher.clone());
        vnet.begin_at(base);
        vnet.routes.limit_next_hops(u32::MAX);
        vnet.ages.restore(ages.into_iter().map(|sample| (sample.before, Moment(sample.at))));
        Ok(Self {
            vnet,
            basis: Arc::clone(basis),
            base,
            members: Vec::new(),
            firsts: SmallVec::new(),
            preferred: Vec::new(),
            first_place: None,
            routes: 0,
            has_changes: false,
            held: BTreeMap::new(),
        })
    }

    /// The VNI of the table.
    pub(crate) fn vni(&self) -> Vni {
        self.vnet.vni
    }

    /// The number of routes so far.
    pub(crate) fn routes(&self) -> u64 {
        self.routes
    }

    /// Takes the next piece of the table. `shard_of` gives the shard that will have a peer's connection.
    ///
    /// # Errors
    /// [`Defect`]; then the table is unusable.
    pub(crate) fn take(
        &mut self,
        piece: Kind,
        shard_of: &impl Fn(PeerId) -> Option<ShardId>,
    ) -> Result<(), Defect> {
        match piece {
            Kind::Members(members) if self.first_place.is_none() && !self.has_changes => {
                members.members.into_iter().try_for_each(|member| self.member(member, shard_of))
            }
            Kind::Filtered(filtered) if self.first_place.is_none() && !self.has_changes => {
                filtered.routes.into_iter().try_for_each(|route| self.filtered(route))
            }
            Kind::Held(held) if self.first_place.is_none() && !self.has_changes => {
                held.members.into_iter().try_for_each(|member| self.held(member))
            }
            Kind::Remainder(form::Remainder { member, messages }) => {
                let read = self.members.get_mut(member as usize);
                read.ok_or(Defect::Value("Remainder.member"))?.rest.push(messages);
                Ok(())
            }
            Kind::Routes(routes) if !self.has_changes => {
                routes.routes.into_iter().try_for_each(|route| self.route(&route))
            }
            Kind::Changes(changes) => self.changes(&changes),
            _ => Err(Defect::Misplaced("a piece of a table")),
        }
    }

    fn member(
        &mut self,
        member: form::Member,
        shard_of: &impl Fn(PeerId) -> Option<ShardId>,
    ) -> Result<(), Defect> {
        let form::Member { peer, is_server, has_left, subscribed, cursor, dump_to, .. } = member;
        let selection = Selection::new(Echo::from_number(member.echo), member.one_next_hop);
        let number = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        if number >= MOST {
            return Err(Defect::Value("the number of members"));
        }
        let peer = PeerId(peer);
        let shard = shard_of(peer).filter(|_| !has_left);
        let (shard_or_first, rights) = (shard.unwrap_or(ShardId(0)), Rights::UNKNOWN);
        let origin = Origin { peer, shard: shard_or_first, is_server, rights, selection };
        self.vnet.members.append(origin);
        self.vnet.members[number].subscribed = Moment(subscribed);
        if !has_left && !self.vnet.members.appear(number) {
            return Err(Defect::Value("Member.peer"));
        }
        let is_connected = shard.is_some();
        self.members.push(Read { has_left, is_connected, cursor, dump_to, rest: Vec::new() });
        Ok(())
    }

    /// Takes a refused route; it is judged again when the class of its announcer is known.
    fn filtered(&mut self, filtered: form::FilteredRoute) -> Result<(), Defect> {
        let form::FilteredRoute { member, route } = filtered;
        let route = identity(&required(route, "FilteredRoute.route")?)?;
        let read = self.members.get(member as usize);
        let has_left = read.ok_or(Defect::Value("FilteredRoute.member"))?.has_left;
        if has_left || !self.vnet.take_filtered(member, route) {
            return Err(Defect::Value("FilteredRoute"));
        }
        Ok(())
    }

    /// Takes a member whose routes are stale, or more of the routes that it has announced since.
    fn held(&mut self, held: form::HeldMember) -> Result<(), Defect> {
        let form::HeldMember { member, source, name, until, is_back, fresh } = held;
        let read = self.members.get(member as usize);
        if read.ok_or(Defect::Value("HeldMember.member"))?.has_left {
            return Err(Defect::Value("HeldMember"));
        }
        let hold = Hold { kin: Kin::from_numbers([source, name]), until: Moment(until) };
        let first = || Held { hold, fresh: is_back.then(Vec::new) };
        let known = self.held.entry(member).or_insert_with(first);
        match &mut known.fresh {
            Some(known) => known.extend(fresh),
            None if fresh.is_empty() => {}
            None => return Err(Defect::Value("HeldMember.fresh")),
        }
        Ok(())
    }

    /// Gives a member its stale routes.
    fn restore_held(&mut self, member: u32, held: Held) -> Result<(), Defect> {
        let Held { hold, fresh } = held;
        let first = self.first_place.unwrap_or(0);
        let hasher = self.vnet.members.hasher();
        let places = fresh.map(|fresh| {
            let mut places = Places::with_hasher(hasher);
            places.extend(fresh.into_iter().filter_map(|route| first.checked_add(route)));
            places
        });
        let is_right = self.vnet.restore_held(member, hold, places);
        is_right.then_some(()).ok_or(Defect::Value("HeldMember"))
    }

    fn route(&mut self, route: &form::Route) -> Result<(), Defect> {
        let place = self.next_place()?;
        let (destination, hop) = identity(route)?;
        let rib = &mut self.vnet.routes;
        let hash = rib.hash_of(&destination);
        let stamp = Journal::stamp(route.changed.min(self.base.wrapping_sub(1)));
        if rib.find_or_insert(hash, &destination, &hop, stamp) != Some(place) {
            return Err(Defect::Value("Route: its identity"));
        }
        if route.is_first {
            if !destination.is_default() {
                return Err(Defect::Value("Route.is_first"));
            }
            self.firsts.push(place);
        }
        let announcers = route.announcers.iter().copied();
        if announcers.clone().any(|member| member >= self.vnet.members.end())
            || !self.vnet.restore_announcers(place, announcers)
        {
            return Err(Defect::Value("Route.announcers"));
        }
        if route.is_preferred && self.vnet.routes.route(place).is_announced() {
            self.preferred.push(place);
        }
        self.routes += 1;
        Ok(())
    }

    /// The place of the next route. A dump that has begun but has sent none of these routes must not look like
    /// one that has not begun: for such a dump the first place stays free.
    fn next_place(&mut self) -> Result<u32, Defect> {
        let first = *self.first_place.get_or_insert_with(|| {
            let has_none = |cursor: &form::Cursor| cursor.dump == Some(Dump::Dumped(0));
            let skips = self.members.iter().any(|it| it.cursor.as_ref().is_some_and(has_none));
            if skips { self.vnet.routes.take_place() + 1 } else { 0 }
        });
        let place = u32::try_from(self.routes).ok().filter(|routes| *routes < MOST);
        place.map(|place| first + place).ok_or(Defect::Value("the number of routes"))
    }

    fn changes(&mut self, changes: &form::Changes) -> Result<(), Defect> {
        self.has_changes = true;
        let form::Changes { routes, before, preferred } = changes;
        let preferred: BTreeSet<u32> = preferred.iter().copied().collect();
        if routes.len() != before.len() {
            return Err(Defect::Value("Changes: the numbers of entries"));
        }
        for (number, (&route, &before)) in (0..).zip(routes.iter().zip(before)) {
            if u64::from(route) >= self.routes {
                return Err(Defect::Value("Changes.routes"));
            }
            let before = View::from_bits(before);
            let before = before.preferred(before.is_announced() && preferred.contains(&number));
            if before.sole_member().is_some_and(|it| it as usize >= self.members.len()) {
                return Err(Defect::Value("Changes.before"));
            }
            let place = self.first_place.unwrap_or(0) + route;
            let prev = self.vnet.last_change(place);
            let position = self.vnet.journal.push(place, before, prev);
            self.vnet.routes.set_changed(place, Journal::stamp(position));
        }
        Ok(())
    }

    /// The table, once its last piece has been taken. Peers without a connection leave it.
    ///
    /// # Errors
    /// [`Defect::Value`].
    pub(crate) fn finish(self) -> Result<Table, Defect> {
        let basis = Arc::clone(&self.basis);
        Ok(Table::of(self.into_vnet()?, basis))
    }

    /// The same table, open.
    ///
    /// # Errors
    /// [`Defect::Value`].
    pub(in crate::table) fn into_vnet(mut self) -> Result<Vnet, Defect> {
        if let Some(place) = self.first_place.filter(|place| *place > 0) {
            self.vnet.routes.give_place_back(place - 1);
        }
        self.vnet.routes.set_firsts(std::mem::take(&mut self.firsts));
        self.vnet.routes.limit_next_hops(self.basis.bounds.next_hops);
        self.vnet.begin_batch();
        for (number, read) in (0..).zip(std::mem::take(&mut self.members)) {
            self.join(number, read)?;
        }
        // Only now: without all members, no subscriber seems to want one next hop.
        for place in std::mem::take(&mut self.preferred) {
            if self.vnet.members.has_choosers() {
                self.vnet.prefer(place);
            }
        }
        Ok(self.vnet)
    }

    /// Gives a member its subscription.
    fn join(&mut self, number: u32, read: Read) -> Result<(), Defect> {
        let Read { has_left, is_connected, cursor, dump_to, rest } = read;
        if has_left {
            self.vnet.members.has_left(number, self.vnet.journal.head());
            return Ok(());
        }
        let head = self.vnet.journal.head();
        if let Some(cursor) = cursor {
            let first = self.first_place.unwrap_or(0);
            let end = self.vnet.routes.end();
            let cursor = self.cursor(&cursor, rest, first, end)?;
            self.vnet.members.set_behind(number, cursor);
            self.vnet.members[number].dump_to = dump_to.map(|position| position.min(head));
        }
        let held = self.held.remove(&number).filter(|held| is_connected || held.fresh.is_none());
        let is_kept = held.is_some() && !is_connected;
        if let Some(held) = held {
            self.restore_held(number, held)?;
        }
        if is_connected || is_kept {
            self.vnet.members.note_idle(number);
        } else {
            let peer = self.vnet.members[number].origin.peer;
            self.vnet.leave(peer);
        }
        Ok(())
    }

    fn cursor(
        &mut self,
        cursor: &form::Cursor,
        rest: Vec<Bytes>,
        first: u32,
        end: u32,
    ) -> Result<Cursor, Defect> {
        let form::Cursor { synced, walked, horizons, dump, is_fresh } = cursor;
        let dumped = match dump {
            None | Some(Dump::Whole(false)) => return Ok(Cursor::join()),
            Some(Dump::Whole(true)) => NONE,
            Some(Dump::Dumped(routes)) => {
                let place = u32::try_from(*routes).ok().and_then(|it| it.checked_add(first));
                let place = place.filter(|place| *place <= end);
                place.ok_or(Defect::Value("Cursor.dumped"))?
            }
        };
        let head = self.vnet.journal.head();
        let mut last = *synced;
        let horizons = horizons.iter().map(|it| {
            let is_right = it.end >= last && it.end <= it.head && it.head <= head;
            last = it.end;
            is_right.then_some((it.end, it.head)).ok_or(Defect::Value("Cursor.horizons"))
        });
        let horizons = horizons.collect::<Result<SmallVec<_>, _>>()?;
        if !(self.base <= *synced && synced <= walked && *walked <= head && last <= *walked) {
            return Err(Defect::Value("Cursor"));
        }
        if *is_fresh && dumped == NONE && synced == walked && rest.is_empty() {
            return Ok(Cursor::at(*synced));
        }
        Ok(self.vnet.cursor_of((*synced, *walked), horizons, dumped, rest))
    }
}

/// Destination and next hop of a route.
fn identity(route: &form::Route) -> Result<(Destination, NextHop), Defect> {
    let form::Route { prefix, prefix_length, next_hop, target_vni, .. } = route;
    let version = u32::from(prefix.len() == 16);
    let destination = Destination::from_wire(version, prefix, *prefix_length)
        .map_err(|_| Defect::Value("Route.prefix"))?;
    let form::Route { r#type, nat_from, nat_to, .. } = route;
    let hop = NextHop::from_wire(next_hop, *target_vni, *r#type, *nat_from, *nat_to)
        .map_err(|_| Defect::Value("Route.next_hop"))?;
    Ok((destination, hop))
}
