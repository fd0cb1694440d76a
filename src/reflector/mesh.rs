//! The channels between shards; what goes through them and why is in `shard::mesh`.
//!
//! Each shard has one bounded channel per lane, into which every other shard sends, each up to a share of
//! its own. One parcel per
//! turn and receiver means one wake, however many messages it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::ids::ShardId;
use crate::shard::{Delivery, PARCELS, REQUESTS_UNDER_WAY, Request, Shard};

/// One shard's ends of all channels.
#[derive(Debug)]
pub(crate) struct Port {
    id: ShardId,
    requests_to: Vec<Outlet<Vec<Request>>>,
    deliveries_to: Vec<Outlet<Vec<Delivery>>>,
    pub(crate) requests: Inlet<Parcel<Vec<Request>>>,
    pub(crate) deliveries: Inlet<Parcel<Vec<Delivery>>>,
}

/// The messages that one shard sends another at once.
#[derive(Debug)]
pub(crate) struct Parcel<T> {
    content: T,
    weight: usize,
    /// The weight of the sender's parcels that the receiver has not taken, including this one until it is
    /// opened.
    under_way: Arc<AtomicUsize>,
}

impl<T> Parcel<T> {
    /// Takes the content out, which makes room for the sender.
    pub(crate) fn open(self) -> T {
        self.under_way.fetch_sub(self.weight, Ordering::Relaxed);
        self.content
    }
}

/// One sender's end of a channel. Each sender has a share of the channel's places, so that a sender with much to
/// send takes none from the others.
#[derive(Debug)]
struct Outlet<T> {
    channel: Sender<Parcel<T>>,
    under_way: Arc<AtomicUsize>,
    /// At this weight it sends no more; no parcel weighs less than a share of it.
    most: usize,
}

impl<T> Outlet<T> {
    /// Sends a parcel if there is room; drops it if the receiver is gone.
    fn send(&self, content: impl FnOnce() -> Option<T>, weigh: impl FnOnce(&T) -> usize) {
        if self.under_way.load(Ordering::Relaxed) >= self.most {
            if self.channel.is_closed() {
                drop(content());
            }
            return;
        }
        match self.channel.try_reserve() {
            Ok(permit) => {
                if let Some(content) = content() {
                    let weight = weigh(&content).max(self.most / PARCELS);
                    self.under_way.fetch_add(weight, Ordering::Relaxed);
                    permit.send(Parcel { content, weight, under_way: Arc::clone(&self.under_way) });
                }
            }
            Err(TrySendError::Full(())) => {}
            Err(TrySendError::Closed(())) => drop(content()),
        }
    }
}

/// The receiving end of a channel. A task can wait for a message without taking it.
#[derive(Debug)]
pub(crate) struct Inlet<T> {
    channel: Receiver<T>,
    first: Option<T>,
}

impl<T> Inlet<T> {
    pub(crate) fn new(channel: Receiver<T>) -> Self {
        Self { channel, first: None }
    }

    /// The next message, if there is one.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.first.take().or_else(|| self.channel.try_recv().ok())
    }

    /// Whether there is no message and no sender left.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.first.is_none() && self.channel.is_empty() && self.channel.is_closed()
    }

    /// Whether there is a message; if not, the task is woken when there is. A closed channel never
    /// has one.
    pub(crate) fn poll_has(&mut self, cx: &mut Context<'_>) -> bool {
        if self.first.is_none()
            && let Poll::Ready(message) = self.channel.poll_recv(cx)
        {
            self.first = message;
        }
        self.first.is_some()
    }
}

/// The ports of a reflector with this number of shards.
pub(crate) fn ports(shards: usize) -> Vec<Port> {
    let (requests_to, requests) = lanes(shards, REQUESTS_UNDER_WAY);
    let (deliveries_to, deliveries) = lanes(shards, PARCELS);
    (0..)
        .zip(requests_to.into_iter().zip(deliveries_to))
        .zip(requests.into_iter().zip(deliveries))
        .map(|((id, (requests_to, deliveries_to)), (requests, deliveries))| Port {
            id: ShardId(id),
            requests_to,
            deliveries_to,
            requests,
            deliveries,
        })
        .collect()
}

/// Both ends of the lanes of all shards.
type Ends<T> = (Vec<Vec<Outlet<T>>>, Vec<Inlet<Parcel<T>>>);

/// For each shard, its ends towards all shards, and its receiving end.
fn lanes<T>(shards: usize, most: usize) -> Ends<T> {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..shards).map(|_| channel(PARCELS * shards)).unzip();
    let outlet =
        |channel: &Sender<_>| Outlet { channel: channel.clone(), under_way: Arc::default(), most };
    let outlets = (0..shards).map(|_| senders.iter().map(outlet).collect()).collect();
    (outlets, receivers.into_iter().map(Inlet::new).collect())
}

impl Port {
    /// Sends the messages that wait for other shards, as far as their channels have room. Messages for a shard that is
    /// gone are dropped: the reflector is stopping.
    pub(crate) fn flush(&self, shard: &mut Shard) {
        for to in (0..).zip(&self.requests_to).map(|(id, _)| ShardId(id)) {
            if to == self.id {
                continue;
            }
            self.requests_to[to.index()].send(
                || shard.take_requests(to),
                |requests| requests.iter().map(Request::cost).sum(),
            );
            self.deliveries_to[to.index()].send(|| shard.take_deliveries(to), |_| 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Moment, PeerId};
    use crate::policy::{Rights, Selection};
    use crate::table::Origin;
    use crate::wire::Vni;

    type Requests = Vec<Request>;

    /// Both ends of a lane from two shards to a third.
    fn lane() -> (Vec<Outlet<Requests>>, Inlet<Parcel<Requests>>) {
        let (outlets, mut inlets) = lanes(3, REQUESTS_UNDER_WAY);
        let outlets = outlets.into_iter().take(2).map(|mut to| to.remove(2)).collect();
        (outlets, inlets.remove(2))
    }

    fn parcel(cost: usize) -> Requests {
        let origin = Origin {
            peer: PeerId(1),
            shard: ShardId(0),
            is_server: false,
            rights: Rights::default(),
            selection: Selection::default(),
        };
        let vni = Vni(1);
        let subscribe = || Request::Subscribe { origin, vni, received: Moment(0), is_retry: false };
        (0..cost).map(|_| subscribe()).collect()
    }

    /// Fills an outlet, and returns the number of parcels that it took.
    fn fill(outlet: &Outlet<Requests>, cost: usize) -> usize {
        let mut sent = 0;
        loop {
            let mut is_sent = false;
            let content = || {
                is_sent = true;
                Some(parcel(cost))
            };
            outlet.send(content, |requests| requests.iter().map(Request::cost).sum());
            if !is_sent {
                return sent;
            }
            sent += 1;
        }
    }

    #[test]
    fn a_sender_has_16_parcels_under_way_and_takes_no_place_of_another() {
        let (outlets, mut inlet) = lane();
        assert_eq!(fill(&outlets[0], 1), 16);
        assert_eq!(fill(&outlets[1], 1), 16);
        for _ in 0..3 {
            inlet.take().expect("a parcel").open();
        }
        assert_eq!((fill(&outlets[0], 1), fill(&outlets[1], 1)), (3, 0));
    }

    #[test]
    fn a_sender_has_4096_updates_under_way_and_what_the_last_parcel_adds() {
        let (outlets, mut inlet) = lane();
        assert_eq!(fill(&outlets[0], 1000), 5);
        // A parcel taken out of the channel makes no room yet: it must be opened.
        let parcel = inlet.take().expect("a parcel");
        assert_eq!(fill(&outlets[0], 1000), 0);
        assert_eq!(parcel.open().len(), 1000);
        assert_eq!(fill(&outlets[0], 1000), 1);
    }
}
