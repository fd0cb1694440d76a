//! What the reflector has, as messages say it, and back: each pair side by side.

use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;

use super::message::form;
use crate::ids::{Moment, PeerId};
use crate::metrics::Saved;
use crate::reflector::handover::{Arrival, Ledger, Listening, Use};
use crate::reflector::inspector::Detail;

/// A listening socket, without its descriptor.
pub(super) fn listener(listening: &Listening) -> form::Listener {
    let is_for = match listening.is_for {
        Use::Sessions => form::listener::Use::Sessions,
        Use::Http => form::listener::Use::Http,
        Use::Control => form::listener::Use::Control,
    };
    form::Listener { r#use: is_for.into(), configured: listening.configured.clone() }
}

/// A listening socket of the reflector. An error has the socket over which successors ask, which is not one.
pub(super) fn listening(listener: form::Listener, socket: OwnedFd) -> Result<Listening, OwnedFd> {
    let is_for = match listener.r#use() {
        form::listener::Use::Sessions => Use::Sessions,
        form::listener::Use::Http => Use::Http,
        form::listener::Use::Control => Use::Control,
        form::listener::Use::Handover => return Err(socket),
    };
    Ok(Listening { is_for, configured: listener.configured, socket })
}

/// A connection's socket, without its descriptor.
pub(super) fn socket(peer: PeerId, remote: SocketAddr, followed: Option<Detail>) -> form::Socket {
    let followed = match followed {
        None => form::socket::Detail::None,
        Some(Detail::Summaries) => form::socket::Detail::Summaries,
        Some(Detail::Messages) => form::socket::Detail::Messages,
    };
    form::Socket { peer: peer.0, remote: remote.to_string(), followed: followed.into() }
}

/// A connection's socket. `None` when its other end is no address.
pub(super) fn arrival(socket: &form::Socket, descriptor: OwnedFd) -> Option<Arrival> {
    let followed = match socket.followed() {
        form::socket::Detail::None => None,
        form::socket::Detail::Summaries => Some(Detail::Summaries),
        form::socket::Detail::Messages => Some(Detail::Messages),
    };
    let remote = socket.remote.parse().ok()?;
    Some(Arrival {
        peer: PeerId(socket.peer),
        remote,
        socket: TcpStream::from(descriptor),
        followed,
    })
}

/// What is neither a table nor a connection.
pub(super) fn state(ledger: &Ledger) -> form::State {
    let counters = |saved: &Saved| {
        let numbers = |(name, numbers): (&String, &Vec<u64>)| {
            (name.clone(), form::Numbers { numbers: numbers.clone() })
        };
        form::Counters { counters: saved.iter().map(numbers).collect() }
    };
    form::State {
        serial: ledger.serial,
        drains: ledger.drains.map_or(0, NonZeroU32::get),
        serving: ledger.serving,
        shards: ledger.shards.iter().map(counters).collect(),
        refused: ledger.refused.clone(),
        sessions_since: ledger.since,
        generation: ledger.generation,
        frozen: ledger.frozen.0,
    }
}

/// The same, as it has come.
pub(super) fn ledger(state: form::State) -> Ledger {
    let saved = |counters: form::Counters| {
        counters.counters.into_iter().map(|(name, it)| (name, it.numbers)).collect()
    };
    Ledger {
        serial: state.serial,
        drains: NonZeroU32::new(state.drains),
        serving: state.serving,
        shards: state.shards.into_iter().map(saved).collect(),
        refused: state.refused,
        since: state.sessions_since,
        generation: state.generation,
        frozen: Moment(state.frozen),
    }
}
