//! What operators' questions see of a shard's thread.

use std::cell::RefCell;
use std::net::SocketAddr;

use super::driver::Core;
use crate::diary::Detail;
use crate::federation::Federation;
use crate::ids::{Moment, PeerId};
use crate::io::thread_time;
use crate::monitor::MonitorSender;
use crate::shard::inspect::Metrics;
use crate::shard::{Shard, Slot};
use crate::threads::ShardThread;

impl ShardThread for Core {
    fn shard(&self) -> &RefCell<Shard> {
        &self.shard
    }

    fn now(&self) -> Moment {
        Self::now(self)
    }

    fn remote(&self, slot: Slot) -> Option<SocketAddr> {
        Self::remote(self, slot)
    }

    fn metrics(&self) -> Metrics {
        let metrics = self.shard.borrow().metrics();
        Metrics { turns: *self.turns.borrow(), busy: thread_time(), ..metrics }
    }

    fn add_monitor(&self, monitor: MonitorSender) {
        self.monitors.borrow_mut().add(&mut self.shard.borrow_mut(), monitor);
    }

    fn follow(&self, id: PeerId, detail: Option<Detail>) -> Option<()> {
        Self::follow(self, id, detail)
    }

    fn federation(&self) -> Option<&Federation> {
        Self::federation(self)
    }
}
