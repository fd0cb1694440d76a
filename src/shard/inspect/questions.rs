//! The questions. Each is one bounded look at what there is now; none changes anything.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Cursor, Page, PeerInfo, SessionState, SubscriptionInfo};
use crate::ids::{Moment, PeerId, ShardId};
use crate::outbox::Unsent;
use crate::shard::connections::{Connections, Peer, Reported, Slot};
use crate::shard::slab::Handle as _;
use crate::shard::tables::{TableId, Tables};
use crate::table::{
    DeliveryFacts, DestinationInfo, FilteredFacts, Lookup, PeerVni, RouteFilter, RouteInfo, Slice,
    VnetRef, VniInfo, slice,
};
use crate::wire::{Destination, Message, NextHop, Vni};

/// The largest number of rows in one answer.
pub(crate) const ROWS_MAX: usize = 512;
/// The largest number of places that are looked at for one answer.
const PLACES_MAX: u32 = 4096;

/// Gives the remote address of a connection, which the shard does not know.
pub(crate) type Remotes<'a> = &'a dyn Fn(Slot) -> Option<SocketAddr>;

/// The peer and the routes that a question is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ExplainQuery {
    pub(crate) peer: PeerId,
    pub(crate) vni: Vni,
    pub(crate) destination: Destination,
    pub(crate) next_hop: Option<NextHop>,
}

/// The facts that the shard of a peer's connection knows about the peer and one VNI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ConnectionFacts {
    pub(crate) info: PeerInfo,
    pub(crate) is_subscribed: bool,
    /// Why its subscription is refused, if it is.
    pub(crate) refused: Option<String>,
    /// Whether its subscription waits until there is room for the VNI.
    pub(crate) is_unserved: bool,
    /// The unsent batches of that VNI in the peer's queue.
    pub(crate) unsent: Unsent,
    /// Bytes of the write in flight; 0 if there is none.
    pub(crate) in_flight: u64,
    /// The first journal position whose changes of the VNI that write holds; `None` if it holds none.
    pub(crate) in_flight_from: Option<u64>,
    /// Its latest report of the VNI, and the age of the report.
    pub(crate) reported: Option<(Reported, Duration)>,
}

/// Looks into one shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inspection<'a> {
    pub(super) shard: ShardId,
    pub(super) connections: &'a Connections,
    tables: &'a Tables,
}

impl<'a> Inspection<'a> {
    pub(in crate::shard) fn new(
        shard: ShardId,
        connections: &'a Connections,
        tables: &'a Tables,
    ) -> Self {
        Self { shard, connections, tables }
    }

    /// Sessions from a place on.
    pub(crate) fn peers(
        &self,
        now: Moment,
        from: u32,
        rows: usize,
        remotes: Remotes<'_>,
    ) -> Page<PeerInfo> {
        let peers = self.connections.peers();
        self.page(slice(from, peers.end(), rows.min(ROWS_MAX), PLACES_MAX, |place| {
            let slot = Slot::at(place);
            let peer = peers.get(slot)?;
            Some(self.peer_info(now, peer, remotes(slot)))
        }))
    }

    /// One session.
    pub(crate) fn peer(&self, now: Moment, id: PeerId, remotes: Remotes<'_>) -> Option<PeerInfo> {
        let (slot, peer) = self.connections.peer(id)?;
        Some(self.peer_info(now, peer, remotes(slot)))
    }

    /// The sessions of `ids` that exist. Costs a look at each.
    pub(crate) fn sessions(
        &self,
        now: Moment,
        ids: &[PeerId],
        remotes: Remotes<'_>,
    ) -> Vec<PeerInfo> {
        ids.iter().take(ROWS_MAX).filter_map(|id| self.peer(now, *id, remotes)).collect()
    }

    /// VNIs that a peer takes part in, in ascending order from a given VNI on. Costs a look at each of
    /// these VNIs.
    pub(crate) fn vnis_of(&self, id: PeerId, from: Vni, rows: usize) -> Vec<Vni> {
        let Some((_, peer)) = self.connections.peer(id) else { return Vec::new() };
        peer.memberships.vnis_from(from).take(rows.clamp(1, ROWS_MAX)).collect()
    }

    /// A peer's part in some of the VNIs that this shard owns; VNIs in which it has no part are left out.
    pub(crate) fn parts(&self, peer: PeerId, vnis: &[Vni]) -> Vec<PeerVni> {
        let part = |vni: &Vni| self.table(*vni)?.part(peer);
        vnis.iter().take(ROWS_MAX).filter_map(part).collect()
    }

    /// VNIs owned, from a place on.
    pub(crate) fn vnis(&self, from: u32, rows: usize) -> Page<VniInfo> {
        let owned = self.tables.owned();
        self.page(slice(from, owned.end(), rows.min(ROWS_MAX), PLACES_MAX, |place| {
            Some(owned.get(TableId::at(place))?.table.info(self.shard))
        }))
    }

    /// One VNI.
    pub(crate) fn vni(&self, vni: Vni) -> Option<VniInfo> {
        Some(self.tables.find(vni)?.1.info(self.shard))
    }

    /// Routes of a VNI from a place on.
    pub(crate) fn routes(
        &self,
        now: Moment,
        vni: Vni,
        filter: &RouteFilter,
        from: u32,
        rows: usize,
    ) -> Page<RouteInfo> {
        let Some(vnet) = self.table(vni) else { return Page::default() };
        self.page(vnet.list(now, filter, from, rows.min(ROWS_MAX), PLACES_MAX))
    }

    /// Filtered routes of a VNI, from a place on. The cursor's `inner` is 0, or the number of routes of its member that
    /// are left.
    pub(crate) fn filtered(
        &self,
        vni: Vni,
        from: Cursor,
        rows: usize,
    ) -> Page<(Destination, FilteredFacts)> {
        let Some(vnet) = self.table(vni) else { return Page::default() };
        let slice = vnet.list_filtered((from.place, from.inner), rows.min(ROWS_MAX), PLACES_MAX);
        let cursor = |(place, inner)| Cursor { shard: self.shard.0, place, inner };
        Page { rows: slice.rows, next: slice.next.map(cursor) }
    }

    /// Destinations of a VNI with all their next hops, from a place on.
    pub(crate) fn destinations(&self, vni: Vni, from: u32, rows: usize) -> Page<DestinationInfo> {
        let Some(vnet) = self.table(vni) else { return Page::default() };
        self.page(vnet.destinations(from, rows.min(ROWS_MAX), PLACES_MAX))
    }

    /// Routes of one destination.
    pub(crate) fn lookup(&self, now: Moment, vni: Vni, what: Lookup) -> Vec<RouteInfo> {
        self.table(vni).map_or_else(Vec::new, |vnet| vnet.lookup(now, what))
    }

    /// Subscriptions of one VNI, or of all VNIs that this shard owns, from a place on.
    pub(crate) fn subscriptions(
        &self,
        vni: Option<Vni>,
        from: Cursor,
        rows: usize,
    ) -> Page<SubscriptionInfo> {
        let mut page = Page::default();
        let rows = rows.clamp(1, ROWS_MAX);
        let owned = self.tables.owned();
        let (first, end) = match vni.map(|vni| self.tables.find(vni)) {
            None => (from.place, owned.end()),
            Some(Some((id, _))) => (id.place(), id.place() + 1),
            Some(None) => return page,
        };
        let mut looked = 0;
        let mut inner = from.inner;
        for place in first..end {
            if looked >= PLACES_MAX || page.rows.len() >= rows {
                page.next = Some(Cursor { shard: self.shard.0, place, inner });
                break;
            }
            looked += 1;
            if let Some(entry) = owned.get(TableId::at(place)) {
                let most = rows - page.rows.len();
                let slice = entry.table.subscribers(inner, most, PLACES_MAX - looked + 1);
                looked = looked.saturating_add(slice.next.unwrap_or(inner).saturating_sub(inner));
                page.rows.extend(slice.rows.into_iter().map(|(origin, state)| SubscriptionInfo {
                    peer: origin.peer,
                    shard: origin.shard,
                    vni: entry.table.vni(),
                    state,
                }));
                if let Some(next) = slice.next {
                    page.next = Some(Cursor { shard: self.shard.0, place, inner: next });
                    break;
                }
            }
            inner = 0;
        }
        page
    }

    /// The facts that this shard knows about one of its peers and some routes of a VNI.
    pub(crate) fn connection(
        &self,
        now: Moment,
        &ExplainQuery { peer: id, vni, destination, next_hop }: &ExplainQuery,
        remotes: Remotes<'_>,
    ) -> Option<ConnectionFacts> {
        let (slot, peer) = self.connections.peer(id)?;
        let is_meant = |message: &Message| match message {
            Message::Update(update) => {
                update.destination == destination
                    && next_hop.is_none_or(|hop| hop == update.next_hop)
            }
            _ => false,
        };
        let is_writing = peer.sending.writing;
        Some(ConnectionFacts {
            info: self.peer_info(now, peer, remotes(slot)),
            is_subscribed: peer.memberships.subscription(vni).is_some(),
            refused: self.connections.refused_subscription(peer, vni),
            is_unserved: peer.counts.is_unserved(vni),
            unsent: peer.outbox.waiting(vni, is_meant),
            in_flight: if is_writing { peer.counts.in_flight as u64 } else { 0 },
            in_flight_from: if is_writing { peer.outbox.in_flight(vni) } else { None },
            reported: peer.reported(vni).map(|report| (*report, now.since(report.at))),
        })
    }

    /// The facts that the owner of a VNI knows about a peer and a destination.
    pub(crate) fn delivery_facts(
        &self,
        peer: PeerId,
        vni: Vni,
        destination: &Destination,
        next_hop: Option<&NextHop>,
    ) -> DeliveryFacts {
        let vnet = self.table(vni);
        let mut facts = vnet.map_or_else(DeliveryFacts::default, |vnet| {
            vnet.delivery_facts(peer, destination, next_hop)
        });
        facts.refused = self.tables.refusals();
        facts
    }

    /// Some of the sessions that can move to another shard.
    pub(crate) fn movable(&self, most: usize) -> Vec<PeerId> {
        let peers = self.connections.peers().iter();
        let movable = peers.filter(|(_, peer)| peer.session.is_established() && !peer.is_closed);
        movable.take(most).map(|(_, peer)| peer.id).collect()
    }

    /// The place of the session with this name, if there is one.
    pub(crate) fn slot_of(&self, id: PeerId) -> Option<Slot> {
        self.connections.slot_of(id)
    }

    pub(super) fn table(&self, vni: Vni) -> Option<VnetRef<'a>> {
        self.tables.find(vni).map(|(_, table)| table.look())
    }

    fn page<T>(&self, slice: Slice<T>) -> Page<T> {
        let next = slice.next.map(|place| Cursor { shard: self.shard.0, place, inner: 0 });
        Page { rows: slice.rows, next }
    }

    fn peer_info(&self, now: Moment, peer: &Peer, remote: Option<SocketAddr>) -> PeerInfo {
        let about = peer.session.peer();
        let state = match peer.session.is_established() {
            _ if peer.is_closed => SessionState::Closing,
            true => SessionState::Established,
            false => SessionState::Connecting,
        };
        let counts = &peer.counts;
        PeerInfo {
            id: peer.id,
            shard: self.shard,
            remote,
            node: about.node.clone(),
            name: Box::default(),
            tls: peer.session.tls().cloned(),
            agent: about.agent.clone(),
            state,
            class: self.connections.policy().name(peer.standing.rights.class).into(),
            is_server: about.is_server,
            capabilities: about.capabilities,
            is_paced: peer.pacer.is_some(),
            unproven: peer.pacer.as_ref().and_then(|pacer| pacer.unproven()),
            is_paused: peer.is_paused || counts.is_throttled(),
            uptime: now.since(counts.accepted),
            established_for: counts.established.map(|then| now.since(then)),
            keepalive: peer.session.agreed_interval(),
            last_heard: now.since(counts.heard),
            routes: u64::try_from(peer.memberships.routes()).unwrap_or(0),
            subscriptions: peer.memberships.subscriptions(),
            behind: peer.behind_count(),
            backlog: peer.backlog(),
            writing_for: peer.sending.writing.then(|| now.since(peer.sending.began)),
            is_slow: peer.is_slow(now),
            loses_large_packets: peer.sending.path.swallows(),
            updates_received: counts.updates_received,
            skipped: counts.rare.as_ref().map(|rare| rare.skipped.clone()).unwrap_or_default(),
            refused: counts.refused(),
            updates_sent: counts.updates_sent,
            bytes_received: counts.bytes_received,
            bytes_sent: counts.bytes_sent,
        }
    }
}
