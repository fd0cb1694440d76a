//! Shards that have nothing yet take over the connections and tables of another process.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use tokio::sync::mpsc::Sender;

use crate::diary::{Detail, Follower};
use crate::ids::{Moment, PeerId, ShardId};
use crate::portable::form::piece::Kind;
use crate::session::{CloseReason, TlsCarrier};
use crate::shard::moves::MoveCommand;
use crate::shard::{Restored, Traveller};
use crate::threads::{Admission, Gauge, Ledger, Mover, ShardOrder};

/// A socket from another process, before it is matched with its connection.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) peer: PeerId,
    pub(crate) remote: SocketAddr,
    pub(crate) socket: TcpStream,
    pub(crate) followed: Option<Detail>,
}

/// Everything that another process has passed on.
#[derive(Debug)]
pub(crate) struct Legacy {
    restored: Restored,
    arrivals: HashMap<PeerId, Arrival>,
    ledger: Ledger,
}

impl Legacy {
    /// `None` if a connection lacks its socket, or a socket its connection.
    pub(crate) fn new(restored: Restored, arrivals: Vec<Arrival>, ledger: Ledger) -> Option<Self> {
        let arrivals: HashMap<_, _> = arrivals.into_iter().map(|it| (it.peer, it)).collect();
        let is_complete = restored.connections.len() == arrivals.len()
            && restored.connections.iter().all(|(_, it)| arrivals.contains_key(&it.peer()));
        is_complete.then_some(Self { restored, arrivals, ledger })
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The numbers of connections and of established sessions.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let connections = &self.restored.connections;
        let established = connections.iter().filter(|(_, it)| it.is_established()).count();
        (connections.len(), established)
    }

    /// The established sessions, with the node names that their peers have sent.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = (PeerId, &str)> {
        let all = self.restored.connections.iter().map(|(_, it)| it);
        all.filter(|it| it.is_established()).map(|it| (it.peer(), it.node()))
    }

    /// The moment since which no process has served sessions.
    pub(crate) fn frozen(&self) -> Moment {
        self.ledger.frozen
    }

    /// The number of routes.
    pub(crate) fn routes(&self) -> u64 {
        self.restored.routes
    }

    /// Gives each shard its tables and connections. `admit` counts a connection among those of its source, and among
    /// the sessions. Blocks. Returns the link's state with other sites.
    pub(crate) fn distribute(
        mut self,
        shards: &[(Sender<ShardOrder>, Arc<Gauge>)],
        mut admit: impl FnMut(PeerId, SocketAddr, ShardId, bool) -> Admission,
    ) -> Vec<Kind> {
        for ((orders, _), tables) in shards.iter().zip(self.restored.tables) {
            drop(orders.blocking_send(ShardOrder::Own(Box::new(tables))));
        }
        for (shard, traveller) in self.restored.connections {
            let Some(arrival) = self.arrivals.remove(&traveller.peer()) else { continue };
            let mover = mover(traveller, arrival, shard, &mut admit);
            let (orders, gauge) = &shards[shard.index()];
            gauge.connections.add(1);
            let command = MoveCommand::Adopt { number: 0, connection: mover };
            drop(orders.blocking_send(ShardOrder::Move(Box::new(command))));
        }
        self.restored.link
    }
}

fn mover(
    traveller: Traveller,
    arrival: Arrival,
    shard: ShardId,
    admit: &mut impl FnMut(PeerId, SocketAddr, ShardId, bool) -> Admission,
) -> Mover {
    let Arrival { peer, remote, socket, followed } = arrival;
    let admission = admit(peer, remote, shard, traveller.has_begun());
    let follower = followed.map(|detail| Box::new(Follower::new(peer, traveller.node(), detail)));
    // If a thread of the other process has the keys of its TLS, the keys end with that process.
    let is_lost = traveller.tls().is_some_and(|tls| tls.carrier == TlsCarrier::Process);
    let mover = Mover::new(traveller, socket, remote, admission, follower);
    if is_lost { mover.ending(CloseReason::TlsKeys) } else { mover }
}
