//! Tables on their way from one shard to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::owned::Owned;
use crate::ids::Moment;
use crate::shard::moves::LateHold;
use crate::shard::placement::Partitions;
use crate::table::{Hold, Table};
use crate::wire::Vni;

/// Tables on their way from one shard to another.
#[derive(Debug, Default)]
pub(crate) struct Tenants(
    #[expect(clippy::vec_box, reason = "they are in boxes where they come from and where they go")]
    pub(super) Vec<Box<Owned>>,
);

impl Tenants {
    /// The tables.
    pub(in crate::shard) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.0.iter().map(|owned| &owned.table)
    }

    /// Keeps routes of peers that are gone, from now on.
    pub(in crate::shard) fn hold(&mut self, of_vni: &BTreeMap<Vni, Vec<LateHold>>, now: Moment) {
        for owned in &mut self.0 {
            let Some(holds) = of_vni.get(&owned.table.vni()) else { continue };
            let vnet = owned.table.open();
            for LateHold { peer, kin, time, .. } in holds {
                // A peer whose routes cannot be kept leaves where the table goes.
                vnet.hold(*peer, Hold { kin: *kin, until: now + *time });
            }
            owned.counted = owned.table.size();
        }
    }

    /// Adds a table, of a VNI that none of the others has.
    pub(in crate::shard) fn push(&mut self, table: Table) {
        self.0.push(Box::new(Owned::of(table)));
    }
}

/// A move of tables away from here.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// The latest move.
    pub(super) epoch: u64,
    /// The partitions that move; known once this shard has its order.
    pub(super) partitions: Option<Arc<Partitions>>,
    /// The number of shards that send nothing more.
    pub(super) fences: usize,
    /// The number of shards that have taken in every delivery.
    pub(super) confirms: usize,
    /// The tables that have been sealed for the last time.
    pub(super) tables: Tenants,
}

impl Leaving {
    /// Follows a move; `false` when the move has been given up.
    pub(super) fn follow(&mut self, epoch: u64) -> bool {
        if epoch > self.epoch {
            *self = Self { epoch, ..Self::default() };
        }
        epoch == self.epoch && self.fences < usize::MAX
    }

    /// Ends this move: its later messages do not count.
    pub(super) fn end(&mut self, epoch: u64) {
        *self = Self { epoch, fences: usize::MAX, ..Self::default() };
    }
}
