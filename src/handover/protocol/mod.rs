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
//! At every moment at most one of the two processes touches a session. These rules ensure that; `model` has a
//! counterexample for each rule that is left out:
//!
//! * The predecessor takes everything back only if it has not sent Commit, or if the successor is dead and has not sent
//!   Taken.
//! * Before the predecessor serves again, it sends CalledOff. If the socket has no room for CalledOff, the predecessor
//!   kills the successor and waits until it is dead.
//! * The successor sends Taken before it touches the first session.
//! * The successor serves without Commit only if all of these hold: it has sent Ready, it has read all that the
//!   predecessor wrote, CalledOff is not among that, and the predecessor is dead, not only silent.
//!
//! So if the successor ends at any moment before Taken, the predecessor goes on.

pub(super) mod predecessor;
pub(super) mod successor;

#[cfg(test)]
mod model;

pub(super) use predecessor::Predecessor;
pub(super) use successor::Successor;
