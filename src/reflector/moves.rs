//! Connections leave a shard's thread and arrive on another, with their sockets.
//!
//! A connection that leaves takes a second descriptor of its socket along, for the moment until the first one is
//! closed. If the process may open no more, each shard has one in reserve, and the connection waits until others have
//! closed theirs.

use std::cell::{Cell, RefCell};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use super::connection::Connection;
use super::driver::Core;
use crate::ids::Moment;
use crate::io::{Backend, Spare, Stream};
use crate::session::CloseReason;
use crate::shard::moves::{Answer, MoveCommand, MoveOrder};
use crate::threads::{Admission, Mover};

/// How long a connection that lacks a descriptor waits before it tries again.
const RETRY: Duration = Duration::from_millis(5);
/// How long connections that leave for another process try again: afterwards the handover would end late.
const RETRIES: Duration = Duration::from_secs(1);

/// What has become of a connection that was to leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Departure {
    Left,
    Stays,
    /// It tries again later.
    Waits,
}

/// The lack of descriptors for connections that leave.
#[derive(Debug)]
pub(super) struct Shortage {
    spare: RefCell<Spare>,
    /// When the first connection lacked one that left for another process.
    since: Cell<Option<Moment>>,
    /// Whether connections will try again.
    is_awaited: Cell<bool>,
}

impl Shortage {
    pub(super) fn new() -> Self {
        let mut spare = Spare::default();
        spare.refill();
        Self { spare: RefCell::new(spare), since: Cell::new(None), is_awaited: Cell::new(false) }
    }
}

#[cfg(test)]
mod tests;

/// Carries a command out.
pub(super) fn obey(core: &Rc<Core>, backend: Backend, command: MoveCommand<Mover>) {
    match command {
        MoveCommand::Order(order) => {
            let now = core.now();
            match order {
                MoveOrder::Part { .. } => {
                    core.all_leave.set(true);
                    core.shortage.since.set(None);
                }
                MoveOrder::Thaw { .. } => core.all_leave.set(false),
                _ => {}
            }
            core.heed(&order);
            core.shard.borrow_mut().order(now, order);
        }
        MoveCommand::Adopt { number, connection } => {
            adopt(core, backend, connection);
            core.answer(Answer::Arrived { number });
        }
    }
}

impl Core {
    /// Gives a connection to the coordinator, if it still leaves. Its task ends then.
    pub(super) fn send_away(self: &Rc<Self>, connection: &Rc<Connection>) -> Departure {
        let slot = connection.slot;
        if !self.shard.borrow().leaves(slot) {
            return Departure::Stays;
        }
        let mut spare = self.shortage.spare.borrow_mut();
        spare.refill();
        let parts = connection.take_apart(self.all_leave.get(), &mut spare);
        drop(spare);
        let (socket, admission, rest) = match parts {
            Ok((socket, Some(admission), rest)) => (socket, admission, rest),
            Ok(_) => return Departure::Stays,
            Err(_) if self.may_wait() => {
                self.try_later(connection);
                return Departure::Waits;
            }
            Err(error) => {
                let reason = CloseReason::Connection(error.kind());
                self.shard.borrow_mut().close(slot, reason);
                self.wake.set();
                return Departure::Stays;
            }
        };
        let follower = self.take_follower(connection);
        let left = self.shard.borrow_mut().leave(self.now(), slot, rest.into());
        let Some(traveller) = left else { return Departure::Stays };
        self.left(slot);
        let remote = connection.remote;
        let connection = Mover::new(traveller, socket, remote, admission, follower);
        self.answer(Answer::Moves { connection });
        Departure::Left
    }

    /// Whether a connection that lacks a descriptor may wait for one. A move to another shard is given up when it takes
    /// too long, and then the connection stays; a handover is not, once connections leave.
    fn may_wait(&self) -> bool {
        let now = self.now();
        let since = self.shortage.since.get().unwrap_or(now);
        self.shortage.since.set(Some(since));
        !self.all_leave.get() || now.since(since) < RETRIES
    }

    /// Lets all connections that lack a descriptor try again after a moment.
    fn try_later(self: &Rc<Self>, connection: &Connection) {
        if self.shortage.is_awaited.replace(true) {
            return;
        }
        if self.all_leave.get() {
            connection.end_waits();
        }
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(RETRY).await;
            core.shortage.is_awaited.set(false);
            core.connections().iter().for_each(|connection| connection.leave_again());
        });
    }
}

impl Connection {
    /// Lets the task leave for another shard as soon as the kernel has no write to finish.
    pub(super) fn leave(&self) {
        self.is_leaving.set(true);
        self.wake();
    }

    /// Takes the parts of the connection for the shard where it goes on: the socket, its
    /// admission, and the rest of the write in flight. `with_others`: all connections of the shard go.
    ///
    /// # Errors
    /// If the system has no descriptor left for it.
    pub(super) fn take_apart(
        &self,
        with_others: bool,
        spare: &mut Spare,
    ) -> std::io::Result<(TcpStream, Option<Admission>, Vec<u8>)> {
        let socket = self.stream.detach(with_others, spare)?;
        if self.is_held.replace(false) {
            self.stream.set_low_water(1).ok();
        }
        let rest = self.sending.borrow_mut().take().map_or_else(Vec::new, |it| it.rest());
        Ok((socket, self.admission.take(), rest))
    }

    /// If it still waits to leave, lets its task try again.
    pub(super) fn leave_again(&self) {
        if self.is_leaving.get() {
            self.wake();
        }
    }

    /// Ends all waits of this thread that hold descriptors of connections that have left.
    pub(super) fn end_waits(&self) {
        self.stream.end_waits();
    }
}

/// Serves a connection that comes from another shard.
fn adopt(core: &Rc<Core>, backend: Backend, mover: Mover) {
    let Mover { traveller, socket, remote, admission, follower, ends } = mover;
    let peer = traveller.peer();
    let slot = core.shard.borrow_mut().arrive(core.now(), traveller);
    match Stream::from_std(backend, socket) {
        Ok(stream) => {
            let connection = Rc::new(Connection::new(slot, remote, stream, admission));
            if let Some(follower) = follower {
                core.go_on_following(&connection, follower);
            }
            core.enter(connection);
            // Settings that deny its source may have come while it was on its way; or its last process had others.
            let denied = (!core.allows(remote)).then_some(CloseReason::Denied);
            if let Some(reason) = ends.or(denied) {
                core.shard.borrow_mut().close(slot, reason);
            }
        }
        Err(error) => {
            core.reporter.lost(peer, remote, &error);
            let reason = CloseReason::Connection(error.kind());
            if let Some(follower) = follower {
                follower.ended(&reason);
            }
            // The slot stays taken until the driver has handled the end of the session: the next connection must not
            // get it, because the driver would take the end for that connection's.
            core.unserved.borrow_mut().push((slot, remote));
            core.shard.borrow_mut().close(slot, reason);
        }
    }
    core.wake.set();
}
