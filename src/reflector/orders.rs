//! Carries out what a shard's thread is told.

use std::rc::Rc;
use std::time::Instant;

use super::connection::Connection;
use super::driver::Core;
use super::mesh::Inlet;
use super::moves;
use crate::io::{Backend, Stream};
use crate::threads::{Arrived, ShardOrder};

/// The result of carrying out orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Done {
    All,
    /// One order was a question; more orders may wait behind it.
    Answered,
    /// The shard must end by this moment.
    Exit(Instant),
}

/// Carries out orders, up to the first question: connections and tables have a turn between two questions.
pub(super) fn obey(core: &Rc<Core>, backend: Backend, orders: &mut Inlet<ShardOrder>) -> Done {
    while let Some(order) = orders.take() {
        match order {
            ShardOrder::Serve(arrived) => serve(core, backend, *arrived),
            ShardOrder::MakeRoom(peer) => core.shard.borrow_mut().make_room(peer),
            ShardOrder::Move(command) => moves::obey(core, backend, *command),
            ShardOrder::Federate(config, link, roster) => core.federate(&config, &link, &roster),
            ShardOrder::Host(invitation) => {
                core.guests.other.set(invitation.accept(core.id, core.began)).ok();
            }
            ShardOrder::Own(tables) => core.shard.borrow_mut().own(*tables),
            ShardOrder::Ceiling(ceiling) => core.shard.borrow_mut().set_ceiling(ceiling),
            ShardOrder::Settings { settings, list } => core.renew(*settings, list),
            ShardOrder::Answer(question) => {
                let began = core.now();
                question.run(&**core);
                core.turns.borrow_mut().record(core.now().since(began));
                return Done::Answered;
            }
            ShardOrder::Drain => {
                core.is_draining.set(true);
                if let Some(federation) = core.federation() {
                    federation.drain(true);
                }
                core.shard.borrow_mut().drain();
            }
            ShardOrder::Exit(deadline) => return Done::Exit(deadline),
        }
    }
    Done::All
}

fn serve(core: &Rc<Core>, backend: Backend, arrived: Arrived) {
    let Arrived { peer, remote, socket, admission, tls } = arrived;
    // A peer that has already reset the connection gets no session.
    let taken = socket.take_error().and_then(|error| error.map_or(Ok(socket), Err));
    let stream = match taken.and_then(|socket| Stream::from_std(backend, socket)) {
        Ok(stream) => stream,
        Err(error) => {
            core.reporter.lost(peer, remote, &error);
            core.gauge.connections.subtract(1);
            return;
        }
    };
    let from = Some(remote.ip());
    let slot = core.shard.borrow_mut().connect_over(core.now(), peer, from, tls);
    core.reporter.connected(peer, remote);
    core.enter(Rc::new(Connection::new(slot, remote, stream, admission)));
}
