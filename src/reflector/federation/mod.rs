//! Federation as a part of a reflector: its settings, and one more shard that owns no VNI.

#[cfg(not(feature = "federation"))]
mod absent;
mod core;
mod metrics;
mod roster;
#[cfg(feature = "federation")]
mod running;
mod status;

#[cfg(not(feature = "federation"))]
use absent as running;

pub(super) use roster::Roster;
pub(super) use running::Federation;
pub use status::{FederationStatus, SiteState, SiteStatus};
