//! How a subscriber that lacks something gets it: dumps and catch-up, from current state.
//!
//! A [`Cursor`] says exactly what a subscriber knows, in a few words of memory however much it
//! lacks. It knows the view as of journal position `synced`, except that destinations with a
//! change in `synced..walked` are known as of the head at the time that part was walked (the
//! `horizons`), and that of a dump in progress only routes in places below `dumped` count.
//!
//! [`Vnet::chunk`] moves a cursor on: it walks the journal from `walked`, and for each destination
//! it meets sends the difference between what the subscriber knows and *now*, withdrawals first,
//! so that everything pending for a destination coalesces whatever the backlog. When the walk has
//! reached the head, the dump goes on with further routes as they are now; default routes first
//! of all. A subscriber whose walk and dump are complete is in sync.
//!
//! A chunk ends where it is full, in the middle of a destination too: the rest of that destination is encoded
//! as it is now, and waits with the cursor.
//!
//! A chunk is a pure function of the cursor, so subscribers in the same state share it ([`Cache`](super::chunk::Cache)):
//! those that join together are all in the same state, and stay so as long as they keep pace.

use std::sync::Arc;

use ahash::AHashMap;
use bytes::Bytes;
use smallvec::SmallVec;

use super::batch::{Announcer, Audience, Batch, BatchBuilder, FRAME, Sink};
use super::chunk::{Cached, Chunk};
use super::cursor::{Cursor, CursorKey, Rest};
use super::member::Subscription;
use super::slab::NONE;
use super::view::View;
use super::vnet::Vnet;
use crate::ids::{Moment, PeerId, ShardId};
use crate::policy::Echo;
use crate::wire::Vni;

impl Vnet {
    /// A cursor that no other subscriber shares. `rest` holds messages for its subscriber alone, of
    /// one chunk each.
    pub(super) fn cursor_of(
        &mut self,
        (synced, walked): (u64, u64),
        horizons: SmallVec<[(u64, u64); 2]>,
        dumped: u32,
        rest: Vec<Bytes>,
    ) -> Cursor {
        self.cache.serial += 1;
        let key = CursorKey::After(self.cache.serial);
        let rest = rest.into_iter().rev().fold(None, |next, messages| {
            let batch = Arc::new(Batch::of_messages(self.vni, messages));
            Some(Arc::new(Rest { batch, next }))
        });
        Cursor { key, synced, walked, horizons, dumped, rest }
    }

    /// The next chunk of about `limit` bytes for a subscriber that is behind; `None` for another subscriber.
    pub(crate) fn chunk(
        &mut self,
        peer: PeerId,
        limit: usize,
        now: Moment,
    ) -> Option<(ShardId, Chunk)> {
        let member = self.members.find(peer)?;
        self.seal();
        self.cache.expire(now);
        let entry = &mut self.members[member];
        let shard = entry.origin.shard;
        let audience = entry.origin.audience();
        // A remembered chunk may be older than a subscription. A route that the member announced in between belongs to
        // the dump of its SUBSCRIBE, but would come as a later change, which such a member is not sent.
        let needs_new = entry.origin.selection.echo == Echo::Dump && entry.routes > 0;
        let Subscription::Behind(cursor) = &mut entry.subscription else { return None };
        let is_old = needs_new && cursor.dumped == 0;
        let cached = if is_old { None } else { self.cache.find(cursor.key, audience) };
        let (mut chunk, next) = if let Some(found) = cached {
            found
        } else {
            let mut next = (**cursor).clone();
            let (chunk, chosen) = self.advance(&mut next, audience, limit);
            chosen.into_iter().for_each(|route| self.remember_chosen(route));
            self.cache.serial += 1;
            let key = std::mem::replace(&mut next.key, CursorKey::After(self.cache.serial));
            let cached =
                Cached { key, audience, chunk: chunk.clone(), next: next.clone(), built: now };
            if cached.chunk.batch.is_some() {
                self.cache.remember(cached, self.bounds.cached_chunks);
            }
            (chunk, next)
        };
        // A remembered chunk may end before changes that came after it was made, or even before
        // this member subscribed.
        let entry = &mut self.members[member];
        chunk.end_of_table = next.is_dumped()
            && entry.dump_to.take_if(|position| *position <= next.synced).is_some();
        chunk.in_sync = next.is_dumped() && next.synced == self.journal.head();
        if chunk.in_sync {
            self.members.set_in_sync(member);
        } else if let Subscription::Behind(cursor) = &mut self.members[member].subscription {
            **cursor = next;
        }
        Some((shard, chunk))
    }

    /// Moves a cursor on and encodes the difference. The open batch is sealed, so subscribers in sync know the changes
    /// up to the journal's head.
    ///
    /// Also returns routes that it has found to be the chosen ones of destinations with many routes.
    fn advance(&self, cursor: &mut Cursor, audience: Audience, limit: usize) -> (Chunk, Vec<u32>) {
        if let Some(rest) = cursor.rest.take() {
            cursor.rest.clone_from(&rest.next);
            let batch = Some(Arc::clone(&rest.batch));
            return (Chunk { batch, end_of_table: false, in_sync: false }, Vec::new());
        }
        let head = self.journal.head();
        if cursor.dumped == 0 {
            (cursor.synced, cursor.walked) = (head, head);
        }
        let places = if cursor.dumped == NONE { 0 } else { self.routes.end() - cursor.dumped };
        let most = u64::from(places) + (head - cursor.walked);
        let room =
            usize::try_from(most).unwrap_or(limit).saturating_mul(FRAME).min(limit) + 2 * FRAME;
        let builder = BatchBuilder::new(self.vni, audience, room);
        let mut parts = Parts { full: Vec::new(), builder, vni: self.vni, audience, limit };
        self.walk(cursor, &mut parts);
        let mut chosen = Vec::new();
        if cursor.walked == head {
            cursor.synced = head;
            cursor.horizons.clear();
            if cursor.dumped != NONE && parts.has_room() {
                chosen = self.dump(cursor, &mut parts.builder, limit);
            }
        }
        let Parts { mut full, builder, .. } = parts;
        full.extend(builder.finish(0, None).map(Arc::new));
        let mut full = full.into_iter();
        let batch = full.next();
        let link = |next, batch| Some(Arc::new(Rest { batch, next }));
        cursor.rest = full.rev().fold(None, link);
        (Chunk { batch, end_of_table: false, in_sync: false }, chosen)
    }

    /// Sends changes, destination by destination, up to the head or the limit.
    fn walk(&self, cursor: &mut Cursor, parts: &mut Parts) {
        let (first, head) = (cursor.walked, self.journal.head());
        let is_choosing = parts.audience == Audience::Choosers;
        let mut looked = 0;
        let mut group: Vec<(u32, View)> = Vec::new();
        while looked < self.bounds.chunk_entries && parts.has_room() {
            let Some(at) = self.journal.next_held(cursor.walked) else {
                cursor.walked = head;
                break;
            };
            cursor.walked = at + 1;
            looked += 1;
            let prev = self.journal.prev(at);
            if prev.is_some_and(|prev| prev >= first) {
                continue; // an earlier change in this chunk includes it
            }
            let known = cursor.horizon(prev);
            let mut next = Some(at);
            group.clear();
            while let Some(at) = next {
                if at >= known {
                    let entry = self.journal.at(at);
                    // A subscriber with one next hop may get another one by a change of a route not yet dumped.
                    if is_choosing || is_dumped(self, cursor.dumped, entry.route) {
                        group.push((entry.route, entry.before));
                    }
                }
                next = self.journal.next(at);
            }
            keep_first_of_each(&mut group);
            if is_choosing {
                looked += self.routes.siblings(self.journal.at(at).route) as u64;
                self.emit_choice(parts, &group, cursor.dumped);
            } else {
                self.emit_parts(parts, &group);
            }
        }
        if cursor.walked < head {
            cursor.horizons.push((cursor.walked, head));
        }
    }

    /// Encodes changes of one destination, withdrawals first, into as many parts as it takes.
    fn emit_parts(&self, parts: &mut Parts, group: &[(u32, View)]) {
        for &(route, before) in group {
            parts.with_room().withdraw(&self.change(route, before), |m| self.announcer(m));
        }
        for &(route, before) in group {
            parts.with_room().announce(&self.change(route, before), |m| self.announcer(m));
        }
    }

    /// Sends further routes in their present state. Returns the chosen routes of destinations with many routes.
    fn dump(&self, cursor: &mut Cursor, builder: &mut BatchBuilder, limit: usize) -> Vec<u32> {
        let is_choosing = builder.audience() == Audience::Choosers;
        let mut chosen = AHashMap::with_hasher(self.members.hasher());
        let mut looks = 0;
        let mut send = |builder: &mut BatchBuilder, route: u32| {
            if is_choosing {
                self.dump_choice(builder, route, &mut chosen)
            } else {
                self.dump_route(builder, route);
                0
            }
        };
        if cursor.dumped == 0 {
            for &route in self.routes.firsts() {
                looks += send(builder, route);
            }
        }
        let end = self.routes.end();
        let first = cursor.dumped;
        let last = end.min(first.saturating_add(self.bounds.chunk_places));
        let most_looks = self.bounds.chunk_places as usize;
        // At least one place, so that the default routes are not sent twice.
        while cursor.dumped < last
            && (builder.len() < limit && looks < most_looks || cursor.dumped == first)
        {
            let route = cursor.dumped;
            cursor.dumped += 1;
            // The place may be free, or hold a tombstone.
            if self.routes.announced_at(route).is_some() && !self.routes.is_first(route) {
                looks += send(builder, route);
            }
        }
        if cursor.dumped == end {
            cursor.dumped = NONE;
        }
        let chosen = chosen.into_values().flatten();
        chosen.filter(|route| self.routes.is_of_many(*route)).collect()
    }

    /// Sends a route in its present state.
    pub(super) fn dump_route(&self, builder: &mut BatchBuilder, route: u32) {
        builder.announce(&self.change(route, View::NOBODY), |member| {
            let Announcer { peer, echo } = self.announcer(member);
            Announcer { peer, echo: echo.in_dump() }
        });
    }
}

/// A chunk that is being encoded, and the batches that no longer fit into it.
struct Parts {
    /// The chunk, if it is full, and the batches that follow.
    full: Vec<Arc<Batch>>,
    builder: BatchBuilder,
    vni: Vni,
    audience: Audience,
    limit: usize,
}

impl Parts {
    /// Whether the chunk can take more.
    fn has_room(&self) -> bool {
        self.full.is_empty() && self.builder.len() < self.limit
    }

    /// A builder that can take another message.
    fn with_room(&mut self) -> &mut BatchBuilder {
        if self.builder.len() >= self.limit {
            let next = BatchBuilder::new(self.vni, self.audience, self.limit + 2 * FRAME);
            let full = std::mem::replace(&mut self.builder, next);
            self.full.extend(full.finish(0, None).map(Arc::new));
        }
        &mut self.builder
    }
}

impl Sink for Parts {
    fn builder(&mut self) -> &mut BatchBuilder {
        self.with_room()
    }
}

/// Whether a dump that has come this far has covered a route.
pub(super) fn is_dumped(vnet: &Vnet, dumped: u32, route: u32) -> bool {
    dumped == NONE || route < dumped || (dumped > 0 && vnet.routes.is_first(route))
}

/// Keeps the oldest entry of each route, which holds the view that the subscriber knows.
fn keep_first_of_each(group: &mut Vec<(u32, View)>) {
    match group.len() {
        0 | 1 => {}
        2..=16 => {
            let mut kept = 0;
            for i in 0..group.len() {
                if !group[..kept].iter().any(|(route, _)| *route == group[i].0) {
                    group.swap(kept, i);
                    kept += 1;
                }
            }
            group.truncate(kept);
        }
        _ => {
            group.sort_by_key(|(route, _)| *route); // stable: the oldest stays first
            group.dedup_by_key(|(route, _)| *route);
        }
    }
}
