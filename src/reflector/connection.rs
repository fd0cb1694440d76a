//! One connection: a task that reads and writes, around one socket.
//!
//! It borrows the shard only between awaits. A read takes at most [`READ_MAX`](crate::shard::READ_MAX) bytes
//! per turn, which is a connection's budget: a publisher that always has more takes its turns with the
//! others. One write is in flight at a time. The turn itself begins it ([`Connection::begin_write`]), and the
//! task only steps in when the kernel does not take it at once.
//!
//! An idle connection holds no buffer and no timer, and its task nothing but references.
//!
//! A connection ends in one way only: the shard lists it as closed, the driver shuts the socket
//! down, and the task ends.

use std::cell::{Cell, OnceCell, RefCell};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::Sleep;

use super::driver::Core;
use super::end_of_stream::end_of_stream;
use super::moves::Departure;
use crate::diary::Follower;
use crate::io::{OutBuf, Sending, Stream};
use crate::session::{CloseReason, LOW_WATER, TcpInfo};
use crate::shard::{Flow, READ_MIN, Slot, Write};
use crate::threads::Admission;
use crate::tls::Ending;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) slot: Slot,
    is_closed: Cell<bool>,
    /// Whether a KEEPALIVE wakes no thread.
    pub(super) is_held: Cell<bool>,
    /// Whether the shard reads on, after a pause.
    is_resumed: Cell<bool>,
    /// Whether there may be something to write.
    may_write: Cell<bool>,
    pub(super) remote: SocketAddr,
    pub(super) stream: Stream,
    /// Its admission; none when it has left for another shard.
    pub(super) admission: RefCell<Option<Admission>>,
    /// Whether it is about to leave for another shard.
    pub(super) is_leaving: Cell<bool>,
    /// The waker of its task; none before the task has begun.
    waker: OnceCell<Waker>,
    /// The write in flight.
    pub(super) sending: RefCell<Option<Sending>>,
    /// Reads along, if an operator follows the session.
    pub(super) follower: RefCell<Option<Box<Follower>>>,
}

/// The next step of a connection's task in reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    /// Waits for bytes.
    Waits,
    /// Reads: there is likely more.
    HasMore,
    /// Waits for the shard to take more.
    IsPaused,
    /// Waits until its source may change more.
    IsThrottled,
    HasEnded,
}

/// Serves a connection until it has been closed.
#[derive(Debug)]
pub(super) struct Task {
    connection: Rc<Connection>,
    core: Rc<Core>,
    reading: Reading,
    /// Whether nothing more can be written.
    is_broken: bool,
    /// The pause before the next write to a paced peer.
    pause: Option<Pin<Box<Sleep>>>,
    /// The pause before the next read of a peer whose source has changed too much.
    rest: Option<Pin<Box<Sleep>>>,
}

impl Task {
    pub(super) fn new(connection: Rc<Connection>, core: Rc<Core>) -> Self {
        Self {
            connection,
            core,
            reading: Reading::Waits,
            is_broken: false,
            pause: None,
            rest: None,
        }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The waker stays the same for a task's life.
        self.connection.waker.get_or_init(|| cx.waker().clone());
        if !self.connection.is_leaving.get() {
            self.read(cx); // a wait that begins now would hold its descriptor
        }
        self.write(cx);
        if self.connection.is_leaving.get() && self.depart() {
            return Poll::Ready(());
        }
        // The slot is freed only once the driver knows of the end: anything that the driver still reports about
        // this session must not be taken for the next one's.
        if !self.connection.is_closed.get() {
            return Poll::Pending;
        }
        self.core.released(self.connection.slot);
        Poll::Ready(())
    }
}

impl Task {
    /// Reads once, if there are bytes.
    fn read(&mut self, cx: &mut Context<'_>) {
        let Self { connection, core, reading, rest, .. } = self;
        loop {
            if connection.is_closed.get() {
                *reading = Reading::HasEnded;
            }
            if *reading == Reading::IsThrottled {
                if rest.as_mut().is_some_and(|rest| rest.as_mut().poll(cx).is_pending()) {
                    return;
                }
                *rest = None;
                core.shard.borrow_mut().go_on_reading(connection.slot);
                *reading = Reading::HasMore;
            }
            let ready = match reading {
                Reading::HasEnded => return,
                Reading::IsPaused if !connection.is_resumed.take() => return,
                Reading::IsPaused | Reading::IsThrottled | Reading::HasMore => {
                    connection.stream.check()
                }
                Reading::Waits => match connection.stream.poll_readable(cx) {
                    Poll::Ready(ready) => ready,
                    Poll::Pending => return,
                },
            };
            let ready = ready.map_err(|error| connection.ended(Some(&error)));
            if ready.is_ok()
                && let Some(wait) = connection.throttled(core)
            {
                *rest = Some(Box::pin(tokio::time::sleep(wait)));
                *reading = Reading::IsThrottled;
                continue;
            }
            *reading = match ready.and_then(|()| connection.read_once(core)) {
                Err(reason) => {
                    connection.fail(core, reason);
                    Reading::HasEnded
                }
                Ok((_, Flow::Closed)) => Reading::HasEnded,
                Ok((_, Flow::Pause)) => Reading::IsPaused,
                Ok((0, Flow::Continue)) => Reading::Waits,
                // There may be more bytes: let other connections have their turn first.
                Ok((READ_MIN.., Flow::Continue)) => {
                    *reading = Reading::HasMore;
                    cx.waker().wake_by_ref();
                    return;
                }
                Ok((_, Flow::Continue)) => {
                    connection.stream.note_drained(); // there is always room for more bytes
                    Reading::Waits
                }
            };
        }
    }

    /// Leaves for another shard, unless the kernel still has a write to finish: that is over soon, and wakes
    /// the task. `false` when it has not left.
    fn depart(&self) -> bool {
        let Self { connection, core, .. } = self;
        let is_in_flight = connection.sending.borrow().as_ref().is_some_and(Sending::is_in_flight);
        if connection.is_closed.get() || is_in_flight {
            return false;
        }
        connection.is_leaving.set(false);
        match core.send_away(connection) {
            Departure::Left => return true,
            Departure::Waits => {
                connection.is_leaving.set(true);
                return false;
            }
            Departure::Stays => {}
        }
        // It stays: whatever came up meanwhile must be done now.
        connection.may_write.set(true);
        connection.wake();
        false
    }

    /// Writes while the socket takes bytes and there are bytes to write.
    fn write(&mut self, cx: &mut Context<'_>) {
        let Self { connection, core, is_broken, pause, .. } = self;
        while !connection.is_closed.get() && !*is_broken {
            let leaves = connection.is_leaving.get();
            if leaves && connection.sending.borrow().as_ref().is_none_or(|it| !it.is_in_flight()) {
                return;
            }
            match connection.poll_sending(core, cx) {
                Poll::Pending => return,
                Poll::Ready(Err(reason)) => {
                    connection.fail(core, reason);
                    *is_broken = true;
                    return;
                }
                Poll::Ready(Ok(is_done)) => {
                    if is_done {
                        connection.may_write.set(true);
                        let shard = core.shard.borrow();
                        if shard.awaits_writes() {
                            core.wake.set();
                        }
                    }
                }
            }
            if let Some(sleep) = pause {
                // News may be messages that go out of turn.
                if !connection.may_write.get() && sleep.as_mut().poll(cx).is_pending() {
                    return;
                }
                *pause = None;
            } else if !connection.may_write.get() {
                return;
            }
            connection.may_write.set(false);
            match connection.next_write(core) {
                Write::Nothing => return,
                Write::Bytes { bytes, record } => connection.begin(bytes, record),
                Write::WaitUntil(then) => {
                    let wait = then.since(core.now()).max(Duration::from_millis(1));
                    *pause = Some(Box::pin(tokio::time::sleep(wait)));
                }
            }
        }
    }
}

impl Connection {
    pub(super) fn new(
        slot: Slot,
        remote: SocketAddr,
        stream: Stream,
        admission: Admission,
    ) -> Self {
        Self {
            slot,
            is_closed: Cell::new(false),
            is_held: Cell::new(false),
            is_resumed: Cell::new(false),
            may_write: Cell::new(false),
            remote,
            stream,
            admission: RefCell::new(Some(admission)),
            is_leaving: Cell::new(false),
            waker: OnceCell::new(),
            sending: RefCell::new(None),
            follower: RefCell::new(None),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    pub(super) fn wake(&self) {
        // A task that has not begun looks at everything when it does.
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Ends the task.
    pub(super) fn shut_down(&self) {
        self.is_closed.set(true);
        self.stream.shutdown();
        self.wake();
    }

    /// The HELLO has come.
    ///
    /// # Errors
    /// The reason why there can't be another session.
    pub(super) fn begin_session(&self) -> Result<(), CloseReason> {
        self.admission.borrow().as_ref().map_or(Ok(()), |it| it.seat.begin())
    }

    /// The shard takes more from this peer.
    pub(super) fn resume(&self) {
        self.is_resumed.set(true);
        self.wake();
    }

    /// The kernel's state of the connection.
    pub(super) fn tcp_info(&self) -> Option<TcpInfo> {
        self.stream.tcp_info()
    }

    /// The time since the peer's kernel was last heard.
    pub(super) fn heard(&self) -> Option<Duration> {
        self.stream.heard()
    }

    /// Lets the peer's KEEPALIVEs wait.
    pub(super) fn hold(&self) {
        if !self.is_held.get() {
            // A peer that can't be held wakes the thread each time, which only costs more.
            self.is_held.set(self.stream.set_low_water(LOW_WATER).is_ok());
        }
    }

    /// Takes in the KEEPALIVE that has waited. The next bytes wake the thread.
    pub(super) fn end_hold(&self, core: &Core) {
        let mut buffer = core.buffer.borrow_mut();
        let result = self.stream.fetch(&mut buffer);
        let taken = self.take_in(core, result, &buffer);
        drop(buffer);
        core.shard.borrow_mut().fetched(self.slot);
        if self.is_held.replace(false) {
            self.stream.set_low_water(1).ok();
        }
        // Most ends wake the reader as well, but not an alert that is shorter than the low-water mark: this read has
        // taken it, and no other will see it.
        if let Err(reason) = taken {
            self.fail(core, reason);
        }
    }

    /// Begins to write the bytes that the shard has for this peer.
    pub(super) fn begin_write(&self, core: &Core) {
        let is_free = self.sending.borrow().is_none() && !self.is_leaving.get();
        let Some(waker) = self.waker.get().filter(|_| is_free) else {
            // The task goes on when it has begun, or when the write in flight is done.
            self.may_write.set(true);
            return;
        };
        match self.next_write(core) {
            Write::Nothing => {}
            Write::WaitUntil(_) => {
                self.may_write.set(true); // the task has the timer
                waker.wake_by_ref();
            }
            Write::Bytes { bytes, record } => {
                self.begin(bytes, record);
                let done = self.poll_sending(core, &mut Context::from_waker(waker));
                if let Poll::Ready(Err(reason)) = done {
                    self.fail(core, reason);
                }
            }
        }
    }

    fn fail(&self, core: &Core, reason: CloseReason) {
        core.shard.borrow_mut().close(self.slot, reason);
        core.wake.set();
    }

    /// Charges its source for its changes. Returns for how long not to read the connection; `None` if it may be read.
    fn throttled(&self, core: &Core) -> Option<Duration> {
        let rate = core.shard.borrow().change_rate();
        if rate == 0 {
            return None;
        }
        let changes = core.shard.borrow_mut().take_uncharged(self.slot);
        let wait =
            self.admission.borrow().as_ref()?.place.charge(core.began.elapsed(), changes, rate);
        if wait.is_zero() {
            return None;
        }
        let (most, is_first) = core.shard.borrow_mut().throttle(core.now(), self.slot)?;
        core.wake.set(); // it may have a KEEPALIVE to send
        if is_first {
            core.reporter.throttled(self.remote, rate);
        }
        Some(wait.clamp(Duration::from_millis(1), most))
    }

    /// Reads the available bytes, up to the budget.
    fn read_once(&self, core: &Core) -> Result<(usize, Flow), CloseReason> {
        let room = core.shard.borrow_mut().read_room(self.slot);
        if room == 0 {
            return Ok((0, Flow::Pause));
        }
        let mut buffer = core.buffer.borrow_mut();
        let result = self.stream.try_read(&mut buffer[..room]);
        self.take_in(core, result, &buffer)
    }

    /// Takes in what a read has put at the start of `buffer`.
    fn take_in(
        &self,
        core: &Core,
        result: std::io::Result<usize>,
        buffer: &[u8],
    ) -> Result<(usize, Flow), CloseReason> {
        match result {
            Ok(0) => Err(self.ended(None)),
            Ok(n) => Ok((n, self.received(core, &buffer[..n]))),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok((0, Flow::Continue)),
                _ => Err(self.ended(Some(&error))),
            },
        }
    }

    /// The reason why the stream has ended, or failed with this error.
    fn ended(&self, error: Option<&std::io::Error>) -> CloseReason {
        let admission = self.admission.borrow();
        let fault = admission.as_ref().and_then(|it| it.ending.as_ref()).and_then(Ending::fault);
        end_of_stream(error, fault)
    }

    /// Gives the bytes that were read to the shard. While the reflector drains it drops them: the
    /// kernel resets a connection that is closed with unread bytes, and the peer would lose what
    /// was flushed to it.
    fn received(&self, core: &Core, bytes: &[u8]) -> Flow {
        if bytes.is_empty() || core.is_draining.get() {
            return Flow::Continue;
        }
        if let Some(follower) = &mut *self.follower.borrow_mut() {
            follower.received(bytes);
        }
        core.wake.set();
        core.shard.borrow_mut().received(core.now(), self.slot, bytes)
    }

    fn next_write(&self, core: &Core) -> Write {
        let now = core.now();
        let write = core.shard.borrow_mut().next_write(now, self.slot, &mut || self.tcp_info());
        if let Write::Bytes { bytes, .. } = &write {
            self.is_sent(bytes);
        }
        write
    }

    /// Shows written bytes to the follower of the session.
    fn is_sent(&self, bytes: &OutBuf) {
        if let Some(follower) = &mut *self.follower.borrow_mut() {
            follower.sent(&bytes.to_vec());
        }
    }

    fn begin(&self, bytes: OutBuf, record: bool) {
        *self.sending.borrow_mut() = Some(Sending::new(bytes, 0, record));
    }

    /// Ready when no write is in flight any more, with whether one was. `cx` must be the task's.
    fn poll_sending(&self, core: &Core, cx: &mut Context<'_>) -> Poll<Result<bool, CloseReason>> {
        let mut place = self.sending.borrow_mut();
        let Some(sending) = &mut *place else { return Poll::Ready(Ok(false)) };
        while !sending.is_done() {
            let error = match ready!(self.stream.poll_send(cx, sending)) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(_) => continue,
                Err(error) => error,
            };
            return Poll::Ready(Err(self.ended(Some(&error))));
        }
        if let Some(bytes) = place.take().and_then(Sending::into_buffer) {
            core.shard.borrow_mut().written(core.now(), self.slot, bytes);
        }
        Poll::Ready(Ok(true))
    }
}
