//! What operators may ask of a shard, and how it answers without being disturbed.
//!
//! State: none. A question names where to begin and how many rows it wants; the answer is one
//! bounded slice of what is there now, and says where to go on. So a listing of a million routes is
//! some thousand questions, each of which costs the shard less than handling one read, and between
//! two of them everybody else has a turn. What a listing needs to remember travels with it
//! ([`Cursor`]).
//!
//! Counters are plain numbers of the shard's; an answer holds copies ([`Metrics`]).

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
