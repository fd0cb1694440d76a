//! An operator's question to one shard, answered by the shard's own thread between two turns.
//!
//! A question is a closure with one bounded slice of work (`shard::inspect`), so it borrows the shard for no longer
//! than the shard needs to process one read.

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

    /// The present moment, by the clock that all threads share.
    fn now(&self) -> Moment;

    /// The address of the other end of a connection.
    fn remote(&self, slot: Slot) -> Option<SocketAddr>;

    /// The counters of the shard and its driver.
    fn metrics(&self) -> Metrics;

    /// Sends changes and events to this monitor from now on.
    fn add_monitor(&self, monitor: MonitorSender);

    /// Follows a session in the log, or stops doing so; `None` if the shard has no such session.
    fn follow(&self, id: PeerId, detail: Option<Detail>) -> Option<()>;

    /// Federation, if this shard has it.
    fn federation(&self) -> Option<&Federation>;
}
