//! One peer's session as the protocol defines it: the handshake, keepalives, the pace, and the reasons to end it. Pure.
//!
//! Imports: ids, portable, wire.

mod close;
mod identity;
mod liveness;
mod machine;
mod pacing;
mod path;
#[cfg(feature = "server")]
mod portable;
mod quiet;
mod skipped;
mod tcp_info;

pub use close::CloseReason;
pub use identity::{Identity, TlsCarrier, TlsPeer};
pub(crate) use liveness::Liveness;
pub(crate) use machine::{About, Session, SessionEvent, Timing};
pub use pacing::NoEvidence;
pub(crate) use pacing::{Allowance, Cut, Limits as Pacing, PACE, Pacer};
pub(crate) use path::Path;
pub(crate) use quiet::{LOW_WATER, Quiet};
pub(crate) use skipped::Skipped;
pub use tcp_info::TcpInfo;
