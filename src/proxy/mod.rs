//! The proxy: agents that read badly or can't do TLS have their sessions here, on their own host; the proxy has
//! sessions with the reflectors in their place.
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
//! * `bridge`: which VNIs agents take part in, what they announce there, and what reflectors have; pure.
//! * `hub`: where the bridge, its shard and the leaf meet.
//! * `status`: what operators see of it.
//!
//! To owners of VNIs the bridge is two peers of kind server. `UPSTREAM` announces
//! what the leaf has learned, the union of all its servers; `EXPORTER` subscribes
//! wherever an agent takes part, and is told what agents announce, because servers are not told what only
//! servers announce. So nothing goes round in circles, and a route that two agents announce is announced once.
//!
//! Who has which route at which server, and what of it is stale, only the leaf knows. What an agent has been told
//! only the table knows. The bridge knows neither, and holds what is on its way.
//!
//! Imports: client, http_guard, ids, metrics, policy, reflector, shard, table, wire.

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
use crate::http_guard::HttpGuard;
use crate::reflector::{
    FederationConfig, Inspector, Invitation, Reflector, ReflectorConfig, StartError,
};

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    leaf: MetalBond,
    reflector: Reflector,
    status: watch::Receiver<ProxyStatus>,
}

impl Proxy {
    /// Starts a proxy: an embedded reflector for agents, and a leaf, which has no server yet. Of the reflector's
    /// config it takes what is about sessions and limits; it has one shard, does not federate and does not say
    /// when a table is complete, because it does not know.
    ///
    /// # Errors
    /// What [`Reflector::start`] finds wrong. Nothing is left running then.
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

    /// The sessions with reflectors: add them here. Its subscriptions and announcements are the agents'.
    #[must_use]
    pub fn leaf(&self) -> &MetalBond {
        &self.leaf
    }

    /// Where agents connect.
    #[must_use]
    pub fn listen_addr(&self) -> SocketAddr {
        self.reflector.listen_addr()
    }

    /// Agents' sessions held, those that have not shaken hands yet included.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.reflector.connections()
    }

    /// Whether a thread of it stands still.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        !self.reflector.stuck_shards().is_empty()
    }

    /// What HTTP requests must have to be answered; a reload changes it.
    pub(crate) fn http_guard(&self) -> HttpGuard {
        self.reflector.http_guard()
    }

    /// A handle to look at agents, and at the tables as they get them.
    #[must_use]
    pub fn inspector(&self) -> Inspector {
        self.reflector.inspector()
    }

    /// How it stands with what goes through, half a second old at most.
    #[must_use]
    pub fn status(&self) -> ProxyStatus {
        *self.status.borrow()
    }

    /// The same for whoever outlives this handle.
    #[must_use]
    pub fn statuses(&self) -> watch::Receiver<ProxyStatus> {
        self.status.clone()
    }

    /// Goes on by what a running reflector takes up of this.
    ///
    /// # Errors
    /// [`StartError`], when a start would refuse it. Nothing changes then.
    pub fn reload(&self, config: &ReflectorConfig) -> Result<(), StartError> {
        let mut config = config.clone();
        config.settings.end_of_table = false;
        self.reflector.reload(&config).map(|_| ())
    }

    /// Ends the agents' sessions, then those with reflectors, which withdraw what the agents announced. Takes up
    /// to 5 s longer where agents don't take what is queued for them.
    pub async fn stop(self) {
        let Self { leaf, reflector, .. } = self;
        drop(tokio::task::spawn_blocking(|| reflector.stop()).await);
        leaf.shutdown().await;
    }
}
