//! From a shard to those who watch it.
//!
//! State: the sending ends of monitors, each with the number of events that did not fit. The shard
//! never waits: what a monitor's channel has no room for is counted, and the count is sent when there
//! is room again. A monitor whose receiver is gone is noticed with the next event, or by the tick.

use std::net::SocketAddr;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::{MonitorEvent, Parcel, Stamped};
use crate::ids::{PeerId, ShardId};
use crate::shard::inspect::MonitorFilter;
use crate::shard::{Closed, Shard};

/// The sending end of one monitor.
#[derive(Debug)]
pub(crate) struct MonitorSender {
    filter: MonitorFilter,
    channel: Sender<Stamped>,
    missed: u64,
}

impl MonitorSender {
    pub(crate) fn new(filter: MonitorFilter, channel: Sender<Stamped>) -> Self {
        Self { filter, channel, missed: 0 }
    }

    fn send(&mut self, parcel: Parcel) {
        self.own_up();
        let events = parcel.events();
        if self.missed > 0
            || matches!(self.channel.try_send(parcel.into()), Err(TrySendError::Full(_)))
        {
            self.missed += events;
        }
    }

    /// Sends the number of missed events, if there is room.
    fn own_up(&mut self) {
        if self.missed > 0 && self.channel.capacity() > 1 {
            let event = MonitorEvent::Missed(self.missed);
            if self.channel.try_send(Parcel::Event(event).into()).is_ok() {
                self.missed = 0;
            }
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct MonitorSenders {
    shard: ShardId,
    monitors: Vec<MonitorSender>,
}

impl MonitorSenders {
    pub(crate) fn new(shard: ShardId) -> Self {
        Self { shard, monitors: Vec::new() }
    }

    pub(crate) fn add(&mut self, shard: &mut Shard, monitor: MonitorSender) {
        shard.add_monitor(monitor.filter);
        self.monitors.push(monitor);
    }

    /// Hands on the batches that watched VNIs have sealed.
    pub(crate) fn sealed(&mut self, shard: &mut Shard) {
        if self.monitors.is_empty() {
            return;
        }
        for monitored in shard.take_monitored() {
            for monitor in self.monitors.iter_mut().filter(|o| o.filter.covers(monitored.vni)) {
                monitor.send(Parcel::Updates(monitored.clone()));
            }
        }
        self.drop_abandoned(shard);
    }

    pub(crate) fn established(&mut self, peer: PeerId, remote: SocketAddr, node: &str) {
        let shard = self.shard;
        self.event(|| MonitorEvent::Established { peer, shard, remote, node: node.into() });
    }

    pub(crate) fn closed(&mut self, closed: &Closed, remote: SocketAddr) {
        let shard = self.shard;
        self.event(|| MonitorEvent::Closed {
            peer: closed.peer,
            shard,
            remote,
            node: closed.node.clone(),
            reason: closed.reason.clone(),
        });
    }

    /// Called now and then: sends numbers of missed events, and forgets monitors without a reader.
    pub(crate) fn tick(&mut self, shard: &mut Shard) {
        self.monitors.iter_mut().for_each(MonitorSender::own_up);
        self.drop_abandoned(shard);
    }

    fn event(&mut self, event: impl Fn() -> MonitorEvent) {
        for monitor in &mut self.monitors {
            monitor.send(Parcel::Event(event()));
        }
    }

    fn drop_abandoned(&mut self, shard: &mut Shard) {
        self.monitors.retain(|monitor| {
            let is_read = !monitor.channel.is_closed();
            if !is_read {
                shard.remove_monitor(monitor.filter);
            }
            is_read
        });
    }
}
