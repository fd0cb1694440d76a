//! From a shard to those who watch it.
//!
//! State: the sending ends of taps, each with the number of events that did not fit. The shard
//! never waits: what a tap's channel has no room for is counted, and the count is sent when there
//! is room again. A tap whose receiver is gone is noticed with the next event, or by the tick.

use std::net::SocketAddr;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::inspector::TapEvent;
use crate::ids::{PeerId, ShardId};
use crate::shard::inspect::{TapFilter, Tapped};
use crate::shard::{Closed, Shard};

/// What goes through a tap's channel: a batch stays encoded until its reader gets to it.
#[derive(Debug)]
pub(super) enum Parcel {
    Updates(Tapped),
    Event(TapEvent),
}

impl Parcel {
    fn events(&self) -> u64 {
        match self {
            Self::Updates(tapped) => tapped.updates,
            Self::Event(_) => 1,
        }
    }
}

/// The sending end of one tap.
#[derive(Debug)]
pub(super) struct Outlet {
    filter: TapFilter,
    channel: Sender<Parcel>,
    missed: u64,
}

impl Outlet {
    pub(super) fn new(filter: TapFilter, channel: Sender<Parcel>) -> Self {
        Self { filter, channel, missed: 0 }
    }

    fn send(&mut self, parcel: Parcel) {
        self.own_up();
        let events = parcel.events();
        if self.missed > 0 || matches!(self.channel.try_send(parcel), Err(TrySendError::Full(_))) {
            self.missed += events;
        }
    }

    /// Says how many were missed, if there is room.
    fn own_up(&mut self) {
        if self.missed > 0 && self.channel.capacity() > 1 {
            let event = TapEvent::Missed(self.missed);
            if self.channel.try_send(Parcel::Event(event)).is_ok() {
                self.missed = 0;
            }
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Outlets {
    shard: ShardId,
    outlets: Vec<Outlet>,
}

impl Outlets {
    pub(super) fn new(shard: ShardId) -> Self {
        Self { shard, outlets: Vec::new() }
    }

    pub(super) fn add(&mut self, shard: &mut Shard, outlet: Outlet) {
        shard.tap(outlet.filter);
        self.outlets.push(outlet);
    }

    /// Hands on what watched VNIs have sealed.
    pub(super) fn sealed(&mut self, shard: &mut Shard) {
        if self.outlets.is_empty() {
            return;
        }
        for tapped in shard.take_tapped() {
            for outlet in self.outlets.iter_mut().filter(|o| o.filter.covers(tapped.vni)) {
                outlet.send(Parcel::Updates(tapped.clone()));
            }
        }
        self.drop_abandoned(shard);
    }

    pub(super) fn established(&mut self, peer: PeerId, remote: SocketAddr, node: &str) {
        let shard = self.shard;
        self.event(|| TapEvent::Established { peer, shard, remote, node: node.into() });
    }

    pub(super) fn closed(&mut self, closed: &Closed, remote: SocketAddr) {
        let shard = self.shard;
        self.event(|| TapEvent::Closed {
            peer: closed.peer,
            shard,
            remote,
            node: closed.node.clone(),
            reason: closed.reason.clone(),
        });
    }

    /// Now and then: says what was missed, and forgets taps that nobody reads any more.
    pub(super) fn tick(&mut self, shard: &mut Shard) {
        self.outlets.iter_mut().for_each(Outlet::own_up);
        self.drop_abandoned(shard);
    }

    fn event(&mut self, event: impl Fn() -> TapEvent) {
        for outlet in &mut self.outlets {
            outlet.send(Parcel::Event(event()));
        }
    }

    fn drop_abandoned(&mut self, shard: &mut Shard) {
        self.outlets.retain(|outlet| {
            let is_read = !outlet.channel.is_closed();
            if !is_read {
                shard.untap(outlet.filter);
            }
            is_read
        });
    }
}
