//! Who may move, and what comes next.

use std::sync::Arc;

use super::{Answer, MoveOrder};
use crate::ids::{PeerId, ShardId};
use crate::shard::Layout;
use crate::shard::placement::{Partitions, Placement};

/// A command to a shard.
#[derive(Debug)]
pub(crate) enum MoveCommand<P> {
    Order(MoveOrder),
    /// Take over a connection: answer by [`Answer::Arrived`].
    Adopt {
        number: u64,
        connection: P,
    },
}

/// Commands, each with the shard that it goes to.
pub(super) type Commands<P> = Vec<(ShardId, MoveCommand<P>)>;

/// The same order to each of the shards.
pub(super) fn to_all<P>(shards: usize, order: impl Fn() -> MoveOrder) -> Commands<P> {
    ShardId::first(shards).map(|shard| (shard, MoveCommand::Order(order()))).collect()
}

/// A move that has begun.
#[derive(Debug)]
enum UnderWay {
    Tables { partitions: Arc<Partitions>, from: ShardId, to: ShardId, gives_up: bool },
    Connection { peer: PeerId, from: ShardId, to: ShardId, stays: bool },
}

/// The only place that decides about moves and that knows where every VNI is.
///
/// State: the placement, and the move that is under way. The commands that it returns go to the shards, in order.
#[derive(Debug)]
pub(crate) struct Coordinator {
    layout: Layout,
    placement: Placement,
    /// The latest move, of either kind.
    number: u64,
    under_way: Option<UnderWay>,
}

impl Coordinator {
    /// A coordinator of these shards; the VNIs are spread evenly over their owners.
    pub(crate) fn new(layout: impl Into<Layout>) -> Self {
        let layout = layout.into();
        let placement = Placement::even(layout.owners());
        Self { layout, placement, number: 0, under_way: None }
    }

    /// The owners of all partitions, as of the last complete move.
    pub(crate) fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Whether nothing moves.
    pub(crate) fn is_free(&self) -> bool {
        self.under_way.is_none()
    }

    /// Begins to move partitions; one shard must own all of them.
    ///
    /// # Panics
    /// In debug builds when something moves already, or when another shard owns one of them.
    pub(crate) fn move_tables<P>(
        &mut self,
        partitions: Partitions,
        from: ShardId,
        to: ShardId,
    ) -> Commands<P> {
        debug_assert!(self.is_free() && from != to);
        debug_assert!(partitions.iter().all(|it| self.placement.owner_of(it) == from));
        self.number += 1;
        let (partitions, epoch) = (Arc::new(partitions), self.number);
        self.under_way = Some(UnderWay::Tables {
            partitions: Arc::clone(&partitions),
            from,
            to,
            gives_up: false,
        });
        self.to_all(|| MoveOrder::Reassign { partitions: Arc::clone(&partitions), from, to, epoch })
    }

    /// A number for a handover. Nothing else moves until the handover is over.
    ///
    /// # Panics
    /// In debug builds when something moves already.
    pub(crate) fn next_number(&mut self) -> u64 {
        debug_assert!(self.is_free());
        self.number += 1;
        self.number
    }

    /// Begins to move a connection.
    ///
    /// # Panics
    /// In debug builds when something moves already.
    pub(crate) fn move_connection<P>(
        &mut self,
        peer: PeerId,
        from: ShardId,
        to: ShardId,
    ) -> Commands<P> {
        debug_assert!(self.is_free() && from != to);
        self.number += 1;
        self.under_way = Some(UnderWay::Connection { peer, from, to, stays: false });
        vec![(from, MoveCommand::Order(MoveOrder::Relocate { peer, to, number: self.number }))]
    }

    /// Tries to end the move that is under way. It goes on if its table or connection has left already.
    pub(crate) fn give_up<P>(&mut self) -> Commands<P> {
        let number = self.number;
        match &mut self.under_way {
            Some(UnderWay::Tables { from, gives_up, .. }) if !*gives_up => {
                *gives_up = true;
                vec![(*from, MoveCommand::Order(MoveOrder::GiveUp { epoch: number }))]
            }
            Some(UnderWay::Connection { peer, from, stays, .. }) if !*stays => {
                *stays = true;
                vec![(*from, MoveCommand::Order(MoveOrder::Stay { peer: *peer, number }))]
            }
            _ => Vec::new(),
        }
    }

    /// Takes the answer of a shard. An answer to another move, or to a handover, changes nothing.
    pub(crate) fn answered<P>(&mut self, answer: Answer<P>) -> Commands<P> {
        let number = self.number;
        if answer.number().is_some_and(|it| it != number) {
            return Vec::new();
        }
        match (answer, &self.under_way) {
            (Answer::Left { epoch, tables }, Some(UnderWay::Tables { to, .. })) => {
                vec![(*to, MoveCommand::Order(MoveOrder::Take { epoch, tables }))]
            }
            (Answer::Taken { epoch }, Some(UnderWay::Tables { partitions, to, .. })) => {
                self.placement.assign(partitions, *to);
                self.under_way = None;
                self.to_all(|| MoveOrder::Release { epoch })
            }
            (Answer::GivenUp { epoch, in_time: true }, Some(UnderWay::Tables { .. })) => {
                self.under_way = None;
                self.to_all(|| MoveOrder::Restore { epoch })
            }
            (Answer::Moves { connection, .. }, Some(UnderWay::Connection { to, .. })) => {
                vec![(*to, MoveCommand::Adopt { number, connection })]
            }
            (
                Answer::Arrived { .. } | Answer::Gone { .. } | Answer::Stays { in_time: true, .. },
                Some(UnderWay::Connection { .. }),
            ) => {
                self.under_way = None;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn to_all<P>(&self, order: impl Fn() -> MoveOrder) -> Commands<P> {
        to_all(self.layout.all(), order)
    }
}
