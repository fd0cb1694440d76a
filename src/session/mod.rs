//! One peer's session as the protocol sees it: handshake, keepalives, and why it ends. Pure.

mod close;
mod machine;
mod pacing;

pub use close::CloseReason;
pub(crate) use machine::{About, Event, Session, Timing};
pub(crate) use pacing::{Allowance, Pacer, Sight};
