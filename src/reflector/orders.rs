//! Carries out what a shard's thread is told.

use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::connection::{Admission, Connection};
use super::driver::{Core, Order};
use super::lobby::Seat;
use super::mesh::Inlet;
use super::moves;
use crate::access::Place;
use crate::ids::PeerId;
use crate::io::{Backend, Stream};

/// What orders came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Done {
    All,
    /// One was a look, behind which more may wait.
    Looked,
    /// The shard is to end by then.
    Exit(Instant),
}

/// Carries out orders, up to the first look: everybody else has a turn between two looks.
pub(super) fn obey(core: &Rc<Core>, backend: Backend, orders: &mut Inlet<Order>) -> Done {
    while let Some(order) = orders.take() {
        match order {
            Order::Serve { peer, remote, socket, place, seat } => {
                serve(core, backend, peer, remote, socket, (place, seat));
            }
            Order::MakeRoom(peer) => core.shard.borrow_mut().make_room(peer),
            Order::Move(command) => moves::obey(core, backend, *command),
            Order::Own(tables) => core.shard.borrow_mut().own(*tables),
            Order::Settings { settings, list } => core.renew(*settings, &list),
            Order::Look(look) => {
                let began = core.now();
                look.run(core);
                core.turns.borrow_mut().record(core.now().since(began));
                return Done::Looked;
            }
            Order::Drain => {
                core.is_draining.set(true);
                core.shard.borrow_mut().drain();
            }
            Order::Exit(deadline) => return Done::Exit(deadline),
        }
    }
    Done::All
}

fn serve(
    core: &Rc<Core>,
    backend: Backend,
    peer: PeerId,
    remote: SocketAddr,
    socket: TcpStream,
    (place, seat): (Place, Seat),
) {
    // A peer that has reset it already gets no session.
    let taken = socket.take_error().and_then(|error| error.map_or(Ok(socket), Err));
    let stream = match taken.and_then(|socket| Stream::from_std(backend, socket)) {
        Ok(stream) => stream,
        Err(error) => {
            core.reporter.lost(peer, remote, &error);
            core.gauge.connections.fetch_sub(1, Ordering::Relaxed);
            return;
        }
    };
    let slot = core.shard.borrow_mut().connect(core.now(), peer);
    core.reporter.connected(peer, remote);
    let admission = Admission { place, seat };
    core.enter(Rc::new(Connection::new(slot, remote, stream, admission)));
}
