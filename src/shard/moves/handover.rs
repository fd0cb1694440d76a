//! Everything leaves for another process, or comes back.

use std::collections::BTreeMap;

use super::coordinator::{Commands, to_all};
use super::{Answer, LateHold, MoveCommand, MoveOrder};
use crate::ids::{Moment, ShardId};
use crate::shard::tables::Tenants;
use crate::wire::Vni;

/// The stage of a handover.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum HandoverStage {
    /// Shards stop reading connections and sending to them.
    Freezing,
    /// Tables leave.
    Sealing,
    /// Connections leave.
    Parting,
    /// All tables and connections are here.
    Ready,
    /// Shards put their tables back, or say that the tables have left.
    GivingUp,
    /// Connections go back.
    ReturningConnections,
    /// Tables that have left go back.
    ReturningTables,
    /// Nothing is left to do.
    Over,
}

/// A handover, from its first order until all tables and connections have left, or are back.
///
/// 1. [`MoveOrder::Freeze`] to every shard. When all have answered, no connection is read or sent anything,
///    every subscription is a cursor, and owners know which batches connections could not take.
/// 2. [`MoveOrder::Seal`] to every shard: the protocol by which tables move, for all tables at once.
/// 3. [`MoveOrder::Part`] to every shard: the connections leave.
///
/// [`Handover::give_up`] ends it at any moment, also when everything has left: each table and connection goes back to
/// the shard that it came from: connections first, so that each is there for what tables tell it. Their requests wait
/// for the tables. It waits only for shards that have something to put back.
#[derive(Debug)]
pub(crate) struct Handover<P> {
    /// Also the epoch in which the tables leave.
    number: u64,
    shards: usize,
    stage: HandoverStage,
    gives_up: bool,
    /// Answers that are still to come in this stage: those of shards, and those about connections, which may
    /// come first.
    awaited: usize,
    connections_awaited: i64,
    tables: Vec<(ShardId, Tenants)>,
    connections: Vec<(ShardId, P)>,
    /// Of sessions that ended while tables were away.
    holds: Vec<LateHold>,
}

impl<P> Handover<P> {
    /// Begins a handover with a number that no other move or handover has had. Nothing else may move.
    pub(crate) fn begin(number: u64, shards: usize) -> (Self, Commands<P>) {
        let stage = HandoverStage::Freezing;
        let (tables, connections) = (Vec::new(), Vec::new());
        let handover = Self {
            number,
            shards,
            stage,
            gives_up: false,
            awaited: shards,
            connections_awaited: 0,
            tables,
            connections,
            holds: Vec::new(),
        };
        let commands = handover.to_all(|| MoveOrder::Freeze { number });
        (handover, commands)
    }

    /// Whether everything is here.
    pub(crate) fn is_ready(&self) -> bool {
        self.stage == HandoverStage::Ready
    }

    /// Whether nothing is left to do: the handover was given up, and everything is back.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == HandoverStage::Over
    }

    /// Keeps the routes of sessions that have ended without notice while tables were away, from now on. Call this before
    /// another process gets the tables. The shards that the connections were on will ask for the same if the tables
    /// return; that changes nothing more.
    pub(crate) fn hold_late(&mut self, now: Moment) {
        let mut of_vni: BTreeMap<Vni, Vec<LateHold>> = BTreeMap::new();
        for hold in self.holds.drain(..) {
            of_vni.entry(hold.vni).or_default().push(hold);
        }
        if !of_vni.is_empty() {
            self.tables.iter_mut().for_each(|(_, tables)| tables.hold(&of_vni, now));
        }
    }

    /// The tables that have left.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Tenants> {
        self.tables.iter().map(|(_, tables)| tables)
    }

    /// The connections that have left.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &P> {
        self.connections.iter().map(|(_, connection)| connection)
    }

    /// Gives the handover up: everything that has left goes back. Harmless when that is under way.
    pub(crate) fn give_up(&mut self) -> Commands<P> {
        if std::mem::replace(&mut self.gives_up, true) {
            return Vec::new();
        }
        let (number, epoch) = (self.number, self.number);
        match self.stage {
            HandoverStage::Freezing => {
                self.stage = HandoverStage::Over;
                self.to_all(|| MoveOrder::Thaw { number })
            }
            HandoverStage::Sealing => {
                (self.stage, self.awaited) = (HandoverStage::GivingUp, self.shards);
                self.to_all(|| MoveOrder::GiveUp { epoch })
            }
            HandoverStage::Ready => self.return_connections(),
            _ => Vec::new(),
        }
    }

    /// Takes the answer of a shard. An answer to a move, or to another handover, changes nothing.
    pub(crate) fn answered(&mut self, shard: ShardId, answer: Answer<P>) -> Commands<P> {
        let (number, epoch) = (self.number, self.number);
        if answer.number().is_some_and(|it| it != number) {
            return Vec::new();
        }
        match (self.stage, answer) {
            (HandoverStage::Freezing, Answer::Frozen { .. }) => self.after_all(|this| {
                (this.stage, this.awaited) = (HandoverStage::Sealing, this.shards);
                this.to_all(|| MoveOrder::Seal { epoch })
            }),
            (HandoverStage::Sealing, Answer::Left { tables, .. }) => {
                self.tables.push((shard, tables));
                self.after_all(|this| {
                    (this.stage, this.awaited) = (HandoverStage::Parting, this.shards);
                    this.to_all(|| MoveOrder::Part { number })
                })
            }
            (HandoverStage::GivingUp, Answer::Left { tables, .. }) => {
                self.tables.push((shard, tables));
                Vec::new()
            }
            (HandoverStage::GivingUp, Answer::GivenUp { .. }) => {
                self.after_all(Self::return_connections)
            }
            (HandoverStage::Parting, Answer::Parts { connections, holds, .. }) => {
                self.holds.extend(holds);
                self.awaited -= 1;
                self.connections_awaited += i64::try_from(connections).unwrap_or(i64::MAX);
                self.after_parting()
            }
            (HandoverStage::Parting, Answer::Moves { connection }) => {
                self.connections.push((shard, connection));
                self.connections_awaited -= 1;
                self.after_parting()
            }
            (HandoverStage::Parting, Answer::Gone { holds, .. }) => {
                self.holds.extend(holds);
                self.connections_awaited -= 1;
                self.after_parting()
            }
            (HandoverStage::ReturningConnections, Answer::Arrived { .. }) => {
                self.after_all(Self::return_tables)
            }
            (HandoverStage::ReturningTables, Answer::Taken { .. }) => self.after_all(Self::end),
            _ => Vec::new(),
        }
    }

    /// Counts one answer, and goes on with `next` after the last.
    fn after_all(&mut self, next: impl FnOnce(&mut Self) -> Commands<P>) -> Commands<P> {
        self.awaited -= 1;
        if self.awaited == 0 { next(self) } else { Vec::new() }
    }

    fn after_parting(&mut self) -> Commands<P> {
        if self.awaited > 0 || self.connections_awaited > 0 {
            return Vec::new();
        }
        self.stage = HandoverStage::Ready;
        if self.gives_up { self.return_connections() } else { Vec::new() }
    }

    fn return_connections(&mut self) -> Commands<P> {
        let number = self.number;
        let connections = std::mem::take(&mut self.connections);
        (self.stage, self.awaited) = (HandoverStage::ReturningConnections, connections.len());
        if connections.is_empty() {
            return self.return_tables();
        }
        let adopt = |(shard, connection)| (shard, MoveCommand::Adopt { number, connection });
        connections.into_iter().map(adopt).collect()
    }

    fn return_tables(&mut self) -> Commands<P> {
        let epoch = self.number;
        let tables = std::mem::take(&mut self.tables);
        (self.stage, self.awaited) = (HandoverStage::ReturningTables, tables.len());
        if tables.is_empty() {
            return self.end();
        }
        let take = |(shard, tables)| (shard, MoveCommand::Order(MoveOrder::Take { epoch, tables }));
        tables.into_iter().map(take).collect()
    }

    /// Everything is where it was: all shards may send requests about tables again, and serve their connections.
    fn end(&mut self) -> Commands<P> {
        let (number, epoch) = (self.number, self.number);
        self.stage = HandoverStage::Over;
        let mut commands = self.to_all(|| MoveOrder::Restore { epoch });
        commands.extend(self.to_all(|| MoveOrder::Thaw { number }));
        commands
    }

    fn to_all(&self, order: impl Fn() -> MoveOrder) -> Commands<P> {
        to_all(self.shards, order)
    }
}
