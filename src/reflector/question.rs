//! An operator's question to one shard, answered by the shard's own thread between two turns.
//!
//! A question is a closure that ends within one bounded slice of work (`shard::inspect`), so what it
//! borrows is borrowed for no longer than handling one read takes.

use std::fmt;

use super::driver::Core;
use crate::io::thread_time;
use crate::monitor::MonitorSender;
use crate::shard::Shard;
use crate::shard::inspect::Metrics;

type Body = Box<dyn FnOnce(&Core) + Send>;

/// See the module's documentation.
pub(super) struct Question(Body);

impl Question {
    pub(super) fn new(body: impl FnOnce(&Core) + Send + 'static) -> Self {
        Self(Box::new(body))
    }

    pub(super) fn run(self, core: &Core) {
        (self.0)(core);
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Question")
    }
}

impl Core {
    /// What the shard and its driver count.
    pub(super) fn metrics(&self) -> Metrics {
        let metrics = self.shard.borrow().metrics();
        Metrics { turns: *self.turns.borrow(), busy: thread_time(), ..metrics }
    }

    /// Somebody watches from now on.
    pub(super) fn add_monitor(&self, monitor: MonitorSender) {
        let shard: &mut Shard = &mut self.shard.borrow_mut();
        self.monitors.borrow_mut().add(shard, monitor);
    }
}
