//! When to query which part of the kernel's state.
//!
//! State: for the device, the objects and each table the moment of the next query, if one is due.
//! Queries that events ask for come at most once a second, however many events there are.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::ids::Moment;

const PAUSE: Duration = Duration::from_secs(1);
/// The time between full queries.
const PERIOD: Duration = Duration::from_secs(60);
/// The time between the tables of a full query: changes come first.
const SPREAD: Duration = Duration::from_millis(20);

/// A query. Sorted in the order of asking: routes are meaningful only beside the objects that
/// they use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Query {
    Device,
    /// The addresses for which this host takes packets.
    OwnAddresses,
    Objects,
    /// Own objects deleted according to events: their ids may be in use again.
    Lost,
    /// A table's routes, whoever installed them.
    Routes(u32),
    /// The objects that routes of any table use.
    Users,
}

impl fmt::Display for Query {
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
pub(crate) struct QuerySchedule {
    due: BTreeMap<Query, Moment>,
    /// Queries that events asked for.
    asked: BTreeMap<Query, Moment>,
    periodic: Moment,
}

impl QuerySchedule {
    pub(crate) fn new() -> Self {
        Self { due: BTreeMap::new(), asked: BTreeMap::new(), periodic: Moment(0) + PERIOD }
    }

    /// Schedules a query now, or some time after the last one that was asked for.
    pub(crate) fn ask(&mut self, query: Query, now: Moment) {
        if self.due.get(&query).is_some_and(|&due| due <= now + PAUSE) {
            return;
        }
        let moment = self.asked.get(&query).map_or(now, |&last| (last + PAUSE).max(now));
        self.asked.insert(query, moment);
        self.at(query, moment);
    }

    /// Schedules a query at that moment, unless it is due sooner already.
    pub(crate) fn at(&mut self, query: Query, moment: Moment) {
        let due = self.due.entry(query).or_insert(moment);
        *due = moment.min(*due);
    }

    /// Schedules a full query when the last one is long enough ago. Returns whether it did.
    pub(crate) fn periodic(&mut self, tables: impl Iterator<Item = u32>, now: Moment) -> bool {
        if now < self.periodic {
            return false;
        }
        self.periodic = now + PERIOD;
        self.at(Query::Device, now);
        self.at(Query::OwnAddresses, now);
        self.at(Query::Objects, now);
        let mut moment = now;
        for table in tables {
            self.at(Query::Routes(table), moment);
            moment = moment + SPREAD;
        }
        true
    }

    /// The next query that is due.
    pub(crate) fn take(&mut self, now: Moment) -> Option<Query> {
        let (&query, _) = self.due.iter().find(|(_, due)| **due <= now)?;
        self.due.remove(&query);
        Some(query)
    }

    pub(crate) fn next(&self) -> Moment {
        self.due.values().min().map_or(self.periodic, |&due| due.min(self.periodic))
    }
}
