//! The lines for the log: a few at a time, whatever happens.
//!
//! State: for each kind of line a count, and the first few since the log was last written. A hundred thousand refused
//! routes are four lines and not a hundred thousand.

use std::fmt::{self, Display};
use std::time::Duration;

use crate::ids::Moment;
use crate::netlink::model::RouteKey;

/// How many remarks of one kind are written out.
const SHOWN: usize = 3;
/// The least time between lines of one kind.
const PAUSE: Duration = Duration::from_secs(5);

/// The subject of a remark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoteKind {
    /// The kernel refused a route or an object.
    Refused,
    /// Another protocol's route is in the way.
    Conflict,
    /// A conflict is over.
    Resolved,
    /// Others changed what was installed.
    Repair,
    /// The program that may be behind endless repairs.
    Deleter,
    /// The device can't be used.
    Down,
    /// The device can be used again. Of both kinds the log gets only the last remark: earlier states are no news.
    Up,
    /// A route can't be installed because of its next hop: once for each reason.
    Unusable,
    /// Any rare event.
    Other,
}

/// The number of kinds that are counted separately.
const TALLIES: usize = 8;

impl NoteKind {
    /// The index of the count: the device's ups and downs share one, so that they are told in order.
    fn tally(self) -> usize {
        match self {
            Self::Refused => 0,
            Self::Conflict => 1,
            Self::Resolved => 2,
            Self::Repair => 3,
            Self::Down | Self::Up => 4,
            Self::Unusable => 5,
            Self::Other => 6,
            Self::Deleter => 7,
        }
    }
}

impl Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, destination, metric } = self;
        write!(f, "route {destination} metric {metric} of table {table}")
    }
}

#[derive(Debug, Default)]
struct Tally {
    count: usize,
    first: Vec<(NoteKind, String)>,
    written: Option<Moment>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    tallies: [Tally; TALLIES],
}

impl Notes {
    pub(crate) fn add(&mut self, kind: NoteKind, remark: impl Display) {
        let tally = &mut self.tallies[kind.tally()];
        tally.count += 1;
        if matches!(kind, NoteKind::Down | NoteKind::Up) {
            tally.first.clear();
        }
        // A remark that is made only once must not be cut off.
        if tally.first.len() < SHOWN || kind == NoteKind::Unusable {
            tally.first.push((kind, remark.to_string()));
        }
    }

    /// The lines for the log at this time.
    pub(crate) fn lines(&mut self, now: Moment) -> Vec<(NoteKind, String)> {
        let mut lines = Vec::new();
        for tally in &mut self.tallies {
            let Some(&(kind, _)) = tally.first.last() else { continue };
            if tally.written.is_some_and(|at| now.since(at) < PAUSE) {
                continue;
            }
            let more = tally.count - tally.first.len();
            lines.append(&mut tally.first);
            match kind {
                _ if more == 0 => {}
                NoteKind::Down | NoteKind::Up => {
                    lines.push((kind, format!("after {more} other changes")));
                }
                _ => lines.push((kind, format!("and {more} more like these"))),
            }
            tally.count = 0;
            tally.written = Some(now);
        }
        lines
    }

    /// When waiting lines may be written.
    pub(crate) fn next(&self) -> Option<Moment> {
        let waiting = self.tallies.iter().filter(|tally| tally.count > 0);
        waiting.map(|tally| tally.written.map_or(Moment(0), |at| at + PAUSE)).min()
    }
}
