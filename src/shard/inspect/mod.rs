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
mod histogram;
mod metrics;
mod rows;

pub use explain::{Explanation, Reason, Verdict};
pub use histogram::Histogram;
pub use metrics::{ByAction, Holdings, Metrics};
pub use rows::{
    ANNOUNCERS_MAX, Cursor, Lookup, Page, PeerDetail, PeerInfo, PeerState, PeerVni, RouteFilter,
    RouteInfo, SubscriptionInfo, SubscriptionState, VniInfo,
};
