//! The channels between shards; what goes through them and why is in `shard::mesh`.
//!
//! Each shard has one bounded channel per lane, into which every other shard sends. One parcel per
//! turn and receiver means one wake, however many messages it holds.

use std::task::{Context, Poll};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::ids::ShardId;
use crate::shard::{Delivery, PARCELS, Request, Shard};

/// One shard's ends of all channels.
#[derive(Debug)]
pub(crate) struct Port {
    id: ShardId,
    requests_to: Vec<Sender<Vec<Request>>>,
    deliveries_to: Vec<Sender<Vec<Delivery>>>,
    pub(crate) requests: Inlet<Vec<Request>>,
    pub(crate) deliveries: Inlet<Vec<Delivery>>,
}

/// The receiving end of a channel, which can be waited for without being emptied.
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

    /// Whether there is no message and nobody left to send one.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.first.is_none() && self.channel.is_empty() && self.channel.is_closed()
    }

    /// Whether there is a message; if not, the task is woken when there is. A closed channel has
    /// none for ever.
    pub(crate) fn poll_has(&mut self, cx: &mut Context<'_>) -> bool {
        if self.first.is_none()
            && let Poll::Ready(message) = self.channel.poll_recv(cx)
        {
            self.first = message;
        }
        self.first.is_some()
    }
}

/// The ports of a reflector of so many shards.
pub(crate) fn ports(shards: usize) -> Vec<Port> {
    let (requests_to, requests): (Vec<_>, Vec<_>) =
        (0..shards).map(|_| channel(PARCELS * shards)).unzip();
    let (deliveries_to, deliveries): (Vec<_>, Vec<_>) =
        (0..shards).map(|_| channel(PARCELS * shards)).unzip();
    requests
        .into_iter()
        .zip(deliveries)
        .zip(0..)
        .map(|((requests, deliveries), id)| Port {
            id: ShardId(id),
            requests_to: requests_to.clone(),
            deliveries_to: deliveries_to.clone(),
            requests: Inlet::new(requests),
            deliveries: Inlet::new(deliveries),
        })
        .collect()
}

impl Port {
    /// Sends what waits for other shards, as far as their channels have room. What a shard that is
    /// gone would have been sent is dropped: the reflector is stopping.
    pub(crate) fn flush(&self, shard: &mut Shard) {
        for to in (0..).zip(&self.requests_to).map(|(id, _)| ShardId(id)) {
            if to == self.id {
                continue;
            }
            send(&self.requests_to[to.index()], || shard.take_requests(to));
            send(&self.deliveries_to[to.index()], || shard.take_deliveries(to));
        }
    }
}

/// Sends a parcel if the channel has room, drops it if there is nobody to receive it.
fn send<T>(channel: &Sender<T>, parcel: impl FnOnce() -> Option<T>) {
    match channel.try_reserve() {
        Ok(permit) => {
            if let Some(parcel) = parcel() {
                permit.send(parcel);
            }
        }
        Err(TrySendError::Full(())) => {}
        Err(TrySendError::Closed(())) => drop(parcel()),
    }
}
