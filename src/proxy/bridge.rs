//! [`Bridge`]: what agents want goes to the leaf, what the leaf has learned goes to the owners of VNIs. Pure.
//!
//! State: for each VNI in which agents take part, how far the subscription to their announcements has come, and until
//! when the leaf subscribes to the VNI; and the changes on their way.
//!
//! Bounds: the intentions that wait for the leaf. If there are too many, the bridge refuses sealed batches as a slow
//! peer does, and the table keeps a cursor. While requests pile up, the bridge does not ask the leaf for changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::status::ProxyStatus;
use crate::client::{Intention, Route};
use crate::ids::link::{EXPORTER, UPSTREAM};
use crate::ids::{Moment, PeerId, ShardId};
use crate::policy::{Rights, Selection};
use crate::shard::{Counted, Delivery, Request};
use crate::table::{Announcement, Audience, Batch, Chunk, Origin, TOGETHER};
use crate::wire::{Action, Update, Vni, front_update};

/// The number of waiting intentions from which batches are refused.
pub(super) const WAITING_MAX: usize = 8192;
/// The most chunks requested at once.
const PULLS: usize = 4;
/// How long the leaf stays subscribed to a VNI after the last agent has unsubscribed: an agent that restarts
/// gets its table at once.
pub(super) const GRACE: Duration = Duration::from_secs(60);

/// The state of the subscription to the agents' routes of a VNI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    /// There is no subscription.
    #[default]
    Off,
    /// Chunks must be requested: of the dump, or because a batch was refused.
    Behind,
    /// Sealed batches are taken directly.
    InSync,
}

/// A VNI in which agents take part, or did lately.
#[derive(Debug, Default)]
struct Entry {
    is_used: bool,
    is_wanted: bool,
    /// Whether the leaf subscribes to the VNI.
    is_subscribed: bool,
    /// When the leaf is to unsubscribe.
    until: Option<Moment>,
    state: State,
    subscription: u32,
    is_pulling: bool,
    /// The number of the agents' routes told to the leaf.
    announced: u64,
    /// The number of reflectors' routes in the table.
    learned: u32,
}

impl Entry {
    fn is_over(&self) -> bool {
        !self.is_used && !self.is_subscribed && self.learned == 0
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Bridge {
    shard: ShardId,
    now: Moment,
    vnis: BTreeMap<Vni, Entry>,
    /// Numbers subscriptions, so that an answer to an earlier subscription is recognised.
    subscriptions: u32,
    /// VNIs that are behind, in the order in which they request chunks.
    behind: VecDeque<Vni>,
    pulls: usize,
    waiting: VecDeque<Intention>,
    /// Whether the leaf is being told intentions.
    is_telling: bool,
    requests: VecDeque<Request>,
    status: ProxyStatus,
}

impl Bridge {
    /// A bridge on a shard that owns no VNI.
    pub(super) fn new(shard: ShardId) -> Self {
        Self {
            shard,
            now: Moment::default(),
            vnis: BTreeMap::new(),
            subscriptions: 0,
            behind: VecDeque::new(),
            pulls: 0,
            waiting: VecDeque::new(),
            is_telling: false,
            requests: VecDeque::new(),
            status: ProxyStatus::default(),
        }
    }

    fn origin(&self, peer: PeerId) -> Origin {
        Origin {
            peer,
            shard: self.shard,
            is_server: true,
            rights: Rights::default(),
            selection: Selection::default(),
        }
    }

    /// Takes in a delivery of an owner of VNIs.
    pub(super) fn delivered(&mut self, now: Moment, delivery: &Delivery) {
        self.now = now;
        match delivery {
            Delivery::Wanted { vni, is_wanted, is_used } => self.wanted(*vni, *is_wanted, *is_used),
            Delivery::Batch { audience: Audience::Servers, batch } => self.batch(batch),
            Delivery::Chunk { peer: EXPORTER, vni, subscription, chunk } => {
                self.chunk(*vni, *subscription, chunk);
            }
            Delivery::TooFarBehind { peer: EXPORTER, vni } => {
                self.part(*vni);
                self.join(*vni);
            }
            Delivery::Announced { peer: UPSTREAM, counted } => self.counted(counted),
            _ => {}
        }
    }

    /// Changes that the leaf learned have changed a table.
    fn counted(&mut self, counted: &Counted) {
        let all = &mut self.status.routes_learned;
        *all = all.saturating_add_signed(counted.change);
        if let Some(entry) = self.vnis.get_mut(&counted.vni) {
            entry.learned = counted.routes;
        }
    }

    /// Whether agents now subscribe to a VNI, and whether they take part in it.
    fn wanted(&mut self, vni: Vni, is_wanted: bool, is_used: bool) {
        let entry = self.vnis.entry(vni).or_default();
        (entry.is_wanted, entry.is_used) = (is_wanted, is_used);
        let has_subscription = entry.state != State::Off;
        if is_wanted {
            entry.until = None;
            if !std::mem::replace(&mut entry.is_subscribed, true) {
                self.waiting.push_back(Intention::Subscribe(vni));
            }
        } else if entry.is_subscribed && entry.until.is_none() {
            entry.until = Some(self.now + GRACE);
        }
        match (is_used, has_subscription) {
            (true, false) => self.join(vni),
            (false, true) => self.part(vni),
            _ => {}
        }
    }

    /// Subscribes to the agents' routes of a VNI.
    fn join(&mut self, vni: Vni) {
        let origin = self.origin(EXPORTER);
        let Some(entry) = self.vnis.get_mut(&vni).filter(|entry| entry.is_used) else { return };
        self.subscriptions = self.subscriptions.wrapping_add(1);
        entry.subscription = self.subscriptions;
        entry.state = State::Behind;
        self.requests.push_back(Request::Subscribe {
            origin,
            vni,
            received: self.now,
            is_retry: false,
        });
        self.behind.push_back(vni);
    }

    /// No agent takes part in a VNI any more: withdraws their announcements.
    fn part(&mut self, vni: Vni) {
        let Some(entry) = self.vnis.get_mut(&vni) else { return };
        entry.state = State::Off;
        self.pulls -= usize::from(std::mem::take(&mut entry.is_pulling));
        self.status.routes_announced -= std::mem::take(&mut entry.announced);
        self.behind.retain(|other| *other != vni);
        self.requests.push_back(Request::Leave { peer: EXPORTER, vni });
        self.waiting.push_back(Intention::Vacate(vni));
    }

    /// Takes a sealed batch of the agents' announcements.
    fn batch(&mut self, batch: &Arc<Batch>) {
        let vni = batch.vni;
        let Some(entry) = self.vnis.get_mut(&vni) else { return };
        if entry.state != State::InSync {
            return;
        }
        if self.waiting.len() < WAITING_MAX {
            return self.announced(vni, batch.bytes());
        }
        entry.state = State::Behind;
        self.status.fell_behind += 1;
        self.behind.push_back(vni);
        let from = Arc::clone(batch);
        self.requests.push_back(Request::FellBehind { peer: EXPORTER, vni, from });
    }

    /// Takes the answer to a pull.
    fn chunk(&mut self, vni: Vni, subscription: u32, chunk: &Chunk) {
        let Some(entry) = self.vnis.get_mut(&vni) else { return };
        if entry.subscription != subscription || !std::mem::take(&mut entry.is_pulling) {
            return; // the answer belongs to an earlier subscription
        }
        self.pulls -= 1;
        if chunk.in_sync {
            entry.state = State::InSync;
        } else {
            self.behind.push_back(vni);
        }
        if let Some(batch) = &chunk.batch {
            self.announced(vni, batch.bytes());
        }
    }

    /// Passes on the agents' announcements and withdrawals of a VNI, given as UPDATE frames.
    fn announced(&mut self, vni: Vni, mut bytes: &[u8]) {
        let before = self.waiting.len();
        let mut routes = 0_u64;
        while let Some((update, length)) = front_update(bytes) {
            let Update { action, destination, next_hop, .. } = update;
            let route = Route { vni, destination, next_hop };
            let (intention, one) = match action {
                Action::Add => (Intention::Announce(route), 1),
                Action::Remove => (Intention::Withdraw(route), -1),
            };
            self.waiting.push_back(intention);
            routes = routes.wrapping_add_signed(one);
            bytes = &bytes[length..];
        }
        debug_assert!(bytes.is_empty(), "a table seals what can be read");
        self.status.changes_announced += (self.waiting.len() - before) as u64;
        if let Some(entry) = self.vnis.get_mut(&vni) {
            entry.announced = entry.announced.wrapping_add(routes);
        }
        self.status.routes_announced = self.status.routes_announced.wrapping_add(routes);
    }

    /// The leaf has learned changes from its servers; withdrawals of a destination come first.
    pub(super) fn learned(&mut self, now: Moment, changes: &[Update]) {
        self.now = now;
        self.status.changes_learned += changes.len() as u64;
        let origin = self.origin(UPSTREAM);
        for of_vni in changes.chunk_by(|one, next| one.vni == next.vni) {
            for part in of_vni.chunks(TOGETHER) {
                let updates = part.iter().map(announcement).collect();
                let vni = part[0].vni;
                let received = now;
                let request = Request::Updates { origin, vni, updates, room: i64::MAX, received };
                self.requests.push_back(request);
            }
        }
    }

    /// Requests the agents' announcements that the leaf was not told, while there is room for them.
    pub(super) fn pull(&mut self) {
        while self.pulls < PULLS
            && self.waiting.len() < WAITING_MAX / 2
            && let Some(vni) = self.behind.pop_front()
        {
            let Some(entry) = self.vnis.get_mut(&vni) else { continue };
            if entry.state != State::Behind || std::mem::replace(&mut entry.is_pulling, true) {
                continue;
            }
            self.pulls += 1;
            let subscription = entry.subscription;
            self.requests.push_back(Request::Pull {
                peer: EXPORTER,
                shard: self.shard,
                vni,
                subscription,
            });
        }
    }

    /// Ends subscriptions whose grace period is over.
    pub(super) fn tick(&mut self, now: Moment) {
        self.now = now;
        let waiting = &mut self.waiting;
        self.vnis.retain(|vni, entry| {
            if entry.until.is_some_and(|until| until <= now) {
                entry.until = None;
                entry.is_subscribed = false;
                waiting.push_back(Intention::Unsubscribe(*vni));
            }
            !entry.is_over()
        });
    }

    /// The next request to an owner, in order.
    pub(super) fn poll(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// Whether intentions wait for the leaf.
    pub(super) fn has_intentions(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes the next intentions for the leaf, in order.
    pub(super) fn take_intentions(&mut self, most: usize) -> Vec<Intention> {
        let count = self.waiting.len().min(most);
        self.is_telling = count > 0;
        self.waiting.drain(..count).collect()
    }

    /// The leaf has been told the intentions taken.
    pub(super) fn told(&mut self) {
        self.is_telling = false;
    }

    /// Whether no request or intention is on its way.
    pub(super) fn is_flushed(&self) -> bool {
        self.waiting.is_empty() && self.requests.is_empty() && !self.is_telling
    }

    /// The status for operators. Cost: a look at each VNI.
    pub(super) fn status(&self) -> ProxyStatus {
        let count = |is: fn(&Entry) -> bool| self.vnis.values().filter(|it| is(it)).count() as u64;
        ProxyStatus {
            vnis_used: count(|entry| entry.is_used),
            vnis_subscribed: count(|entry| entry.is_subscribed),
            waiting: self.waiting.len() as u64,
            ..self.status
        }
    }
}

fn announcement(update: &Update) -> Announcement {
    let Update { action, destination, next_hop, .. } = *update;
    Announcement { action, destination, next_hop }
}
