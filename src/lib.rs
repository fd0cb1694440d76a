//! MetalBond: routes of virtual networks over TCP.
//!
//! A data centre has a few *reflectors*, and a *leaf* on each hypervisor. Leaves hold TCP sessions with reflectors,
//! subscribe to virtual networks (each has a number, its VNI) and announce routes. A route says: in VNI *v*, prefix *p*
//! is reached through underlay address *h*. The reflector sends every subscriber of *v* the routes that its other peers
//! announce, and withdraws a route when its announcer withdraws it or dies.
//!
//! To embed a reflector, start with [`reflector::Reflector`]; to embed a leaf, with [`client::MetalBond`]; to encode
//! and decode only the protocol's messages, with [`wire`]. `README.md` names the Cargo features that each needs.
//!
//! Each folder of the source is a part of the program; `docs/architecture.md` draws the path of an update through them.
//! *Pure* means: no clock, socket, thread or randomness.
//!
//! * [`ids`]: numbers of peers and shards, moments, and other small types that all folders share; pure.
//! * [`wire`]: bytes to typed messages and back; pure.
//! * `session`: one peer's handshake, keepalives and pace; pure.
//! * `table`: one VNI's routes, their announcers, and the routes that each subscriber is owed; pure.
//! * `outbox`: the data that waits to be written to one peer; pure.
//! * `portable`: tables and connections as another process can read them; pure.
//! * `shard`: the state that one core owns, and every message between cores; pure.
//! * `diary`: events of sessions, in the log and kept for questions.
//! * [`io`]: the reflector's sockets, event loops, timers and cores; the only `unsafe`.
//! * `config`: the configuration of a reflector, and the rows of its settings.
//! * `counts`: sums over shards, refused connections, and TLS.
//! * `monitor`: live events of routes and sessions, from shards to readers.
//! * `threads`: what the threads of a reflector share and send each other.
//! * `inspector`: questions and commands of operators to a running reflector.
//! * `balance`: which shards are awake, and which VNIs and connections they have.
//! * `capacity`: the limits of the whole reflector on routes, VNIs and memory.
//! * `estate`: what leaves a reflector for another process, and arrives from one.
//! * `terminator`: the reflector's listener for TLS, and handshakes.
//! * [`reflector`]: threads, listeners, connections; started by [`reflector::Reflector`].
//! * `dataplane`: the trait of dataplanes that a leaf hands routes to, and a route; pure.
//! * [`client`]: the leaf: sessions with reflectors, the routes that it wants and announces, and those received.
//! * [`proxy`]: sessions with the agents of one host, and with reflectors in their place; `bridge` in it is pure.
//! * `netlink`: the leaf's routes in the Linux kernel; in it, `fib` is pure.
//! * `metrics`: counters, and their forms for operators.
//! * [`settings`]: tables of settings, and the text form of their values.
//! * [`admin`]: endpoints for operators of reflector, leaf and proxy: pages, health, metrics, APIs, the control
//!   sockets.
//! * `control`: the kinds of control sockets, and the errors of opening one.
//! * [`handover`]: a reflector hands its sessions to another process (Linux).
//! * `federation`: routes of other sites, over a message bus; `link` in it is pure.
//! * `access`: who may connect, from where and how often; pure.
//! * [`policy`]: the routes and VNIs that a peer may announce and subscribe to, by the class of its source; pure.
//! * `http_guard`: the check of HTTP requests: the names of the endpoint, and its token.
//! * `sources`: sources of connections (an IPv4 address or an IPv6 /64), and counts of each; pure.
//! * `tls`: TLS with certificates of both sides: files, handshakes, identities.
//! * `relaxed`: a number that threads share.
//! * `simulation`: shards and their peers on simulated time and I/O, in tests.
//! * `internals_for_benches`: access of benches to private folders.
//! * `cli`: the command, a program that uses this library.
//!
//! Folders import in one direction. The last line of each folder's header names the folders that it may import;
//! `tests/tidy` checks it.
//!
//! ```no_run
//! use metalbond::reflector::{Reflector, ReflectorConfig};
//!
//! let config = ReflectorConfig { listen: "[::1]:0".parse()?, ..ReflectorConfig::default() };
//! let reflector = Reflector::start(&config)?;
//! println!("leaves connect to {}", reflector.listen_addr());
//! reflector.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// A build of some parts has no use for all that the parts share.
#![cfg_attr(
    not(all(feature = "client", feature = "server", feature = "http")),
    allow(dead_code, unreachable_pub, unused_imports, unused_macros)
)]

mod access;
#[cfg(feature = "http")]
pub mod admin;
#[cfg(feature = "server")]
mod balance;
#[cfg(feature = "server")]
mod capacity;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
mod config;
#[cfg(any(feature = "server", all(feature = "client", feature = "http")))]
mod control;
#[cfg(feature = "server")]
mod counts;
mod dataplane;
#[cfg(feature = "server")]
mod diary;
#[cfg(feature = "server")]
mod estate;
#[cfg(feature = "server")]
mod federation;
#[cfg(all(feature = "server", any(test, fuzzing)))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(all(feature = "server", feature = "http", target_os = "linux"))]
pub mod handover;
mod http_guard;
pub mod ids;
#[cfg(feature = "server")]
mod inspector;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod internals_for_benches;
pub mod io;
mod metrics;
#[cfg(feature = "server")]
mod monitor;
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
pub mod netlink;
#[cfg(feature = "server")]
mod outbox;
#[cfg(feature = "server")]
pub mod policy;
#[cfg(feature = "server")]
mod portable;
#[cfg(all(feature = "client", feature = "server"))]
pub mod proxy;
#[cfg(feature = "server")]
pub mod reflector;
mod relaxed;
mod session;
#[cfg(feature = "server")]
pub mod settings;
#[cfg(feature = "server")]
mod shard;
#[cfg(test)]
#[cfg(feature = "server")]
mod simulation;
mod sources;
#[cfg(feature = "server")]
mod table;
#[cfg(feature = "server")]
mod terminator;
#[cfg(feature = "server")]
mod threads;
mod tls;
pub mod wire;

pub use session::{CloseReason, Identity, NoEvidence, TlsCarrier, TlsPeer};
#[cfg(feature = "server")]
pub use tls::{CarrierError, TlsCarrierChoice};
pub use tls::{FileError, TlsFault};
