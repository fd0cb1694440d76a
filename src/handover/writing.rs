//! What is written to a successor.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::channel::{Channel, DESCRIPTORS_MAX};
use super::message::{ToSuccessor, form};
use crate::ids::PeerId;
use crate::portable;
use crate::reflector::handover::{Estate, Ledger, Listening, Use};
use crate::reflector::inspector::Detail;

/// Bytes of the snapshot in one message, and a piece more.
const PART: usize = 128 << 10;

/// Sends a message with descriptors.
pub(super) fn send(
    channel: &Channel,
    kind: ToSuccessor,
    descriptors: &[BorrowedFd<'_>],
    patience: Duration,
) -> std::io::Result<()> {
    let count = u32::try_from(descriptors.len()).unwrap_or(u32::MAX);
    let message = form::ToSuccessor { kind: Some(kind), descriptors: count };
    channel.send(&message, descriptors, patience)
}

/// Sends everything that a reflector has, until a moment: sockets, what is neither a table nor a connection, the
/// snapshot. Returns the bytes of that, and how many routes are in it.
pub(super) fn send_all(
    channel: &Channel,
    estate: &Estate,
    patience: Duration,
    deadline: Instant,
) -> std::io::Result<(u64, u64)> {
    send_sockets(channel, estate, patience)?;
    send(channel, ToSuccessor::State(state(estate.ledger())), &[], patience)?;
    let (mut part, mut result) = (Vec::with_capacity(2 * PART), Ok(()));
    let (mut bytes, mut routes) = (0, 0);
    let mut flush = |part: &mut Vec<u8>| {
        if Instant::now() > deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        bytes += part.len() as u64;
        let snapshot = std::mem::take(part).into();
        send(channel, ToSuccessor::Snapshot(snapshot), &[], patience)
    };
    estate.snapshot(&mut |kind| {
        if result.is_err() {
            return;
        }
        if let portable::form::piece::Kind::End(end) = &kind {
            routes = end.routes;
        }
        portable::write(kind, &mut part);
        if part.len() >= PART {
            result = flush(&mut part);
        }
    });
    result?;
    flush(&mut part)?;
    send(channel, ToSuccessor::Whole(form::Whole {}), &[], patience)?;
    Ok((bytes, routes))
}

fn send_sockets(channel: &Channel, estate: &Estate, patience: Duration) -> std::io::Result<()> {
    let all: Vec<_> = estate.sockets().collect();
    for some in all.chunks(DESCRIPTORS_MAX) {
        let sockets =
            some.iter().map(|&(peer, remote, followed, _)| socket(peer, remote, followed));
        let message = form::Sockets { sockets: sockets.collect() };
        let descriptors: Vec<_> = some.iter().map(|it| it.3).collect();
        send(channel, ToSuccessor::Sockets(message), &descriptors, patience)?;
    }
    Ok(())
}

fn socket(peer: PeerId, remote: SocketAddr, followed: Option<Detail>) -> form::Socket {
    let followed = match followed {
        None => form::socket::Detail::None,
        Some(Detail::Summaries) => form::socket::Detail::Summaries,
        Some(Detail::Messages) => form::socket::Detail::Messages,
    };
    form::Socket { peer: peer.0, remote: remote.to_string(), followed: followed.into() }
}

/// A listening socket, as it is named to a successor.
pub(super) fn listener(listening: &Listening) -> form::Listener {
    let is_for = match listening.is_for {
        Use::Sessions => form::listener::Use::Sessions,
        Use::Http => form::listener::Use::Http,
        Use::Control => form::listener::Use::Control,
    };
    form::Listener { r#use: is_for.into(), configured: listening.configured.clone() }
}

fn state(ledger: &Ledger) -> form::State {
    let counters = ledger.shards.iter().map(|saved| {
        let numbers = |(name, numbers): (&String, &Vec<u64>)| {
            (name.clone(), form::Numbers { numbers: numbers.clone() })
        };
        form::Counters { counters: saved.iter().map(numbers).collect() }
    });
    form::State {
        serial: ledger.serial,
        drains: ledger.drains.map_or(0, std::num::NonZeroU32::get),
        serving: ledger.serving,
        shards: counters.collect(),
        refused: ledger.refused.clone(),
        sessions_since: ledger.since,
        generation: ledger.generation,
        frozen: ledger.frozen.0,
    }
}
