//! The questions that operators may ask of a shard. The answers do not disturb its work.
//!
//! State: none. A question names the place where to begin and the number of rows that it wants. The answer is one
//! bounded slice of the present state, and names the place where the next question continues. So a listing of a million
//! routes is some thousand questions, each of which costs the shard less than one read, and between two questions the
//! shard runs a turn. What a listing must remember travels with its questions ([`Cursor`]).
//!
//! Counters are plain numbers of the shard; an answer holds copies ([`Metrics`]).

mod explain;
mod explanation;
mod metrics;
mod monitors;
mod questions;
mod refusals;
mod rows;
#[cfg(test)]
mod tests;
mod verify;

pub use crate::metrics::{ByAction, Histogram};
pub use crate::table::{
    ANNOUNCERS_MAX, DestinationInfo, FilteredRoute, Lookup, NEXT_HOPS_MAX, PeerVni, RouteFilter,
    RouteInfo, SubscriptionState, VniInfo,
};
pub(crate) use crate::table::{FilteredFacts, Sums};
pub(crate) use explain::explain;
pub use explanation::{Explanation, Reason, Verdict};
pub(crate) use metrics::{GROWTH_LIMITS, PER_PEER, PER_VNI, SESSIONS};
pub use metrics::{Metrics, Occupancy, Stats};
pub use monitors::MonitorFilter;
pub(crate) use monitors::{MonitoredBatch, Monitors};
pub(crate) use questions::{ExplainQuery, Inspection, ROWS_MAX};
pub use rows::{Cursor, Page, PeerDetail, PeerInfo, SessionState, SubscriptionInfo};
pub(crate) use verify::LeafFacts;
pub use verify::{Difference, LeafReport, LeafState};
