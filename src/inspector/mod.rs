//! [`Inspector`]: questions and commands to a running reflector.
//!
//! Runs on the caller's thread. It asks shards for one bounded slice at a time, and combines
//! the answers.
//!
//! Imports: config, control, counts, diary, federation, http_guard, ids, io, monitor, policy, shard, threads, wire.

pub(crate) mod blocks;
mod counters;
pub(crate) mod drain;
mod endpoints;
mod federation;
mod filtered;
mod limits;
mod log;
mod names;
mod pages;
mod verify;
pub(crate) mod walk;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::monitor::Monitor;
use crate::shard::inspect::MonitorFilter;
use crate::threads::{Control, ControlBasis, InspectError, ShardThread};

pub(crate) use self::endpoints::{Doors, Endpoints};
use self::pages::walk;

use crate::CloseReason;
use crate::ids::{PeerId, ShardId};
use crate::io::Backend;
use crate::monitor::MonitorSender;
use crate::shard::inspect::{
    Cursor, DestinationInfo, ExplainQuery, Explanation, Lookup, Page, PeerDetail, PeerInfo,
    PeerVni, ROWS_MAX, RouteFilter, RouteInfo, SubscriptionInfo, VniInfo, explain,
};
use crate::wire::{Destination, NextHop, Vni};

/// The most rows of one page, even if the caller asks for more.
pub const PAGE_MAX: usize = 10_000;

/// The most sessions that one text may name.
const NAMED_MAX: usize = 1000;
/// The most slices in one page of filtered routes: four million places.
const SLICES_MAX: usize = 1024;
/// The most parcels that wait for one monitor: an event, or up to 2048 updates of one batch.
const MONITOR_PARCELS: usize = 256;

/// Inspects a running reflector and gives it commands. Cheap to clone, usable from any thread
/// and any async runtime.
///
/// Questions do not disturb routing: between two turns of its event loop a shard answers one bounded slice
/// (a few hundred rows, about 100 us), and it keeps nothing for the caller. The caller's side combines slices to pages.
/// An answer that needs several slices or shards is not a snapshot of one moment. Listings are in the order of
/// *places*: the index of a row in memory, which stays the same while the row exists. So a row that exists throughout a
/// listing is listed exactly once, unless it moves to another shard meanwhile. *Cost* counts questions to shards.
///
/// All asynchronous methods fail with [`InspectError::Stopped`] once the reflector has stopped. You may drop their
/// futures at any time.
#[derive(Clone, Debug)]
pub struct Inspector {
    pub(crate) control: Arc<Control>,
}

impl Inspector {
    pub(crate) fn new(basis: ControlBasis) -> Self {
        Self { control: Arc::new(Control::new(basis)) }
    }

    /// The number of shards.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.control.shards()
    }

    /// A page of sessions in the order of their places, from `from` on: at most `limit` rows, and at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn peers(&self, from: Cursor, limit: usize) -> Result<Page<PeerInfo>, InspectError> {
        let question = |core: &dyn ShardThread, from: Cursor, rows| {
            let remotes = |slot| core.remote(slot);
            core.shard().borrow().inspect().peers(core.now(), from.place, rows, &remotes)
        };
        let mut page = self.gather(from, limit, question).await?;
        self.name_peers(&mut page.rows);
        Ok(page)
    }

    /// One session with its part in every VNI; `None` if there is no session with this id.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn peer(&self, id: PeerId) -> Result<Option<PeerDetail>, InspectError> {
        let Some(info) = self.peer_info(id).await? else { return Ok(None) };
        let mut vnis: Vec<PeerVni> = Vec::new();
        let mut from = Some(Vni(0));
        while let Some(first) = from {
            let (mut parts, next) = self.parts_of(&info, first).await?;
            vnis.append(&mut parts);
            from = next;
        }
        Ok(Some(PeerDetail { info, vnis }))
    }

    /// One session; `None` if there is no session with this id. Cost: at most one question per shard.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn peer_info(&self, id: PeerId) -> Result<Option<PeerInfo>, InspectError> {
        let question = move |core: &dyn ShardThread| {
            let remotes = |slot| core.remote(slot);
            core.shard().borrow().inspect().peer(core.now(), id, &remotes)
        };
        let mut found = self.control.find(question).await?;
        self.name_peers(found.as_mut_slice());
        Ok(found)
    }

    /// A session's part in the next 512 VNIs, in ascending order beginning with `from`, and the VNI where the next call
    /// continues. Cost: a question to its shard and one to each owner of such VNIs.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn parts_of(
        &self,
        peer: &PeerInfo,
        from: Vni,
    ) -> Result<(Vec<PeerVni>, Option<Vni>), InspectError> {
        let id = peer.id;
        let question = move |core: &dyn ShardThread| {
            core.shard().borrow().inspect().vnis_of(id, from, ROWS_MAX)
        };
        let slice = self.control.ask(peer.shard.0, question).await?;
        let next = match slice.last() {
            Some(last) if slice.len() == ROWS_MAX => last.0.checked_add(1).map(Vni),
            _ => None,
        };
        let mut parts = Vec::new();
        for owner in 0..self.control.shards() {
            let is_owned = |vni: &Vni| self.owner(*vni) == owner;
            let owned: Vec<Vni> = slice.iter().copied().filter(is_owned).collect();
            if owned.is_empty() {
                continue;
            }
            let question =
                move |core: &dyn ShardThread| core.shard().borrow().inspect().parts(id, &owned);
            parts.append(&mut self.control.ask(owner, question).await?);
        }
        parts.sort_unstable_by_key(|part| part.vni);
        Ok((parts, next))
    }

    /// The sessions that a text names, at most 1,000: by id (`7` or `#7`), by the node that they claim or the name that
    /// they have proven, by node and id (`host-1#7`), by remote address, or by remote address and port. Cost: one
    /// question per shard for an id; otherwise a walk over all sessions.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn find_peer(&self, text: &str) -> Result<Vec<PeerInfo>, InspectError> {
        let text = text.trim();
        if let Ok(id) = text.strip_prefix('#').unwrap_or(text).parse() {
            return Ok(self.peer_info(PeerId(id)).await?.into_iter().collect());
        }
        if let Some((node, id)) = text.rsplit_once('#')
            && let Ok(id) = id.parse()
            && let Some(peer) = self.peer_info(PeerId(id)).await?
            && *peer.node == *node
        {
            return Ok(vec![peer]);
        }
        let whole: Option<SocketAddr> = text.parse().ok();
        // The address may have brackets, as it has in front of a port.
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let address: Option<IpAddr> = bare.unwrap_or(text).parse().ok();
        let is_meant = |peer: &PeerInfo| {
            let is_remote = peer.remote.is_some_and(|remote| {
                let ip = remote.ip().to_canonical();
                let wanted = whole.map(|whole| whole.ip()).or(address).map(|ip| ip.to_canonical());
                wanted == Some(ip) && whole.is_none_or(|whole| whole.port() == remote.port())
            });
            let proven = peer.tls.as_ref().and_then(|tls| tls.identity.name());
            is_remote || (!text.is_empty() && (*peer.node == *text || proven == Some(text)))
        };
        let mut found = Vec::new();
        let offer = |peer| {
            if found.len() < NAMED_MAX && is_meant(&peer) {
                found.push(peer);
            }
        };
        walk(|from| self.peers(from, ROWS_MAX), offer).await?;
        Ok(found)
    }

    /// A page of VNIs in the order of their places, from `from` on: at most `limit` rows, and at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn vnis(&self, from: Cursor, limit: usize) -> Result<Page<VniInfo>, InspectError> {
        self.gather(from, limit, |core, from, rows| {
            core.shard().borrow().inspect().vnis(from.place, rows)
        })
        .await
    }

    /// One VNI; `None` if no peer takes part in it.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn vni(&self, vni: Vni) -> Result<Option<VniInfo>, InspectError> {
        self.ask_owner(vni, move |core| core.shard().borrow().inspect().vni(vni)).await
    }

    /// A page of a VNI's routes in the order of their places, from `from` on: at most `limit` rows, and at most
    /// [`PAGE_MAX`]. Continue until `next` is `None`: a page may have fewer rows than `limit`, or none, because one
    /// call looks at a bounded part of the table, however few routes pass the filter.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn routes(
        &self,
        vni: Vni,
        filter: RouteFilter,
        from: Cursor,
        limit: usize,
    ) -> Result<Page<RouteInfo>, InspectError> {
        let slice = move |core: &dyn ShardThread, from: Cursor, rows| {
            core.shard().borrow().inspect().routes(core.now(), vni, &filter, from.place, rows)
        };
        let mut page = self.gather_of_owner(vni, from, limit, slice).await?;
        self.name_announcers(&mut page.rows);
        Ok(page)
    }

    /// Destinations of a VNI with all their next hops, in the order of their places, from `from` on: one slice of
    /// about 512 next hops. Cost: one question.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn destinations(
        &self,
        vni: Vni,
        from: Cursor,
    ) -> Result<Page<DestinationInfo>, InspectError> {
        let question = move |core: &dyn ShardThread| {
            core.shard().borrow().inspect().destinations(vni, from.place, ROWS_MAX)
        };
        self.ask_owner(vni, question).await
    }

    /// The routes of the longest prefix that contains an address, or of one prefix; at most 256. Cost: one
    /// question, which looks up each prefix length.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn lookup(&self, vni: Vni, what: Lookup) -> Result<Vec<RouteInfo>, InspectError> {
        let question = move |core: &dyn ShardThread| {
            core.shard().borrow().inspect().lookup(core.now(), vni, what)
        };
        let mut routes = self.ask_owner(vni, question).await?;
        self.name_announcers(&mut routes);
        Ok(routes)
    }

    /// Explains why a peer has the routes of a destination or lacks them; with a next hop, explains that route
    /// alone. Cost: two questions.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn explain(
        &self,
        peer: PeerId,
        vni: Vni,
        destination: Destination,
        next_hop: Option<NextHop>,
    ) -> Result<Explanation, InspectError> {
        let query = ExplainQuery { peer, vni, destination, next_hop };
        let connection = self
            .control
            .find(move |core| {
                let remotes = |slot| core.remote(slot);
                core.shard().borrow().inspect().connection(core.now(), &query, &remotes)
            })
            .await?;
        let question = move |core: &dyn ShardThread| {
            core.shard().borrow().inspect().delivery_facts(
                peer,
                vni,
                &destination,
                next_hop.as_ref(),
            )
        };
        let facts = self.ask_owner(vni, question).await?;
        let policy = self.in_force().config.settings.policy;
        let mut explanation = explain(&query, connection.as_ref(), &facts, &policy);
        self.name_sites_in(&mut explanation);
        Ok(explanation)
    }

    /// A page of subscriptions, of one VNI or of all, in the order of their places: at most `limit` rows, and at most
    /// [`PAGE_MAX`]. [`Inspector::peer`] has the subscriptions of one peer, and [`Inspector::peers_of`] the peers of
    /// subscriptions.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn subscriptions(
        &self,
        vni: Option<Vni>,
        from: Cursor,
        limit: usize,
    ) -> Result<Page<SubscriptionInfo>, InspectError> {
        let Some(vni) = vni else {
            let all = |core: &dyn ShardThread, from, rows| {
                core.shard().borrow().inspect().subscriptions(None, from, rows)
            };
            return self.gather(from, limit, all).await;
        };
        let limit = limit.clamp(1, PAGE_MAX);
        let mut page = Page { rows: Vec::new(), next: Some(from) };
        while let Some(from) = page.next
            && page.rows.len() < limit
        {
            let rows = limit - page.rows.len();
            let question = move |core: &dyn ShardThread| {
                core.shard().borrow().inspect().subscriptions(Some(vni), from, rows)
            };
            let slice = self.ask_owner(vni, question).await?;
            page.rows.extend(slice.rows);
            page.next = slice.next;
        }
        Ok(page)
    }

    /// The sessions of some subscriptions, by id, without those that have ended meanwhile. Cost: one question for every
    /// 512 sessions of one shard.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn peers_of(
        &self,
        subscriptions: &[SubscriptionInfo],
    ) -> Result<HashMap<PeerId, PeerInfo>, InspectError> {
        let mut by_shard: BTreeMap<ShardId, BTreeSet<PeerId>> = BTreeMap::new();
        for subscription in subscriptions {
            by_shard.entry(subscription.shard).or_default().insert(subscription.peer);
        }
        let mut found = HashMap::new();
        for (shard, ids) in by_shard {
            let ids: Vec<PeerId> = ids.into_iter().collect();
            for some in ids.chunks(ROWS_MAX).map(<[_]>::to_vec) {
                let question = move |core: &dyn ShardThread| {
                    let remotes = |slot| core.remote(slot);
                    core.shard().borrow().inspect().sessions(core.now(), &some, &remotes)
                };
                let mut peers = self.control.ask(shard.0, question).await?;
                self.name_peers(&mut peers);
                found.extend(peers.into_iter().map(|peer| (peer.id, peer)));
            }
        }
        Ok(found)
    }

    /// Ends a session ([`CloseReason::Reset`]); the peer may come back
    /// at once. Returns `false` if there is no session with this id.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn close_peer(&self, id: PeerId) -> Result<bool, InspectError> {
        self.control.close(id, CloseReason::Reset).await
    }

    /// Drains the reflector: it accepts no new sessions and ends `per_second` of the existing sessions per second
    /// ([`CloseReason::Draining`]), until [`Inspector::undrain`]. A second call changes the rate. Returns at once.
    pub fn drain(&self, per_second: NonZeroU32) {
        let text = format_args!("{per_second} sessions a second");
        self.control.diary.note("drain", (None, ""), text);
        self.control.drain.send_replace(Some(per_second));
    }

    /// Ends a drain: the reflector accepts sessions again.
    pub fn undrain(&self) {
        self.control.diary.note("undrain", (None, ""), "");
        self.control.drain.send_replace(None);
    }

    /// Whether the reflector is draining.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.control.is_draining()
    }

    /// Whether the reflector accepts new sessions: it listens, and is neither draining nor stopping.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.control.is_listening() && !self.is_draining()
    }

    /// The I/O back end of the shards.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.control.backend
    }

    /// The shards whose event loops have made no turn for 2 s. Cheap: reads one number per shard and asks no shard.
    #[must_use]
    pub fn stuck(&self) -> Vec<ShardId> {
        self.control.stuck()
    }

    /// Starts a monitor of changes and sessions. Drop the [`Monitor`] to end it.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn monitor(&self, filter: MonitorFilter) -> Result<Monitor, InspectError> {
        let (channel, parcels) = mpsc::channel(MONITOR_PARCELS);
        for shard in 0..self.control.shards() {
            let sender = MonitorSender::new(filter, channel.clone());
            self.control.ask(shard, move |core| core.add_monitor(sender)).await?;
        }
        Ok(Monitor::new(parcels))
    }

    fn owner(&self, vni: Vni) -> u16 {
        self.control.owner(vni).0
    }

    async fn ask_owner<T: Send + 'static>(
        &self,
        vni: Vni,
        question: impl FnOnce(&dyn ShardThread) -> T + Send + 'static,
    ) -> Result<T, InspectError> {
        self.control.ask(self.owner(vni), question).await
    }

    /// A page put together from slices of the owner of a VNI.
    async fn gather_of_owner<T: Send + 'static>(
        &self,
        vni: Vni,
        from: Cursor,
        limit: usize,
        slice: impl Fn(&dyn ShardThread, Cursor, usize) -> Page<T> + Copy + Send + 'static,
    ) -> Result<Page<T>, InspectError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut page = Page { rows: Vec::new(), next: Some(from) };
        let mut slices = 0;
        while let Some(from) = page.next
            && page.rows.len() < limit
            && slices < SLICES_MAX
        {
            slices += 1;
            let rows = limit - page.rows.len();
            let next = self.ask_owner(vni, move |core| slice(core, from, rows)).await?;
            page.rows.extend(next.rows);
            page.next = next.next;
        }
        Ok(page)
    }

    /// A page put together from slices of one shard after the other.
    async fn gather<T: Send + 'static>(
        &self,
        from: Cursor,
        limit: usize,
        question: impl Fn(&dyn ShardThread, Cursor, usize) -> Page<T> + Copy + Send + 'static,
    ) -> Result<Page<T>, InspectError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let shards = self.control.shards();
        let mut page = Page { rows: Vec::new(), next: Some(from) };
        while let Some(from) = page.next.filter(|next| next.shard < shards)
            && page.rows.len() < limit
        {
            let rows = limit - page.rows.len();
            let slice =
                self.control.ask(from.shard, move |core| question(core, from, rows)).await?;
            page.rows.extend(slice.rows);
            let next_shard = Cursor { shard: from.shard + 1, ..Cursor::default() };
            page.next = Some(slice.next.unwrap_or(next_shard));
        }
        page.next = page.next.filter(|next| next.shard < shards);
        Ok(page)
    }
}
