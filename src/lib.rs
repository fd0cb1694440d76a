//! MetalBond: routes of virtual networks over TCP.
//!
//! A *reflector* sits in the middle of a data centre; *leaves* hold TCP sessions with it,
//! subscribe to virtual networks (VNIs) and announce routes: in VNI *v*, prefix *p* is reached
//! through underlay address *h*. The reflector tells every subscriber of *v* what the others
//! announce and takes it back when the announcer withdraws or dies.
//!
//! The folders are the architecture:
//!
//! * [`wire`]: bytes to typed messages and back; pure.

pub mod ids;
mod outbox;
mod session;
mod shard;
#[cfg(test)]
mod simulation;
mod table;
pub mod wire;
