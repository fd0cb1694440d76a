//! A VNI whose table this shard owns.

use crate::ids::Moment;
use crate::shard::slab::handle;
use crate::table::{Size, Table};

handle!(
    /// A table's place on the shard that owns its VNI.
    TableId
);

/// A VNI whose table this shard owns.
#[derive(Debug)]
pub(in crate::shard) struct Owned {
    pub(in crate::shard) table: Table,
    /// Since when routes of departed members have waited for subscribers to take earlier ones.
    pub(super) waits: Option<Moment>,
    /// Listed as having changes to seal.
    pub(super) is_dirty: bool,
    /// Listed as having something to trim or to withdraw.
    pub(super) lingers: bool,
    /// Listed as having something to forget.
    pub(super) is_untidy: bool,
    /// Ticks since something happened in it.
    pub(super) quiet: u8,
    /// What of it is among the shard's holdings.
    pub(super) counted: Size,
}

impl Owned {
    /// A table that is in no list.
    pub(super) fn of(table: Table) -> Self {
        let counted = table.size();
        Self {
            table,
            waits: None,
            is_dirty: false,
            lingers: false,
            is_untidy: false,
            quiet: 0,
            counted,
        }
    }
}
