//! The orders of the control thread to shards.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::{Sender, UnboundedSender};

use super::gauge::Gauge;
use super::guest::Invitation;
use super::mover::{Admission, Mover};
use super::question::Question;
use crate::access::AccessList;
use crate::config::{FederationConfig, ReflectorConfig};
use crate::federation::Roster;
use crate::ids::{PeerId, ShardId};
use crate::portable::form::piece::Kind;
use crate::session::TlsPeer;
use crate::shard::growth::Ceiling;
use crate::shard::moves::{Answer, MoveCommand};
use crate::shard::{ShardConfig, Tenants};

/// An order of the control thread to a shard.
#[derive(Debug)]
pub(crate) enum ShardOrder {
    /// Serve this connection.
    Serve(Box<Arrived>),
    /// End this connection, unless its HELLO has arrived.
    MakeRoom(PeerId),
    /// Take part in a move.
    Move(Box<MoveCommand<Mover>>),
    /// Own these tables, which come from another process.
    Own(Box<Tenants>),
    /// Exchange routes with other sites.
    Federate(Box<FederationConfig>, Vec<Kind>, Arc<Roster>),
    /// Run this guest.
    Host(Invitation),
    /// Adopt these settings, and close the sessions that the list denies.
    Settings { settings: Box<ShardConfig>, list: Arc<AccessList> },
    /// Take in routes and VNIs up to this ceiling.
    Ceiling(Ceiling),
    /// Answer an operator.
    Answer(Question),
    /// Read no more, and write the queued data.
    Drain,
    /// Close every session and end, but wait until this moment for the written data to arrive.
    Exit(Instant),
}

impl ShardOrder {
    /// Makes an order at each call: to adopt the settings of this configuration.
    pub(crate) fn settings_of(config: &ReflectorConfig) -> impl Fn() -> Self + use<> {
        let (settings, list) = (config.settings.clone(), Arc::new(config.access.list.clone()));
        move || Self::Settings { settings: Box::new(settings.clone()), list: Arc::clone(&list) }
    }
}

/// A connection for a shard to serve.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) peer: PeerId,
    pub(crate) remote: SocketAddr,
    pub(crate) socket: TcpStream,
    pub(crate) admission: Admission,
    /// The peer's identity over TLS, if the connection came over TLS.
    pub(crate) tls: Option<Arc<TlsPeer>>,
}

/// The channel for the answers of shards.
pub(crate) type Answers = UnboundedSender<(ShardId, Answer<Mover>)>;

/// The channel for a shard's orders, and the numbers that the shard publishes.
pub(crate) type Handle = (Sender<ShardOrder>, Arc<Gauge>);
