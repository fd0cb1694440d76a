//! Converts the reflector's types to messages and back; the two functions of each pair stand side by side.

use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::message::form;
use super::message::form::block::What;
use crate::diary::{ClosedSession, Detail, Pages, Recorded};
use crate::estate::{Arrival, Listening, Use};
use crate::ids::{Moment, PeerId};
use crate::metrics::Saved;
use crate::policy::{Block, Blocked, Blocks};
use crate::threads::Ledger;
use crate::wire::Vni;

/// A listening socket, without its descriptor.
pub(super) fn listener(listening: &Listening) -> form::Listener {
    let is_for = match listening.is_for {
        Use::Sessions => form::listener::Use::Sessions,
        Use::Tls => form::listener::Use::Tls,
        Use::Http => form::listener::Use::Http,
        Use::Health => form::listener::Use::Health,
        Use::Control => form::listener::Use::Control,
        Use::ControlReadOnly => form::listener::Use::ControlReadOnly,
    };
    form::Listener { r#use: is_for.into(), configured: listening.configured.clone() }
}

/// A listening socket of the reflector. An error returns the socket over which successors ask, which is no such socket.
pub(super) fn listening(listener: form::Listener, socket: OwnedFd) -> Result<Listening, OwnedFd> {
    let is_for = match listener.r#use() {
        form::listener::Use::Sessions => Use::Sessions,
        form::listener::Use::Tls => Use::Tls,
        form::listener::Use::Http => Use::Http,
        form::listener::Use::Health => Use::Health,
        form::listener::Use::Control => Use::Control,
        form::listener::Use::ControlReadOnly => Use::ControlReadOnly,
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

/// The state that belongs to no table and no connection.
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
        closed: ledger.diary.closed.iter().map(|it| closed(it)).collect(),
        recorded: ledger.diary.recorded.iter().map(recorded).collect(),
        blocks: ledger.blocks.iter().map(block).collect(),
        latest_block: ledger.blocks.latest(),
    }
}

/// The ledger in a received state.
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
        // A block that this program does not understand is left out.
        blocks: Blocks::go_on_from(
            state.blocks.into_iter().filter_map(blocked).collect(),
            state.latest_block,
        ),
        diary: Pages {
            // A session whose other end is no address is left out.
            closed: state.closed.into_iter().filter_map(closed_session).map(Arc::new).collect(),
            recorded: state.recorded.into_iter().map(event).collect(),
        },
    }
}

fn closed(session: &ClosedSession) -> form::ClosedSession {
    form::ClosedSession {
        peer: session.peer.0,
        node: session.node.to_string(),
        remote: session.remote.to_string(),
        ended: session.ended,
        lasted: micros(session.lasted),
        established: session.established.map(micros),
        reason: session.reason.to_string(),
        detail: session.detail.to_string(),
        routes: session.routes,
        subscriptions: session.subscriptions,
        updates_received: session.updates_received,
        adds_sent: session.adds_sent,
        removes_sent: session.removes_sent,
        bytes_received: session.bytes_received,
        bytes_sent: session.bytes_sent,
    }
}

/// A received ended session. `None` when its other end is no address.
fn closed_session(session: form::ClosedSession) -> Option<ClosedSession> {
    Some(ClosedSession {
        peer: PeerId(session.peer),
        node: session.node.into(),
        remote: session.remote.parse().ok()?,
        ended: session.ended,
        lasted: Duration::from_micros(session.lasted),
        established: session.established.map(Duration::from_micros),
        reason: session.reason.into(),
        detail: session.detail.into(),
        routes: session.routes,
        subscriptions: session.subscriptions,
        updates_received: session.updates_received,
        adds_sent: session.adds_sent,
        removes_sent: session.removes_sent,
        bytes_received: session.bytes_received,
        bytes_sent: session.bytes_sent,
    })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn block(block: &Block) -> form::Block {
    let Block { id, ref what, since, until, uid } = *block;
    let (what, vni) = match what {
        Blocked::Node(name) => (What::Node(name.clone()), None),
        Blocked::Source(range) => (What::Source(range.to_string()), None),
        Blocked::Prefix(range, vni) => (What::Prefix(range.to_string()), *vni),
        Blocked::Vni(vni) => (What::WholeVni(true), Some(*vni)),
    };
    form::Block { id, since, until, uid, vni: vni.map(|vni| vni.0), what: Some(what) }
}

/// A received block. `None` when this program does not understand it.
fn blocked(block: form::Block) -> Option<Block> {
    let form::Block { id, since, until, uid, vni, what } = block;
    let vni = vni.map(Vni);
    let what = match what? {
        What::Node(name) => Blocked::Node(name),
        What::Source(range) => Blocked::Source(range.parse().ok()?),
        What::Prefix(range) => Blocked::Prefix(range.parse().ok()?, vni),
        What::WholeVni(_) => Blocked::Vni(vni?),
    };
    Some(Block { id, what, since, until, uid })
}

fn recorded(event: &Recorded) -> form::Recorded {
    form::Recorded {
        at: event.at,
        kind: event.kind.to_string(),
        peer: event.peer.map_or(0, |peer| peer.0),
        node: event.node.to_string(),
        text: event.text.to_string(),
    }
}

/// A received event of the flight recorder.
fn event(event: form::Recorded) -> Recorded {
    let form::Recorded { at, kind, peer, node, text } = event;
    Recorded::new(at, kind, (peer > 0).then_some(PeerId(peer)), &node, &text)
}
