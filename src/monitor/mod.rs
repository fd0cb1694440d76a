//! A live view of what happens: changes of routes, and sessions that begin and end.
//!
//! Each shard gets a [`MonitorSender`], for which it never waits; a [`Monitor`] is the receiving end.
//!
//! Imports: diary, ids, session, shard, wire.

mod senders;

use std::collections::VecDeque;
use std::net::SocketAddr;

use tokio::sync::mpsc;

pub(crate) use self::senders::{MonitorSender, MonitorSenders};
use crate::diary;
use crate::ids::{PeerId, ShardId};
use crate::session::CloseReason;
use crate::shard::inspect::MonitoredBatch;
use crate::wire::{Action, Message, Update, whole_frames};

/// An event of a [`Monitor`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MonitorEvent {
    /// A route was added: its first announcer has announced it.
    Added {
        /// The route. The action is `Add`.
        route: Update,
        /// The announcer; `None` if there are already several.
        announcer: Option<PeerId>,
    },
    /// A route was removed: its last announcer has withdrawn it or left.
    Withdrawn {
        /// The route. The action is `Remove`.
        route: Update,
        /// The last announcer; `None` if there were several.
        announcer: Option<PeerId>,
    },
    /// A session is established.
    Established {
        /// The session.
        peer: PeerId,
        /// The shard of its connection.
        shard: ShardId,
        /// Its remote address.
        remote: SocketAddr,
        /// The node named in its HELLO; may be empty.
        node: Box<str>,
    },
    /// A session has ended.
    Closed {
        /// The session.
        peer: PeerId,
        /// The shard of its connection.
        shard: ShardId,
        /// Its remote address.
        remote: SocketAddr,
        /// The node named in its HELLO; may be empty.
        node: Box<str>,
        /// Why it ended.
        reason: CloseReason,
    },
    /// This number of events of one shard is missing here, because the monitor was not read fast enough.
    Missed(u64),
}

/// An item of a monitor's channel: a batch stays encoded until the reader gets to it.
#[derive(Debug)]
pub(crate) enum Parcel {
    Updates(MonitoredBatch),
    Event(MonitorEvent),
}

/// A parcel, and when it was sent, in microseconds since 1970.
#[derive(Debug)]
pub(crate) struct Stamped {
    pub(crate) at: u64,
    pub(crate) parcel: Parcel,
}

impl From<Parcel> for Stamped {
    fn from(parcel: Parcel) -> Self {
        Self { at: diary::now(), parcel }
    }
}

impl Parcel {
    pub(crate) fn events(&self) -> u64 {
        match self {
            Self::Updates(monitored) => monitored.updates,
            Self::Event(_) => 1,
        }
    }
}

/// The reading end of a monitor. Dropping it ends the monitor.
///
/// The reflector never waits for a monitor: a monitor holds a bounded number of events; events that do not fit are
/// dropped and counted ([`MonitorEvent::Missed`]). The events of one VNI are in order, and so are those of one
/// session. A route that was added and removed within one batch (about a millisecond) causes no event.
#[derive(Debug)]
pub struct Monitor {
    parcels: mpsc::Receiver<Stamped>,
    /// Events of the opened parcel, and their times.
    events: VecDeque<(u64, MonitorEvent)>,
}

impl Monitor {
    pub(crate) fn new(parcels: mpsc::Receiver<Stamped>) -> Self {
        Self { parcels, events: VecDeque::new() }
    }

    /// The next event; `None` once the reflector has stopped. Cancel safe.
    pub async fn next(&mut self) -> Option<MonitorEvent> {
        self.next_at().await.map(|(_, event)| event)
    }

    /// The next event and its time, in microseconds since 1970. The time of a route event is the time at which its
    /// batch was sealed.
    pub async fn next_at(&mut self) -> Option<(u64, MonitorEvent)> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let parcel = self.parcels.recv().await?;
            self.open(parcel);
        }
    }

    /// The next event if one waits; does not wait for one.
    pub fn try_next(&mut self) -> Option<MonitorEvent> {
        self.try_next_at().map(|(_, event)| event)
    }

    /// The same, with its time in microseconds since 1970.
    pub fn try_next_at(&mut self) -> Option<(u64, MonitorEvent)> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let parcel = self.parcels.try_recv().ok()?;
            self.open(parcel);
        }
    }

    fn open(&mut self, Stamped { at, parcel }: Stamped) {
        match parcel {
            Parcel::Event(event) => self.events.push_back((at, event)),
            Parcel::Updates(monitored) => self.updates(at, monitored),
        }
    }

    fn updates(&mut self, at: u64, monitored: MonitoredBatch) {
        let MonitoredBatch { bytes, mut own, .. } = monitored;
        own.sort_unstable_by_key(|(part, _)| part.start);
        let mut end = 0;
        for frame in whole_frames(&bytes) {
            let begin = end;
            end += frame.len();
            let Ok(Message::Update(route)) = Message::decode(&frame) else { continue };
            let next = own.partition_point(|(part, _)| part.start as usize <= begin);
            let part = next.checked_sub(1).map(|last| &own[last]);
            let announcer =
                part.filter(|(part, _)| begin < part.end as usize).map(|(_, announcer)| *announcer);
            let event = match route.action {
                Action::Add => MonitorEvent::Added { route, announcer },
                Action::Remove => MonitorEvent::Withdrawn { route, announcer },
            };
            self.events.push_back((at, event));
        }
    }
}
