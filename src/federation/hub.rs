//! [`Hub`]: where the shard for federation and the tasks that talk to the engine meet. All are on one thread.
//!
//! Tasks hand messages to the link at once and wake the shard, whose next turn takes what the link asks for.
//! When requests pile up they wait, and the engine's client keeps what comes, up to its bounds.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::link::{BusSource, Link, LinkEvent, LinkStatus, Outgoing, Output};
use crate::ids::Moment;
use crate::portable::form::piece::Kind;
use crate::shard::{Delivery, Shard};
use crate::wire::Vni;

/// The most outputs of a link before tasks wait for the shard's next turn.
const OUTPUTS: usize = 1024;

/// The state of the engine.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct EngineStatus {
    /// The name and version of the server, once there has been a connection.
    pub(crate) server: Option<(String, String)>,
    /// The server's address.
    pub(crate) address: String,
    pub(crate) round_trip: Option<Duration>,
    pub(crate) connections: u64,
    /// Why there is no connection, or what the server refused last.
    pub(crate) error: Option<String>,
}

/// A VNI to which the link wants to listen, or no longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    Listen(Vni),
    Ignore(Vni),
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Hub {
    link: RefCell<Link>,
    began: Instant,
    /// Wakes the shard: work has come for it.
    pub(crate) news: Notify,
    /// There are messages for the engine.
    messages: Notify,
    /// Requests no longer pile up.
    room: Notify,
    is_backed_up: Cell<bool>,
    outputs: Cell<usize>,
    pub(crate) engine: RefCell<EngineStatus>,
}

impl Hub {
    /// A hub of a link whose moments are counted from `began`.
    pub(crate) fn new(link: Link, began: Instant) -> Rc<Self> {
        Rc::new(Self {
            link: RefCell::new(link),
            began,
            news: Notify::new(),
            messages: Notify::new(),
            room: Notify::new(),
            is_backed_up: Cell::new(false),
            outputs: Cell::new(0),
            engine: RefCell::default(),
        })
    }

    fn now(&self) -> Moment {
        Moment(0) + self.began.elapsed()
    }

    /// Hands the link the deliveries of owners of VNIs.
    pub(crate) fn delivered(&self, now: Moment, parcel: &[Delivery]) {
        let mut link = self.link.borrow_mut();
        parcel.iter().for_each(|delivery| link.delivered(now, delivery));
    }

    /// Runs a turn of the link, and carries out its outputs. Returns when the link wants the next turn.
    pub(crate) fn turn(
        &self,
        now: Moment,
        shard: &mut Shard,
        mut wish: impl FnMut(Wish),
        mut event: impl FnMut(LinkEvent),
    ) -> Moment {
        let mut link = self.link.borrow_mut();
        link.judge_by(shard.policy());
        let next = link.turn(now);
        while let Some(output) = link.poll() {
            match output {
                Output::Request(request) => shard.request(request),
                Output::Listen(vni) => wish(Wish::Listen(vni)),
                Output::Ignore(vni) => wish(Wish::Ignore(vni)),
                Output::Event(it) => event(it),
            }
        }
        // Without a connection the messages wait, and so does the task that sends them.
        if link.is_connected() && link.has_messages() {
            self.messages.notify_one();
        }
        self.outputs.set(0);
        self.is_backed_up.set(shard.is_backed_up());
        if !self.is_backed_up.get() {
            self.room.notify_waiters();
        }
        next
    }

    /// Until when the shard may sleep although work has come.
    pub(crate) fn rests_until(&self, now: Moment) -> Option<Moment> {
        self.link.borrow_mut().rests_until(now)
    }

    /// Whether nothing waits for the engine.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.link.borrow().has_messages()
    }

    /// Announces that sessions are about to end, so that other sites withdraw nothing; or that they are not, after all.
    pub(crate) fn drain(&self, is_draining: bool) {
        let (now, mut link) = (self.now(), self.link.borrow_mut());
        if is_draining {
            link.drain(now);
        } else {
            link.undrain(now);
        }
        drop(link);
        self.news.notify_one();
    }

    /// Freezes the link before a handover to another process, or thaws it again.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        let (now, mut link) = (self.now(), self.link.borrow_mut());
        if is_frozen {
            link.freeze(now);
        } else {
            link.thaw(now);
        }
    }

    /// The state shared with other sites, for another process.
    pub(crate) fn export(&self) -> Vec<Kind> {
        self.link.borrow().export()
    }

    /// The status for operators.
    pub(crate) fn status(&self) -> (LinkStatus, EngineStatus) {
        (self.link.borrow().status(), self.engine.borrow().clone())
    }

    /// The names of sites by their numbers, without the first `known`.
    pub(crate) fn names_from(&self, known: usize) -> Vec<Arc<str>> {
        self.link.borrow().names_from(known)
    }

    /// All VNIs to which the link wants to listen.
    pub(crate) fn wishes(&self) -> impl Iterator<Item = Wish> + use<> {
        self.link.borrow().listens().into_iter().map(Wish::Listen)
    }

    /// The name of this site.
    pub(crate) fn site(&self) -> Arc<str> {
        self.link.borrow().site()
    }

    /// Hands the link a message.
    pub(super) fn received(&self, source: BusSource<'_>, payload: Bytes) {
        let (now, mut link) = (self.now(), self.link.borrow_mut());
        link.received(now, source, payload);
        self.outputs.set(link.outputs());
        drop(link);
        self.news.notify_one();
    }

    /// Whether the engine can be reached.
    pub(super) fn is_connected(&self) -> bool {
        self.link.borrow().is_connected()
    }

    /// Waits while requests pile up.
    pub(super) async fn has_room(&self) {
        while self.is_backed_up.get() || self.outputs.get() > OUTPUTS {
            self.room.notified().await;
        }
    }

    pub(super) fn connected(&self) {
        self.link.borrow_mut().connected(self.now());
        self.messages.notify_one();
        self.news.notify_one();
    }

    pub(super) fn disconnected(&self) {
        self.link.borrow_mut().disconnected(self.now());
        self.news.notify_one();
    }

    pub(super) fn overflowed(&self) {
        self.link.borrow_mut().overflowed(self.now());
        self.news.notify_one();
    }

    /// The next message for the engine; waits for one.
    pub(super) async fn next_message(&self) -> Outgoing {
        loop {
            // Without a connection the client's queue would grow without bound; the link's queue is bounded.
            let is_connected = self.is_connected();
            if is_connected && let Some(message) = self.link.borrow_mut().next_message() {
                return message;
            }
            // Answers may have waited for the room that is free now.
            if is_connected {
                self.news.notify_one();
            }
            self.messages.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use ahash::RandomState;

    use super::*;
    use crate::federation::link::LinkSettings;
    use crate::ids::ShardId;
    use crate::shard::{GuestKind, Layout, ShardConfig};

    #[test]
    fn messages_that_wait_for_a_connection_wake_nobody() {
        let (began, now) = (Moment(0), Moment(1_000_000));
        let settings = LinkSettings { listening: Duration::ZERO, ..LinkSettings::new("here") };
        let link = Link::new(settings, ShardId(1), RandomState::with_seeds(1, 2, 3, 4), began, 5);
        let layout = Layout::of(1).hosting(Some(GuestKind::Federation));
        let mut shard = Shard::new(ShardId(1), layout, ShardConfig::default(), [1, 2, 3, 4], now);
        let hub = Hub::new(link, Instant::now());
        hub.connected();
        hub.turn(now, &mut shard, |_| {}, |_| {});
        assert!(!hub.is_flushed());
        hub.disconnected();
        let mut context = Context::from_waker(Waker::noop());
        let mut next = pin!(hub.next_message());
        let mut is_woken = || {
            assert!(next.as_mut().poll(&mut context).is_pending());
            pin!(hub.news.notified()).poll(&mut context).is_ready()
        };
        is_woken();
        for _ in 0..3 {
            hub.turn(now, &mut shard, |_| {}, |_| {});
            assert!(!is_woken());
        }
        hub.connected();
        assert!(next.as_mut().poll(&mut context).is_ready());
    }
}
