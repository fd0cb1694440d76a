//! The state that the threads of a reflector share, and the messages that they send each other.
//!
//! * [`Control`]: the state of a reflector that the control thread and operators' questions share. No part of the data
//!   path.
//! * `order`: orders of the control thread to shards; `gauge`: numbers that a shard publishes.
//! * `question`: an operator's question to one shard; [`ShardThread`]: the state that a question sees.
//! * `mover`: a connection on its way to another shard; `estate`: everything on its way to another process, with its
//!   `ledger`; `guest`: other work that may run on a shard's thread.
//! * `lobby` and `service`: the numbers of connections and of sessions, and since when there have been sessions.
//! * `balance`, `memory`, `handovers`: reports of these parts of the reflector to operators.
//!
//! The threads themselves are in `reflector`.
//!
//! Imports: access, config, counts, diary, federation, ids, io, metrics, monitor, policy, portable, relaxed,
//! session, shard, tls, wire.

mod accept;
mod balance;
mod control;
mod error;
mod estate;
mod gauge;
mod growth;
mod guest;
mod handovers;
mod ledger;
mod lobby;
mod log_level;
mod memory;
mod mover;
mod order;
mod question;
mod service;
mod spawn;
mod succession;

pub(crate) use self::accept::accept;
pub(crate) use self::balance::{BalanceReport, Moved, ShardReport, Why};
pub(crate) use self::control::{Control, ControlBasis};
pub use self::error::InspectError;
pub(crate) use self::estate::{Estate, NotFrozen, Phase, Wish};
pub(crate) use self::gauge::Gauge;
pub(crate) use self::growth::Seen;
pub(crate) use self::guest::{Guest, Invitation};
pub use self::handovers::{HandoverReport, HandoverSteps, Handovers, Outcome};
pub(crate) use self::ledger::{Ledger, saved};
pub(crate) use self::lobby::{Lobby, Queue};
pub(crate) use self::memory::MemoryUse;
pub(crate) use self::mover::{Admission, Mover};
pub(crate) use self::order::{Answers, Arrived, Handle, ShardOrder};
pub(crate) use self::question::{Question, ShardThread};
pub(crate) use self::service::Service;
pub(crate) use self::spawn::WaitingThread;
