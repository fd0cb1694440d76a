//! What of the kernel should be looked at, and when.
//!
//! State: for the device, the objects and each table the moment of the next look, if one is due.
//! Looks that events ask for come at most once a second, however many events there are.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::ids::Moment;

const PAUSE: Duration = Duration::from_secs(1);
/// Between looks at everything.
const PERIOD: Duration = Duration::from_secs(60);
/// Between the tables of a periodic look: changes come first.
const SPREAD: Duration = Duration::from_millis(20);

/// Something to be looked at. In this order: routes mean something only beside the objects that
/// they use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Look {
    Device,
    /// The addresses that this host takes packets for.
    OwnAddresses,
    Objects,
    /// Own objects that events say are deleted: their ids may be in use again.
    Lost,
    /// A table's routes, whoever installed them.
    Routes(u32),
    /// The objects that routes of any table use.
    Users,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => f.write_str("the tunnel device"),
            Self::OwnAddresses => f.write_str("this host's own addresses"),
            Self::Objects => f.write_str("the nexthop objects"),
            Self::Lost => f.write_str("nexthop objects that were deleted"),
            Self::Users => f.write_str("the routes that use nexthop objects"),
            Self::Routes(table) => write!(f, "the routes of table {table}"),
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Looks {
    due: BTreeMap<Look, Moment>,
    /// Looks that events asked for.
    asked: BTreeMap<Look, Moment>,
    periodic: Moment,
}

impl Looks {
    pub(crate) fn new() -> Self {
        Self { due: BTreeMap::new(), asked: BTreeMap::new(), periodic: Moment(0) + PERIOD }
    }

    /// Look now, or when the last look that was asked for is long enough ago.
    pub(crate) fn ask(&mut self, look: Look, now: Moment) {
        if self.due.get(&look).is_some_and(|&due| due <= now + PAUSE) {
            return;
        }
        let moment = self.asked.get(&look).map_or(now, |&last| (last + PAUSE).max(now));
        self.asked.insert(look, moment);
        self.at(look, moment);
    }

    /// Look at that moment, or sooner when that is due already.
    pub(crate) fn at(&mut self, look: Look, moment: Moment) {
        let due = self.due.entry(look).or_insert(moment);
        *due = moment.min(*due);
    }

    /// Asks for a look at everything when the last such is a while ago. Returns whether it did.
    pub(crate) fn periodic(&mut self, tables: impl Iterator<Item = u32>, now: Moment) -> bool {
        if now < self.periodic {
            return false;
        }
        self.periodic = now + PERIOD;
        self.at(Look::Device, now);
        self.at(Look::OwnAddresses, now);
        self.at(Look::Objects, now);
        let mut moment = now;
        for table in tables {
            self.at(Look::Routes(table), moment);
            moment = moment + SPREAD;
        }
        true
    }

    /// The next look that is due.
    pub(crate) fn take(&mut self, now: Moment) -> Option<Look> {
        let (&look, _) = self.due.iter().find(|(_, due)| **due <= now)?;
        self.due.remove(&look);
        Some(look)
    }

    pub(crate) fn next(&self) -> Moment {
        self.due.values().min().map_or(self.periodic, |&due| due.min(self.periodic))
    }
}
