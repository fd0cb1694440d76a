//! [`Hub`]: where the bridge, the shard for it and the leaf meet. All but the leaf's own tasks are on one thread.
//!
//! One task carries what the leaf has learned to the bridge, and waits while requests to the owners of VNIs pile
//! up; another carries what agents want to the leaf, one batch at a time. Both only ask, so what waits, waits in
//! the feeds of the leaf and in the tables, where opposite changes cancel out.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::bridge::Bridge;
use super::status::ProxyStatus;
use crate::client::{Intention, MetalBond};
use crate::ids::{Moment, ShardId};
use crate::shard::{Delivery, Shard};
use crate::threads::Guest;

/// The time between two looks at the clock, and between two updates of the status.
const TICK: Duration = Duration::from_millis(250);
/// The most changes handed to the leaf at once.
const TOLD_MAX: usize = 4096;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Hub {
    bridge: RefCell<Bridge>,
    began: Instant,
    next_tick: Cell<Moment>,
    /// Work has come for the shard.
    news: Notify,
    /// There are intentions for the leaf.
    intentions: Notify,
    /// Requests no longer pile up.
    room: Notify,
    has_room: Cell<bool>,
    status: watch::Sender<ProxyStatus>,
}

impl Hub {
    /// Starts the hub's tasks, on the thread of its shard.
    pub(super) fn start(
        shard: ShardId,
        began: Instant,
        leaf: &MetalBond,
        status: watch::Sender<ProxyStatus>,
    ) -> Rc<Self> {
        let hub = Rc::new(Self {
            bridge: RefCell::new(Bridge::new(shard)),
            began,
            next_tick: Cell::default(),
            news: Notify::new(),
            intentions: Notify::new(),
            room: Notify::new(),
            has_room: Cell::new(true),
            status,
        });
        tokio::task::spawn_local(Rc::clone(&hub).learn(leaf.clone()));
        tokio::task::spawn_local(Rc::clone(&hub).tell(leaf.clone()));
        hub
    }

    /// Carries the leaf's learned changes to the bridge, until the leaf ends.
    async fn learn(self: Rc<Self>, leaf: MetalBond) {
        let Ok(mut routes) = leaf.watch_settled_routes().await else { return };
        loop {
            while !self.has_room.get() {
                self.room.notified().await;
            }
            let Some(batch) = routes.next().await else { return };
            if batch.changes.is_empty() {
                continue;
            }
            let now = Moment(0) + self.began.elapsed();
            self.bridge.borrow_mut().learned(now, &batch.changes);
            self.has_room.set(false); // the next turn says whether there is more
            self.news.notify_one();
        }
    }

    /// Carries the agents' intentions to the leaf, until the leaf ends.
    async fn tell(self: Rc<Self>, leaf: MetalBond) {
        loop {
            let intentions = self.next_intentions().await;
            if leaf.intend(intentions).await.is_err() {
                return;
            }
            self.bridge.borrow_mut().told();
            self.news.notify_one();
        }
    }

    async fn next_intentions(&self) -> Vec<Intention> {
        loop {
            let intentions = self.bridge.borrow_mut().take_intentions(TOLD_MAX);
            if !intentions.is_empty() {
                return intentions;
            }
            self.intentions.notified().await;
        }
    }
}

impl Guest for Hub {
    fn delivered(&self, now: Moment, parcel: &[Delivery]) {
        let mut bridge = self.bridge.borrow_mut();
        parcel.iter().for_each(|delivery| bridge.delivered(now, delivery));
    }

    fn turn(&self, now: Moment, shard: &mut Shard) -> Moment {
        let mut bridge = self.bridge.borrow_mut();
        bridge.pull();
        if now >= self.next_tick.get() {
            self.next_tick.set(now + TICK);
            bridge.tick(now);
            let status = bridge.status();
            self.status.send_if_modified(|told| std::mem::replace(told, status) != status);
        }
        while let Some(request) = bridge.poll() {
            shard.request(request);
        }
        if bridge.has_intentions() {
            self.intentions.notify_one();
        }
        if !shard.is_backed_up() && !self.has_room.replace(true) {
            self.room.notify_one();
        }
        self.next_tick.get()
    }

    fn news(&self) -> &Notify {
        &self.news
    }

    fn is_flushed(&self) -> bool {
        self.bridge.borrow().is_flushed()
    }
}
