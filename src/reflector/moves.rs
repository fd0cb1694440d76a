//! Connections leave a shard's thread and arrive on another, with their sockets.

use std::rc::Rc;

use super::connection::Connection;
use super::driver::Core;
use crate::io::{Backend, Stream};
use crate::session::CloseReason;
use crate::shard::moves::{Answer, MoveCommand, MoveOrder};
use crate::threads::Mover;

/// Carries a command out.
pub(super) fn obey(core: &Rc<Core>, backend: Backend, command: MoveCommand<Mover>) {
    match command {
        MoveCommand::Order(order) => {
            let now = core.now();
            match order {
                MoveOrder::Part { .. } => core.all_leave.set(true),
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
    pub(super) fn send_away(&self, connection: &Rc<Connection>) -> bool {
        let slot = connection.slot;
        if !self.shard.borrow().leaves(slot) {
            return false;
        }
        let (socket, admission, rest) = match connection.take_apart(self.all_leave.get()) {
            Ok((socket, Some(admission), rest)) => (socket, admission, rest),
            Ok(_) => return false,
            Err(error) => {
                let reason = CloseReason::Connection(error.kind());
                self.shard.borrow_mut().close(slot, reason);
                self.wake.set();
                return false;
            }
        };
        let follower = self.take_follower(connection);
        let left = self.shard.borrow_mut().leave(self.now(), slot, rest.into());
        let Some(traveller) = left else { return false };
        self.left(slot);
        let remote = connection.remote;
        let connection = Mover::new(traveller, socket, remote, admission, follower);
        self.answer(Answer::Moves { connection });
        true
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
            let mut shard = core.shard.borrow_mut();
            shard.close(slot, CloseReason::Connection(error.kind()));
            shard.release(slot);
            core.gauge.connections.subtract(1);
        }
    }
    core.wake.set();
}
