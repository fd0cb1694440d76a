//! One connection: a task that reads and a task that writes, around one socket.
//!
//! Both borrow the shard only between awaits. The reader reads at most [`READ_MAX`](crate::shard::READ_MAX) bytes per turn,
//! which is a connection's budget: a publisher that always has more takes its turns with the others.
//! The writer has one write in flight; where the kernel can be asked without waiting, the turn
//! itself writes ([`Connection::kick`]) and the task only steps in when the socket is full.
//!
//! A connection ends in one way only: the shard lists it as closed, the driver shuts the socket
//! down, which ends whatever either task waits for, and both return.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::access::Place;
use super::driver::Core;
use super::event::Event;
use super::follow::Follower;
use super::lobby::Seat;
use crate::io::{OutBuf, Stream, yield_turn};
use crate::session::{CloseReason, LOW_WATER, Sight};
use crate::shard::{Flow, READ_MIN, Slot, Write};

/// A write that the socket has not taken whole.
#[derive(Debug)]
struct Pending {
    bytes: OutBuf,
    from: usize,
    record: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) slot: Slot,
    pub(super) remote: SocketAddr,
    stream: Stream,
    /// Counts for its source for as long as this lives.
    _place: Place,
    /// Among those that wait for a HELLO, or the sessions.
    pub(super) seat: Seat,
    is_closed: Cell<bool>,
    /// Whether a KEEPALIVE wakes nobody.
    is_held: Cell<bool>,
    /// Tells the reader that it may read again.
    pub(super) resume: Event,
    /// Tells the writer that there is something to do.
    write: Event,
    pending: RefCell<Option<Pending>>,
    /// Reads along, if somebody follows the session.
    pub(super) follower: RefCell<Option<Box<Follower>>>,
}

impl Connection {
    pub(super) fn new(
        slot: Slot,
        remote: SocketAddr,
        stream: Stream,
        place: Place,
        seat: Seat,
    ) -> Self {
        Self {
            slot,
            remote,
            stream,
            _place: place,
            seat,
            is_closed: Cell::new(false),
            is_held: Cell::new(false),
            resume: Event::default(),
            write: Event::default(),
            pending: RefCell::new(None),
            follower: RefCell::new(None),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Ends both tasks.
    pub(super) fn shut_down(&self) {
        self.is_closed.set(true);
        self.stream.shutdown();
        self.resume.set();
        self.write.set();
    }

    /// What the kernel says about the connection.
    pub(super) fn sight(&self) -> Option<Sight> {
        self.stream.facts().map(Sight::from)
    }

    /// How long ago the peer's kernel was heard.
    pub(super) fn heard(&self) -> Option<Duration> {
        self.stream.heard()
    }

    /// Lets the peer's KEEPALIVEs wait.
    pub(super) fn hold(&self) {
        if !self.is_held.get() {
            // A peer that can't be held wakes the thread each time, which is only dearer.
            self.is_held.set(self.stream.set_low_water(LOW_WATER).is_ok());
        }
    }

    /// Takes in the KEEPALIVE that has waited. Whatever comes next wakes the thread.
    pub(super) fn let_go(&self, core: &Core) {
        let mut buffer = core.buffer.borrow_mut();
        // The end of the stream and errors wake the reader, who tells of them.
        if let Ok(n) = self.stream.fetch(&mut buffer) {
            self.received(core, &buffer[..n]);
        }
        drop(buffer);
        core.shard.borrow_mut().fetched(self.slot);
        if self.is_held.replace(false) {
            self.stream.set_low_water(1).ok();
        }
    }

    /// Writes what the shard has for this peer, as far as that needs no waiting.
    pub(super) fn kick(&self, core: &Core) {
        if !core.writes_inline || self.pending.borrow().is_some() {
            self.write.set();
            return;
        }
        let now = core.now();
        let mut shard = core.shard.borrow_mut();
        match shard.next_write(now, self.slot, &mut || self.sight()) {
            Write::Nothing => {}
            Write::WaitUntil(_) => self.write.set(),
            Write::Bytes { bytes, record } => {
                self.is_sent(&bytes);
                let sent = self.stream.try_send(&bytes, record).unwrap_or(0);
                if sent == bytes.len() {
                    shard.written(now, self.slot, bytes);
                } else {
                    // An error shows again when the task sends the rest.
                    *self.pending.borrow_mut() = Some(Pending { bytes, from: sent, record });
                    self.write.set();
                }
            }
        }
    }

    /// Serves the connection until it has been closed.
    pub(super) async fn run(self: Rc<Self>, core: Rc<Core>) {
        let mut read = pin!(self.read(&core));
        let mut write = pin!(self.write(&core));
        let (mut reads, mut writes) = (true, true);
        poll_fn(|cx| {
            reads = reads && read.as_mut().poll(cx).is_pending();
            writes = writes && write.as_mut().poll(cx).is_pending();
            if reads || writes { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        // Only the driver's word that it knows frees the slot: what it still has to say about this
        // session must not be said about the next one.
        while !self.is_closed.get() {
            self.write.wait().await;
        }
        core.released(self.slot);
    }

    fn fail(&self, core: &Core, reason: CloseReason) {
        core.shard.borrow_mut().close(self.slot, reason);
        core.wake.set();
    }

    async fn read(&self, core: &Core) {
        // Whether there is likely more, which needs no waiting.
        let mut has_more = false;
        while !self.is_closed.get() {
            let ready = match has_more {
                true => self.stream.check(),
                false => self.stream.readable().await,
            };
            if let Err(error) = ready {
                return self.fail(core, CloseReason::Connection(error.kind()));
            }
            if self.is_closed.get() {
                continue;
            }
            has_more = match self.read_once(core) {
                Err(reason) => return self.fail(core, reason),
                Ok((_, Flow::Closed)) => return,
                Ok((_, Flow::Pause)) => {
                    self.resume.wait().await;
                    true
                }
                Ok((0, Flow::Continue)) => false,
                // There may be more: let the others have their turn first.
                Ok((n, Flow::Continue)) => {
                    yield_turn().await;
                    n >= READ_MIN
                }
            };
        }
    }

    /// Reads what is there, up to the budget.
    fn read_once(&self, core: &Core) -> Result<(usize, Flow), CloseReason> {
        let room = core.shard.borrow_mut().read_room(self.slot);
        if room == 0 {
            return Ok((0, Flow::Pause));
        }
        let mut buffer = core.buffer.borrow_mut();
        match self.stream.try_read(&mut buffer[..room]) {
            Ok(0) => Err(CloseReason::PeerClosed),
            Ok(n) => Ok((n, self.received(core, &buffer[..n]))),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok((0, Flow::Continue)),
                kind => Err(CloseReason::Connection(kind)),
            },
        }
    }

    /// Gives to the shard what was read. While the reflector drains it is thrown away instead: the
    /// kernel resets a connection that is closed with something unread, and the peer would lose what
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

    async fn write(&self, core: &Core) {
        loop {
            self.write.wait().await;
            loop {
                if self.is_closed.get() {
                    return;
                }
                let pending = self.pending.borrow_mut().take();
                let pending = match pending {
                    Some(pending) => pending,
                    None => match self.next_write(core) {
                        Write::Bytes { bytes, record } => Pending { bytes, from: 0, record },
                        Write::Nothing => break,
                        Write::WaitUntil(then) => {
                            let wait = then.since(core.now()).max(Duration::from_millis(1));
                            let sleep = tokio::time::sleep(wait);
                            tokio::select! {
                                () = sleep => {}
                                () = self.write.wait() => {}
                            }
                            continue;
                        }
                    },
                };
                if let Err(error) = self.send(core, pending).await {
                    return self.fail(core, CloseReason::Connection(error.kind()));
                }
            }
        }
    }

    fn next_write(&self, core: &Core) -> Write {
        let now = core.now();
        let write = core.shard.borrow_mut().next_write(now, self.slot, &mut || self.sight());
        if let Write::Bytes { bytes, .. } = &write {
            self.is_sent(bytes);
        }
        write
    }

    /// Lets who follows the session read along.
    fn is_sent(&self, bytes: &OutBuf) {
        if let Some(follower) = &mut *self.follower.borrow_mut() {
            follower.sent(&bytes.to_vec());
        }
    }

    async fn send(&self, core: &Core, pending: Pending) -> std::io::Result<()> {
        let Pending { mut bytes, mut from, record } = pending;
        while from < bytes.len() {
            let (result, given_back) = self.stream.send(bytes, from, record).await;
            bytes = given_back;
            match result {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => from += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut shard = core.shard.borrow_mut();
        shard.written(core.now(), self.slot, bytes);
        if shard.wants_turn() || shard.awaits_writes() || shard.has_outgoing() {
            core.wake.set();
        }
        Ok(())
    }
}
