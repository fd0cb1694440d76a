//! What is written to a successor.

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::channel::{Channel, DESCRIPTORS_MAX};
use super::message::{ToSuccessor, form};
use super::translate;
use crate::portable;
use crate::threads::Estate;

/// The bytes of the snapshot in one message; the last piece may exceed it.
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

/// Sends everything that a reflector has, until `deadline`: sockets, the state that belongs to no table and no
/// connection, and the snapshot. Returns the number of the snapshot's bytes and routes.
pub(super) fn send_all(
    channel: &Channel,
    estate: &Estate,
    patience: Duration,
    deadline: Instant,
) -> std::io::Result<(u64, u64)> {
    send_sockets(channel, estate, patience)?;
    send(channel, ToSuccessor::State(translate::state(estate.ledger())), &[], patience)?;
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
        let sockets = some
            .iter()
            .map(|&(peer, remote, followed, _)| translate::socket(peer, remote, followed));
        let message = form::Sockets { sockets: sockets.collect() };
        let descriptors: Vec<_> = some.iter().map(|it| it.3).collect();
        send(channel, ToSuccessor::Sockets(message), &descriptors, patience)?;
    }
    Ok(())
}
