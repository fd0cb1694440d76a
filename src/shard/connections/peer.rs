//! One peer as the shard of its connection knows it.

use super::PeerCounts;
use super::moves::Departure;
use super::rare::RareQueue;
use super::vni_map::VniMap;
use crate::ids::{Moment, PeerId, ShardId};
use crate::outbox::Outbox;
use crate::session::{CloseReason, Pacer, Path, Quiet, Session};
use crate::table::{Audience, Origin};
use crate::wire::{Capabilities, Reassembly, Vni};

/// Chunks that may be on their way to one peer. Two keep a dump across shards busy.
pub(crate) const PULLS_MAX: u32 = 2;

/// A peer's part in one VNI.
#[derive(Debug, Default)]
pub(in crate::shard) struct PeerVni {
    /// Place in the VNI's list of local subscribers, and the subscription's number.
    pub(in crate::shard) subscription: Option<(u32, u32)>,
    /// Routes that the peer announces there, as the owner said last.
    routes: u32,
    /// A number that no other entry and no earlier update of this one had.
    version: u32,
    /// Whether it is among [`Peer::unused`].
    is_listed: bool,
}

impl PeerVni {
    /// Whether the peer takes part, as far as its shard knows.
    fn is_used(&self) -> bool {
        self.subscription.is_some() || self.routes > 0
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(in crate::shard) id: PeerId,
    pub(in crate::shard) session: Session,
    pub(in crate::shard) outbox: Outbox,
    /// Bytes of a message that has not arrived whole; empty between messages.
    pub(in crate::shard) input: Reassembly,
    /// Every VNI that the peer subscribed to or announced in.
    pub(in crate::shard) vnis: VniMap<PeerVni>,
    /// Those that it takes part in, as far as is known: what the limit is about.
    used: u32,
    /// Those that it may have left, some of them no longer there.
    unused: RareQueue<Vni>,
    /// Numbers what changes in `vnis`.
    version: u32,
    pub(in crate::shard) subscriptions: u64,
    /// Numbers subscriptions, so that a late chunk of an ended one is recognised.
    pub(in crate::shard) next_subscription: u32,
    /// Subscriptions that are behind and have no pull under way.
    pub(in crate::shard) behind: RareQueue<(Vni, u32)>,
    pub(in crate::shard) pulls: u32,
    /// Routes that it announces, as the owners of the VNIs count them.
    pub(in crate::shard) routes: i64,
    /// Its rhythm, and whether its KEEPALIVEs wake nobody now.
    pub(in crate::shard) quiet: Quiet,
    pub(in crate::shard) is_held: bool,
    /// `None` for a peer that may be sent to at any pace.
    pub(in crate::shard) pacer: Option<Box<Pacer>>,
    /// Whether a write is in flight.
    pub(in crate::shard) writing: bool,
    /// When the peer last took something, or had nothing to take.
    pub(in crate::shard) progress: Moment,
    /// When the write in flight began.
    pub(in crate::shard) began: Moment,
    /// When nothing waited for it last, or a write that had hung went through.
    pub(in crate::shard) idle: Moment,
    /// Whether large packets reach it.
    pub(in crate::shard) path: Path,
    /// Bytes its kernel had acknowledged when last looked at; `None` before the first look.
    pub(in crate::shard) acked: Option<u64>,
    /// Whether it is listed as having something to write.
    pub(in crate::shard) is_ready: bool,
    /// Whether its reading is suspended.
    pub(in crate::shard) is_paused: bool,
    pub(in crate::shard) is_closed: bool,
    /// Its move to another shard, once that has begun.
    pub(in crate::shard) departure: Option<Box<Departure>>,
    pub(in crate::shard) counts: PeerCounts,
}

/// There are many of them, and the allocator has room for 512 or 640 bytes.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Peer>() <= 512);

impl Peer {
    pub(in crate::shard) fn new(id: PeerId, now: Moment) -> Self {
        Self {
            id,
            session: Session::new(now),
            outbox: Outbox::default(),
            input: Reassembly::default(),
            vnis: VniMap::default(),
            used: 0,
            unused: RareQueue::default(),
            version: 0,
            subscriptions: 0,
            next_subscription: 0,
            behind: RareQueue::default(),
            pulls: 0,
            routes: 0,
            quiet: Quiet::default(),
            is_held: false,
            pacer: None,
            writing: false,
            progress: now,
            began: now,
            idle: now,
            path: Path::default(),
            acked: None,
            is_ready: false,
            is_paused: false,
            is_closed: false,
            departure: None,
            counts: PeerCounts::new(now),
        }
    }

    pub(in crate::shard) fn audience(&self) -> Audience {
        if self.session.peer().is_server { Audience::Servers } else { Audience::Clients }
    }

    pub(in crate::shard) fn origin(&self, shard: ShardId) -> Origin {
        Origin { peer: self.id, shard, is_server: self.session.peer().is_server }
    }

    /// When the peer last took something or had nothing to take. The kernel of a peer takes and
    /// acknowledges what the program never reads: of one that is paced, that counts only until its
    /// pacer has proof that the program reads nothing.
    pub(in crate::shard) fn last_taken(&self) -> Moment {
        match self.pacer.as_ref().and_then(|pacer| pacer.stuck_since()) {
            // While a write hangs, the pacer is not asked and learns nothing.
            Some(taken) if self.writing => taken.max(self.progress),
            Some(taken) => taken.max(self.idle),
            None => self.progress,
        }
    }

    /// Whether something waits for the peer to take it.
    pub(in crate::shard) fn is_owed(&self) -> bool {
        !self.is_closed && (self.writing || !self.outbox.is_empty())
    }

    /// An ADD, or a REMOVE, for a VNI goes to its owner; `false` for a REMOVE where there is nothing.
    pub(in crate::shard) fn touch(
        &mut self,
        vni: Vni,
        adds: bool,
        max: u64,
    ) -> Result<bool, CloseReason> {
        if self.vnis.get(vni).is_none() {
            if !adds {
                return Ok(false);
            }
            if u64::from(self.used) >= max {
                return Err(CloseReason::MaxSubscriptions(max));
            }
        }
        self.version = self.version.wrapping_add(1);
        let entry = self.vnis.or_default(vni);
        entry.version = self.version;
        list_unused(&mut self.unused, vni, entry);
        Ok(true)
    }

    /// The peer's new subscription; `false` when it has one.
    pub(in crate::shard) fn subscribe(
        &mut self,
        vni: Vni,
        subscription: (u32, u32),
        max: u64,
    ) -> Result<bool, CloseReason> {
        let is_used = self.vnis.get(vni).is_some_and(PeerVni::is_used);
        if !is_used && u64::from(self.used) >= max {
            return Err(CloseReason::MaxSubscriptions(max));
        }
        let entry = self.vnis.or_default(vni);
        if entry.subscription.is_some() {
            return Ok(false);
        }
        entry.subscription = Some(subscription);
        self.used += u32::from(!is_used);
        self.subscriptions += 1;
        Ok(true)
    }

    /// Ends a subscription and whatever else the peer has there; its place, or `None` without one.
    pub(in crate::shard) fn unsubscribe(&mut self, vni: Vni) -> Option<u32> {
        let (place, _) = self.vnis.get(vni)?.subscription?;
        self.vnis.remove(vni);
        self.used -= 1;
        self.subscriptions -= 1;
        Some(place)
    }

    /// The VNIs in which it takes part: whether it subscribes, and the routes that it announces.
    pub(super) fn memberships(&self) -> impl Iterator<Item = (Vni, bool, u32)> {
        self.vnis.iter().map(|(vni, entry)| (vni, entry.subscription.is_some(), entry.routes))
    }

    /// It takes part in a VNI as it did elsewhere, and is behind there if it subscribes. `false` when that
    /// is known already.
    pub(super) fn join(&mut self, vni: Vni, subscribes: bool, routes: u32) -> bool {
        if self.vnis.get(vni).is_some() {
            return false;
        }
        let entry = self.vnis.or_default(vni);
        entry.routes = routes;
        self.routes += i64::from(routes);
        if subscribes {
            entry.subscription = Some((0, self.next_subscription));
            self.behind.push_back((vni, self.next_subscription));
            self.next_subscription += 1;
            self.subscriptions += 1;
        }
        self.used += u32::from(entry.is_used());
        list_unused(&mut self.unused, vni, entry);
        true
    }

    /// All subscriptions, each with its place in the list of the VNI's local subscribers and its number.
    pub(in crate::shard) fn subscriptions_mut(
        &mut self,
    ) -> impl Iterator<Item = (Vni, &mut (u32, u32))> {
        self.vnis.iter_mut().filter_map(|(vni, entry)| Some((vni, entry.subscription.as_mut()?)))
    }

    /// The owner of a VNI has counted what the peer announces there.
    pub(in crate::shard) fn counted(&mut self, vni: Vni, routes: u32) {
        let Some(entry) = self.vnis.get_mut(vni) else { return };
        let was_used = entry.is_used();
        entry.routes = routes;
        self.used = self.used + u32::from(entry.is_used()) - u32::from(was_used);
        list_unused(&mut self.unused, vni, entry);
    }

    /// In how many VNIs it takes part, as far as is known.
    pub(in crate::shard) fn used_vnis(&self) -> u64 {
        self.used.into()
    }

    /// A VNI that it may have left, and its version, if more than so many are kept.
    pub(in crate::shard) fn next_unused(&mut self, kept: usize) -> Option<(Vni, u32)> {
        while self.unused.len() > kept {
            let vni = self.unused.pop_front()?;
            if let Some(entry) = self.vnis.get_mut(vni) {
                entry.is_listed = false;
                if !entry.is_used() {
                    return Some((vni, entry.version));
                }
            }
        }
        None
    }

    /// The owner knows nothing of the peer any more, as of a version.
    pub(in crate::shard) fn left(&mut self, vni: Vni, version: u32) {
        let Some(entry) = self.vnis.get_mut(vni) else { return };
        if entry.version == version && !entry.is_used() {
            self.vnis.remove(vni);
        } else {
            list_unused(&mut self.unused, vni, entry); // there were updates under way
        }
    }

    /// Gives back memory that only a busy peer needs, if it is not busy now.
    pub(in crate::shard) fn rest(&mut self) {
        self.outbox.rest();
        self.behind.rest();
        self.unused.rest();
    }

    pub(in crate::shard) fn has(&self, capability: Capabilities) -> bool {
        self.session.peer().capabilities.contains(capability)
    }
}

/// Lists an entry that may be of no use any more.
fn list_unused(unused: &mut RareQueue<Vni>, vni: Vni, entry: &mut PeerVni) {
    if !entry.is_used() && !entry.is_listed {
        entry.is_listed = true;
        unused.push_back(vni);
    }
}

/// Whether a subscription's number is that of the present subscription.
pub(in crate::shard) fn is_current(vnis: &VniMap<PeerVni>, vni: Vni, id: u32) -> bool {
    let current = vnis.get(vni).and_then(|entry| entry.subscription);
    current.is_some_and(|(_, current)| current == id)
}
