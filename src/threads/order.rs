//! What the control thread asks of shards.

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

/// What the control thread asks of a shard.
#[derive(Debug)]
pub(crate) enum ShardOrder {
    /// Serve this connection.
    Serve(Box<Arrived>),
    /// End this connection, unless its HELLO has come.
    MakeRoom(PeerId),
    /// Take part in a move.
    Move(Box<MoveCommand<Mover>>),
    /// Own tables that come from another process.
    Own(Box<Tenants>),
    /// Exchange routes with other sites.
    Federate(Box<FederationConfig>, Vec<Kind>, Arc<Roster>),
    /// Have this guest.
    Host(Invitation),
    /// Go on by these settings, and close the sessions that the list denies.
    Settings { settings: Box<ShardConfig>, list: Arc<AccessList> },
    /// Take in so much and no more.
    Ceiling(Ceiling),
    /// Answer an operator.
    Answer(Question),
    /// Read no more, write out what is queued.
    Drain,
    /// Close every session and end, but wait until this moment for what was written to arrive.
    Exit(Instant),
}

impl ShardOrder {
    /// To go on by what is in force: an order at each call.
    pub(crate) fn settings_of(config: &ReflectorConfig) -> impl Fn() -> Self + use<> {
        let (settings, list) = (config.settings.clone(), Arc::new(config.access.list.clone()));
        move || Self::Settings { settings: Box::new(settings.clone()), list: Arc::clone(&list) }
    }
}

/// A connection that a shard is to serve.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) peer: PeerId,
    pub(crate) remote: SocketAddr,
    pub(crate) socket: TcpStream,
    pub(crate) admission: Admission,
    /// What is known of it, if it came over TLS.
    pub(crate) tls: Option<Arc<TlsPeer>>,
}

/// Where shards' answers go.
pub(crate) type Answers = UnboundedSender<(ShardId, Answer<Mover>)>;

/// Where a shard takes orders, and what it shows of itself.
pub(crate) type Handle = (Sender<ShardOrder>, Arc<Gauge>);
