//! The sessions of one shard that operators follow.

use std::cell::RefCell;
use std::rc::Rc;

use super::connection::Connection;
use super::driver::Core;
use crate::diary::{Detail, Follower};
use crate::ids::PeerId;
use crate::session::CloseReason;

/// The followed sessions of one shard.
#[derive(Debug, Default)]
pub(super) struct Followed {
    connections: RefCell<Vec<Rc<Connection>>>,
}

impl Core {
    /// Begins or stops to log more about a session; `None` when there is no session of that name.
    pub(super) fn follow(&self, id: PeerId, detail: Option<Detail>) -> Option<()> {
        let slot = self.shard.borrow().inspect().slot_of(id)?;
        let connection = self.connection(slot)?;
        let remotes = |_| Some(connection.remote);
        let node = self.shard.borrow().inspect().peer(self.now(), id, &remotes)?.node;
        let mut followed = self.followed.connections.borrow_mut();
        followed.retain(|other| other.slot != slot);
        let follower = detail.map(|detail| {
            followed.push(Rc::clone(&connection));
            Box::new(Follower::begin(id, &node, connection.remote, detail))
        });
        if follower.is_none() {
            Follower::end(id, &node);
        }
        *connection.follower.borrow_mut() = follower;
        Some(())
    }

    /// Call this after a turn: it logs the changes of followed sessions.
    pub(super) fn say_changes(&self) {
        for connection in self.followed.connections.borrow().iter() {
            let mut follower = connection.follower.borrow_mut();
            let Some(follower) = &mut *follower else { continue };
            let remotes = |_| Some(connection.remote);
            let info = self.shard.borrow().inspect().peer(self.now(), follower.peer(), &remotes);
            if let Some(info) = info {
                follower.compare(&info);
            }
        }
    }

    /// A connection leaves for another shard, and its follower goes with it.
    pub(super) fn take_follower(&self, connection: &Connection) -> Option<Box<Follower>> {
        let follower = connection.follower.borrow_mut().take()?;
        let mut followed = self.followed.connections.borrow_mut();
        followed.retain(|other| other.slot != connection.slot);
        Some(follower)
    }

    /// A connection that is followed has arrived.
    pub(super) fn go_on_following(&self, connection: &Rc<Connection>, follower: Box<Follower>) {
        *connection.follower.borrow_mut() = Some(follower);
        self.followed.connections.borrow_mut().push(Rc::clone(connection));
    }

    /// A session has ended: its follower logs that and ends.
    pub(super) fn follows_no_more(&self, connection: &Connection, reason: &CloseReason) {
        if let Some(follower) = connection.follower.borrow_mut().take() {
            follower.ended(reason);
            let mut followed = self.followed.connections.borrow_mut();
            followed.retain(|other| other.slot != connection.slot);
        }
    }

    /// Whether any session is followed.
    pub(super) fn follows_any(&self) -> bool {
        !self.followed.connections.borrow().is_empty()
    }
}
