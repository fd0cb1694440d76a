//! The interface to the kernel: sockets, the event loop of a shard, timers, cores and limits.
//!
//! All code above this folder is safe and sees [`Stream`], [`LocalRuntime`] and [`Alarm`], never a descriptor, a ring
//! or a type of the runtimes underneath. They have two backends, one of which [`choose`] picks at the start:
//!
//! * [`Backend::Uring`]: io_uring (Linux, feature `uring`, not with musl); sends and readiness polls
//!   go through a ring and are submitted in batches.
//! * [`Backend::Epoll`]: tokio's readiness, on every system.
//!
//! This is the only folder with `unsafe`, and the only one that may lend memory to the kernel for longer than a call.
//! The code here does not know the protocol, keeps no queue and does not retry connections.
//!
//! `--cfg metalbond_portable` builds on Linux what another system would get.
//!
//! Imports: outbox, session.

#[cfg(feature = "server")]
mod alarm;
mod backlog;
#[cfg(feature = "server")]
mod choice;
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod control_group;
#[cfg(feature = "server")]
mod cpu;
#[cfg(feature = "server")]
mod epoll;
#[cfg(feature = "server")]
mod error;
mod file;
mod flags;
#[cfg(all(feature = "server", metalbond_kernel_tls))]
mod kernel_tls;
#[cfg(all(feature = "server", not(metalbond_kernel_tls)))]
mod kernel_tls_absent;
mod limits;
mod listener;
#[cfg(feature = "server")]
mod low_water;
mod memory;
mod no_exec;
#[cfg(target_os = "linux")]
mod peer_process;
#[cfg(feature = "server")]
mod pin;
#[cfg(feature = "server")]
mod runtime;
#[cfg(feature = "server")]
mod sending;
mod sockopt;
#[cfg(feature = "server")]
mod stream;
mod tcp_ao;
mod tcp_info;
mod tentative;
#[cfg(feature = "server")]
mod thread_time;
#[cfg(all(feature = "server", metalbond_kernel_tls))]
mod tls_records;
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

#[cfg(all(feature = "server", not(metalbond_uring)))]
mod operation_absent;
#[cfg(all(feature = "server", not(metalbond_uring)))]
mod uring_absent;
#[cfg(all(feature = "server", not(metalbond_uring)))]
use {operation_absent as operation, uring_absent as uring};

#[cfg(all(feature = "server", not(metalbond_kernel_tls)))]
use {kernel_tls_absent as kernel_tls, kernel_tls_absent as tls_records};

#[cfg(test)]
#[cfg(feature = "server")]
mod tests;

#[cfg(feature = "server")]
pub use crate::outbox::{Gather, OutBuf, SLICES_MAX};
pub use crate::session::TcpInfo;
#[cfg(feature = "server")]
pub use alarm::Alarm;
#[cfg(feature = "server")]
pub use choice::{Backend, IoChoice, choose};
#[cfg(feature = "server")]
pub(crate) use cpu::present_cpu;
#[cfg(feature = "server")]
pub use cpu::{allowed_cpus, cpu_quota, give_way, pin_to, shards_for};

#[cfg(feature = "tls")]
pub(crate) use backlog::{bound_backlog, shut_down_writes};
#[cfg(feature = "server")]
pub use error::IoError;
pub(crate) use file::read_text;
pub(crate) use flags::try_send;
#[cfg(all(feature = "server", feature = "tls"))]
pub(crate) use kernel_tls::{Direction, TlsKeys, prepare, set_keys, try_out};
#[cfg(feature = "server")]
pub use limits::Spare;
pub use limits::{is_short_of_files, raise_nofile};
pub use listener::bind;
pub use memory::{memory_limit, resident_memory, socket_memory};
pub use no_exec::forbid_exec;
#[cfg(target_os = "linux")]
pub(crate) use peer_process::PeerProcess;
#[cfg(all(feature = "server", target_os = "linux"))]
pub(crate) use peer_process::when_ended;
#[cfg(feature = "server")]
pub(crate) use pin::Cpus;
#[cfg(feature = "server")]
pub use pin::{Pin, PinError};
#[cfg(feature = "server")]
pub use runtime::{LocalRuntime, yield_turn};
#[cfg(feature = "server")]
pub use sending::Sending;
pub(crate) use sockopt::{set_full_ttl, set_min_ttl, set_tcp_md5};
#[cfg(feature = "server")]
pub use stream::Stream;
pub(crate) use tcp_ao::AoKey;
pub(crate) use tcp_info::read as tcp_info;
pub use tentative::{Unready, bind_when_ready};
#[cfg(feature = "server")]
pub(crate) use thread_time::{ThreadId, ThreadTimes, thread_time, thread_times};
#[cfg(feature = "server")]
pub(crate) use tls_records::TlsEnd;
pub use zone::{ZoneError, split_zone, zoned};
