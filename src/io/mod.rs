//! The seam to the kernel: sockets, the event loop of a shard, timers, cores and limits.
//!
//! Everything above this folder is safe code that sees [`Stream`], [`LocalRuntime`] and
//! [`Alarm`], never a descriptor, a ring or a type of the runtimes underneath. Two backends
//! stand behind them, chosen once at start by [`choose`]:
//!
//! * [`Backend::Uring`]: io_uring (Linux, feature `uring`, not with musl); sends and readiness polls
//!   go through a ring and are submitted in batches.
//! * [`Backend::Epoll`]: tokio's readiness, everywhere.
//!
//! This is the only folder with `unsafe`, and the only one that may hand memory to the kernel
//! for longer than a call. Nothing here knows the protocol, keeps a queue or retries a
//! connection.
//!
//! `--cfg metalbond_portable` builds what a system other than Linux would get.
//!
//! Imports: outbox, session.

mod alarm;
mod choice;
mod cpu;
mod epoll;
mod error;
mod flags;
mod limits;
mod listener;
mod low_water;
#[cfg(target_os = "linux")]
mod peer_process;
mod pin;
mod runtime;
mod sending;
mod stream;
mod tcp_info;
mod tentative;
mod thread_time;
mod zone;

#[cfg(metalbond_uring)]
mod mark;
#[cfg(metalbond_uring)]
mod operation;
#[cfg(metalbond_uring)]
mod probe;
#[cfg(metalbond_uring)]
mod ring;
#[cfg(metalbond_uring)]
mod uring;

#[cfg(not(metalbond_uring))]
mod operation_absent;
#[cfg(not(metalbond_uring))]
mod uring_absent;
#[cfg(not(metalbond_uring))]
use {operation_absent as operation, uring_absent as uring};

#[cfg(test)]
mod tests;

pub use crate::outbox::{Gather, OutBuf, SLICES_MAX};
pub use crate::session::TcpInfo;
pub use alarm::Alarm;
pub use choice::{Backend, IoChoice, choose};
pub use cpu::{allowed_cpus, cpu_quota, give_way, pin_to, shards_for};
pub(crate) use epoll::try_send;
pub use error::IoError;
pub use limits::{is_short_of_files, raise_nofile};
pub use listener::bind;
#[cfg(target_os = "linux")]
pub(crate) use peer_process::PeerProcess;
pub(crate) use pin::Cpus;
pub use pin::{Pin, PinError};
pub use runtime::{LocalRuntime, yield_turn};
pub use sending::Sending;
pub use stream::Stream;
pub(crate) use tcp_info::read as tcp_info;
pub use tentative::{Unready, bind_when_ready};
pub(crate) use thread_time::{ThreadId, ThreadTimes, thread_time, thread_times};
pub use zone::{ZoneError, split_zone, zoned};
