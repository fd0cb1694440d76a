//! A VNI whose table this shard owns.

use std::time::Duration;

use crate::ids::{Level, Moment};
use crate::shard::slab::handle;
use crate::table::{Size, Table, Weight};

handle!(
    /// A table's place on the shard that owns its VNI.
    TableId
);

/// A VNI whose table this shard owns.
#[derive(Debug)]
pub(in crate::shard) struct Owned {
    pub(in crate::shard) table: Table,
    /// Whether the shard for a guest has been told that clients subscribe, and that they take part.
    pub(super) is_wanted: bool,
    pub(super) is_used: bool,
    /// Whether it is listed as having changes to seal.
    pub(super) is_dirty: bool,
    /// Whether it is listed as having something to trim or to withdraw.
    pub(super) lingers: bool,
    /// Whether it is listed as having something to forget.
    pub(super) is_untidy: bool,
    /// Ticks since its last change.
    pub(super) quiet: u8,
    /// Whether it is listed as having routes to be judged again.
    pub(super) is_due_for_review: bool,
    /// Its share of the shard's occupancy.
    pub(super) counted: Size,
    /// Its share of the amounts that count against limits.
    pub(super) weighed: Weight,
    /// How near it is to the limit on a VNI's routes.
    pub(super) level: Level,
}

/// A fleet has tens of thousands, and the allocator gives 192 bytes to a value of 129.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Owned>() <= 128);

/// For how long a VNI waits for its subscribers to take earlier withdrawals before it withdraws more.
const PATIENCE: Duration = Duration::from_millis(20);
/// How soon a waiting VNI looks again whether subscribers have taken them: another shard's subscribers do not tell.
pub(super) const LOOK_AGAIN: Duration = Duration::from_micros(500);
/// Routes that one VNI withdraws or judges in a turn before the next VNI has its turn.
pub(super) const SHARE: usize = 2048;

impl Owned {
    /// Whether to withdraw no more now: subscribers still have much to take, and have not had long to take it.
    pub(super) fn waits_for_subscribers(&mut self, now: Moment) -> bool {
        let vnet = self.table.open();
        let waits = vnet.is_ahead() && now < *vnet.ahead_since.get_or_insert(now) + PATIENCE;
        if !waits {
            vnet.ahead_since = None;
        }
        waits
    }

    /// A table that is in no list.
    pub(super) fn of(table: Table) -> Self {
        let (counted, weighed) = (table.size(), table.weight());
        Self {
            table,
            is_wanted: false,
            is_used: false,
            is_dirty: false,
            lingers: false,
            is_untidy: false,
            quiet: 0,
            is_due_for_review: false,
            counted,
            weighed,
            level: Level::default(),
        }
    }
}
