//! An operator's question to one shard, answered by the shard's own thread between two turns.
//!
//! A question is a closure that ends within one bounded slice of work (`shard::inspect`), so what it
//! borrows is borrowed for no longer than handling one read takes.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;

use crate::diary::Detail;
use crate::federation::Federation;
use crate::ids::{Moment, PeerId};
use crate::monitor::MonitorSender;
use crate::shard::inspect::Metrics;
use crate::shard::{Shard, Slot};

type Body = Box<dyn FnOnce(&dyn ShardThread) + Send>;

/// See the module's documentation.
pub(crate) struct Question(Body);

impl Question {
    pub(crate) fn new(body: impl FnOnce(&dyn ShardThread) + Send + 'static) -> Self {
        Self(Box::new(body))
    }

    pub(crate) fn run(self, core: &dyn ShardThread) {
        (self.0)(core);
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Question")
    }
}

/// A shard's thread, as questions see it.
pub(crate) trait ShardThread {
    /// The shard.
    fn shard(&self) -> &RefCell<Shard>;

    /// What the clock of all moments says.
    fn now(&self) -> Moment;

    /// The other end of a connection.
    fn remote(&self, slot: Slot) -> Option<SocketAddr>;

    /// What the shard and its driver count.
    fn metrics(&self) -> Metrics;

    /// Somebody watches from now on.
    fn add_monitor(&self, monitor: MonitorSender);

    /// Logs more about a session, or no more; `None` when there is none of that name.
    fn follow(&self, id: PeerId, detail: Option<Detail>) -> Option<()>;

    /// Federation, if it is here.
    fn federation(&self) -> Option<&Federation>;
}
