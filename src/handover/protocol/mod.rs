//! The protocol of a handover: what each of the two processes does next. Pure.
//!
//! ```text
//!   predecessor                                successor
//!        |  <------------------ Request ---------  |   wants to take over
//!        |  ------ Welcome, listening sockets -->  |
//!   serves                                      checks its configuration, starts its shards
//!        |  <------------------ Prepared --------  |
//!   freezes: reads and sends nothing
//!        |  ------ sockets, snapshot, Whole ---->  |
//!   keeps everything                            reads and checks everything
//!        |  <------------------ Ready -----------  |
//!        |  ------------------- Commit --------->  |
//!        |  <------------------ Taken -----------  |   from here on it touches sessions
//!   closes its descriptors, ends                serves
//! ```
//!
//! At every moment at most one of the two touches a session. These rules keep it so; `model` has a
//! counterexample for each rule that is left out:
//!
//! * The predecessor takes everything back only if it has not said Commit, or if the successor is dead and has
//!   not said Taken.
//! * Before the predecessor serves again it says CalledOff. If that finds no room, it ends the successor and
//!   waits until that is dead.
//! * The successor says Taken before it touches the first session.
//! * The successor serves without Commit only if it could say Ready, everything that the predecessor had
//!   written is read, CalledOff is not among it, and the predecessor is dead, not only silent.
//!
//! So a successor may end at any moment before Taken, and the predecessor goes on.

pub(super) mod predecessor;
pub(super) mod successor;

#[cfg(test)]
mod model;

pub(super) use predecessor::Predecessor;
pub(super) use successor::Successor;
