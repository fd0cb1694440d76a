//! The proxy: agents that cannot read a stream or use TLS have their sessions with a proxy on their own host, and the
//! proxy has sessions with the reflectors in their place.
//!
//! ```text
//!   agents      embedded reflector                    shard of its own               leaf            reflectors
//!  +------+   +--------------------+  Wanted, Batch  +----------------+ intentions +---------+       +---+
//!  | Go   |<->| connections,       |---------------->| Bridge         |----------->| actor,  |<----->| A |
//!  +------+   | pacing, tables     |<----------------| (a guest)      |<-----------| peer    |       +---+
//!  | Go   |<->|                    |  Updates, Pull  +----------------+  a watch   | tasks   |<----->| B |
//!  +------+   +--------------------+                                               +---------+       +---+
//! ```
//!
//! * `bridge`: the VNIs of agents, and the changes on their way between agents and reflectors; pure.
//! * `hub`: connects the bridge, its shard and the leaf.
//! * `status`: numbers for operators.
//!
//! To owners of VNIs the bridge is two peers that have set `isServer`. `UPSTREAM` announces the routes that the leaf
//! has learned, the union of all its servers. `EXPORTER` subscribes in each VNI in which an agent takes part. It gets
//! only the routes that agents announce, because servers do not get routes that only servers announce. So there are no
//! loops, and a route that two agents announce is announced once.
//!
//! Only the leaf knows which server has which route, and which routes are stale. Only the table knows which routes an
//! agent has been sent. The bridge holds only the changes on their way.
//!
//! Imports: client, config, http_guard, ids, inspector, metrics, policy, reflector, shard, table, threads, wire.

mod bridge;
mod hub;
mod status;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use tokio::sync::watch;

pub use self::status::ProxyStatus;

use self::hub::Hub;
use crate::client::{LeafConfig, MetalBond};
use crate::config::{FederationConfig, ReflectorConfig, StartError};
use crate::http_guard::HttpGuard;
use crate::inspector::Inspector;
use crate::reflector::Reflector;
use crate::threads::Invitation;

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    leaf: MetalBond,
    reflector: Reflector,
    status: watch::Receiver<ProxyStatus>,
}

impl Proxy {
    /// Starts a proxy: an embedded reflector for agents, and a leaf, to which you add servers by [`Proxy::leaf`]. From
    /// `config` it uses the settings of sessions and limits. The embedded reflector always has one shard, does not
    /// federate, does not take over, and sends no END_OF_TABLE, because its own table may be incomplete.
    ///
    /// # Errors
    /// Those of [`Reflector::start`]. Nothing is left running then.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and I/O enabled: the leaf runs there.
    pub async fn start(config: &ReflectorConfig, leaf: LeafConfig) -> Result<Self, StartError> {
        let leaf = MetalBond::start(leaf);
        let mut config = config.clone();
        config.shards = Some(1);
        config.federation = FederationConfig::default();
        config.takeover = false;
        config.settings.end_of_table = false;
        let (publish, status) = watch::channel(ProxyStatus::default());
        let upstream = leaf.clone();
        let guest =
            Invitation::new(move |shard, began| Hub::start(shard, began, &upstream, publish));
        let started = tokio::task::spawn_blocking(move || Reflector::host(&config, guest)).await;
        let reflector = started.map_err(|error| StartError::Shard(error.into()))??;
        Ok(Self { leaf, reflector, status })
    }

    /// The leaf that holds the sessions with reflectors. Add and remove servers there; do not change its subscriptions
    /// and announcements, which follow those of the agents.
    #[must_use]
    pub fn leaf(&self) -> &MetalBond {
        &self.leaf
    }

    /// The address to which agents connect.
    #[must_use]
    pub fn listen_addr(&self) -> SocketAddr {
        self.reflector.listen_addr()
    }

    /// The number of connections from agents, including those before their HELLO.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.reflector.connections()
    }

    /// Whether a thread of the proxy makes no progress.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        !self.reflector.stuck_shards().is_empty()
    }

    /// The check of HTTP requests; a reload changes it.
    pub(crate) fn http_guard(&self) -> HttpGuard {
        self.reflector.http_guard()
    }

    /// A handle to inspect agents' sessions and their tables.
    #[must_use]
    pub fn inspector(&self) -> Inspector {
        self.reflector.inspector()
    }

    /// Numbers about the routes on their way, at most half a second old.
    #[must_use]
    pub fn status(&self) -> ProxyStatus {
        *self.status.borrow()
    }

    /// The same numbers as a channel, which may outlive this handle.
    #[must_use]
    pub fn statuses(&self) -> watch::Receiver<ProxyStatus> {
        self.status.clone()
    }

    /// Applies a new configuration, as [`Reflector::reload`] does.
    ///
    /// # Errors
    /// [`StartError`], if a start with this configuration would fail. Nothing changes then.
    pub fn reload(&self, config: &ReflectorConfig) -> Result<(), StartError> {
        let mut config = config.clone();
        config.settings.end_of_table = false;
        self.reflector.reload(&config).map(|_| ())
    }

    /// Ends the agents' sessions, then those with reflectors, which withdraw the agents' routes. Waits up to 5 s for
    /// agents that do not read the data queued for them.
    pub async fn stop(self) {
        let Self { leaf, reflector, .. } = self;
        drop(tokio::task::spawn_blocking(|| reflector.stop()).await);
        leaf.shutdown().await;
    }
}
