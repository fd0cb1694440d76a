//! The leaf: sessions with reflectors, the routes that it wants and announces, and those that it receives.
//!
//! ```text
//!   MetalBond (any number)     watches
//!        | commands             ^ what changed, coalesced
//!        v                      |
//!   +-- actor ------------------+---+     +-- dataplane driver --+
//!   | core::Leaf: intent, routes by |---->| NetworkClient        |
//!   | server, changes that each     |     +----------------------+
//!   | reader lacks                  |
//!   +-------------------------------+
//!        ^ updates          | intent, as fast as each takes it
//!        |                  v
//!     peer task          peer task        one per server: connect, session, connect again
//! ```
//!
//! A *server* is a reflector or another server of the protocol. The actor is one task. It owns all state (`core`, pure)
//! and waits for no reader. A peer task owns one connection. `messages` has all messages between them. The *intent* is
//! the application's subscriptions and announcements. A *watch* is a stream of changes for the application.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use metalbond::client::{LeafConfig, MetalBond};
//! use metalbond::wire::{Destination, NextHop, Vni};
//!
//! let leaf = MetalBond::start(LeafConfig::default());
//! leaf.add_peer("[2001:db8::1]:4711", None).await?;
//! leaf.subscribe(Vni(100)).await?;
//! let destination = Destination::new("10.0.0.0".parse()?, 24)?;
//! leaf.announce_route(Vni(100), destination, NextHop::standard("2001:db8::2".parse()?)).await?;
//! let mut routes = leaf.watch_routes(None).await?;
//! while let Some(batch) = routes.next().await {
//!     println!("{:?}", batch.changes);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Watches are also [`futures_core::Stream`]s, for programs that combine them with other streams.
//!
//! Imports: access, dataplane, ids, io, reflector, session, tls, wire.

mod actor;
mod changes;
mod clock;
mod config;
mod core;
mod dataplane;
#[cfg_attr(not(feature = "server"), path = "embedded_absent.rs")]
mod embedded;
mod error;
mod handle;
mod messages;
mod near_limit;
mod notices;
mod peer;
mod readers;
mod recording;
mod status;
mod watch;

pub use crate::dataplane::{NetworkClient, Retry, Route, RouteError};
pub use changes::{PeerChange, RouteBatch, SyncChange};
pub use config::{Backoff, LeafConfig, LeafTls};
pub use error::{Error, SessionError};
pub use handle::MetalBond;
pub(crate) use messages::Intention;
pub use recording::{DummyClient, Record, RecordingClient};
pub use status::{NetworkStatus, PeerState, PeerStatus, RouteStatus, VniStatus};
pub use watch::{PeerWatch, RouteWatch, SyncWatch};
