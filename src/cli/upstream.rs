//! Settings of sessions with reflectors, which the leaf and the proxy share: whom to connect to and how.

use std::collections::BTreeSet;
use std::time::Duration;

use metalbond::client::{LeafConfig, MetalBond, PeerState, PeerWatch};
use metalbond::settings::{Section, Setting, Syntax, TIME, Target, number};
use metalbond::{many, one};
use tracing::warn;

use super::client::spec;
use super::values::host_name;

/// What they come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Upstream {
    pub(super) server: Vec<String>,
    pub(super) keepalive: u32,
    stale_time: Duration,
    max_routes: usize,
    max_routes_per_vni: usize,
}

impl Default for Upstream {
    fn default() -> Self {
        let LeafConfig { keepalive, stale_time, max_routes, max_routes_per_vni, .. } =
            LeafConfig::default();
        Self { server: Vec::new(), keepalive, stale_time, max_routes, max_routes_per_vni }
    }
}

impl Target for Upstream {
    type Shown = ();
}

const SERVER: Syntax<String> = Syntax::displayed("HOST:PORT", spec::server);
const SECONDS: Syntax<u32> = Syntax::displayed("SECONDS", |text| {
    let seconds = number(text, 0..=u32::MAX)?;
    Ok(if seconds == 0 { LeafConfig::default().keepalive } else { seconds })
});

const COUNT: Syntax<usize> = Syntax::displayed("N", |text| number(text, 0..=usize::MAX));

const SERVERS: Setting<Upstream> = Setting::new("server", many!(Upstream: server, SERVER))
    .details(
        "Write a link-local address with its interface, by name or number: `[fe80::1%eth0]:4711`",
    )
    .reloaded();

/// Where servers are, in the table of a leaf.
pub(super) static LEAF_SERVERS: Section<Upstream> = Section::of_role(&[SERVERS.meaning(
    "Servers to connect to, at port 4711 unless given; separate several by commas, or repeat the \
     flag; without any, the leaf waits until a reload adds one",
)]);

/// The same in the table of a proxy, which is of no use without.
pub(super) static PROXY_SERVERS: Section<Upstream> = Section::of_role(&[SERVERS
    .meaning(
        "Servers to connect to, at port 4711 unless given; separate several by commas, or repeat \
         the flag",
    )
    .required()]);

/// The other rows, in the table of each role that has such sessions.
pub(super) static UPSTREAM: Section<Upstream> = Section::of_role(&[
    Setting::new("keepalive", one!(Upstream: keepalive, SECONDS)).meaning(
        "Keepalive interval in seconds; a session uses the lower interval of both sides; 0 means \
         the default",
    ),
    Setting::new("stale-time", one!(Upstream: stale_time, TIME)).meaning(
        "How long routes stay after the last server that had them is lost (90s, 500ms, 0)",
    ),
    Setting::new("max-routes", one!(Upstream: max_routes, COUNT))
        .meaning(
            "Maximum number of routes of all VNIs; further routes wait for room; 0 means no limit",
        )
        .details("See [Too many routes](leaf.md#too-many-routes)")
        .reloaded(),
    Setting::new("max-routes-per-vni", one!(Upstream: max_routes_per_vni, COUNT))
        .meaning(
            "Maximum number of routes of each VNI; further routes wait for room; 0 means no limit",
        )
        .reloaded(),
]);

impl Upstream {
    /// How a leaf behaves that holds these sessions.
    pub(super) fn leaf(&self) -> LeafConfig {
        LeafConfig {
            keepalive: self.keepalive,
            stale_time: self.stale_time,
            max_routes: self.max_routes,
            max_routes_per_vni: self.max_routes_per_vni,
            node: host_name(),
            ..LeafConfig::default()
        }
    }

    /// Has a leaf hold these sessions in place of those before, and sets its limits on routes. Servers go only when
    /// there is a session with one that stays or comes, or after a while: so nobody loses a route because all servers
    /// of a leaf change.
    pub(super) async fn replace(&self, before: &Self, leaf: &MetalBond) {
        let [old, new] = [before, self].map(|it| it.server.iter().collect::<BTreeSet<_>>());
        let mut late = Vec::new();
        for server in new.difference(&old) {
            // There may be room for it once others have gone.
            if leaf.add_peer(*server, None).await.is_err() {
                late.push(*server);
            }
        }
        if old.difference(&new).next().is_some()
            && let Ok(watch) = leaf.watch_peers().await
        {
            let stays = has_session(watch, |address| new.iter().any(|server| *server == address));
            drop(tokio::time::timeout(PATIENCE, stays).await);
        }
        for server in old.difference(&new) {
            if let Err(error) = leaf.remove_peer(*server).await {
                warn!(%error, "cannot apply --server");
            }
        }
        for server in late {
            if let Err(error) = leaf.add_peer(server, None).await {
                warn!(%error, "cannot apply --server");
            }
        }
        if let Err(error) = leaf.set_limits(self.max_routes, self.max_routes_per_vni).await {
            warn!(%error, "cannot apply --max-routes");
        }
    }

    /// Has a leaf hold these sessions. A repetition is harmless.
    pub(super) async fn connect(&self, leaf: &MetalBond) {
        for server in &self.server {
            if let Err(error) = leaf.add_peer(server, None).await {
                warn!(%error, "cannot apply --server");
            }
        }
    }
}

/// How long servers that go are kept for a session with another one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for a session with a server of which `counts` holds.
pub(super) async fn has_session(mut watch: PeerWatch, counts: impl Fn(&str) -> bool) {
    while let Some(changes) = watch.next().await {
        let states = changes.iter().filter(|change| counts(&change.address));
        let mut states = states.filter_map(|change| change.status.as_ref());
        if states.any(|status| status.state == PeerState::Established) {
            return;
        }
    }
}

/// How long the leaf may take to answer before it counts as stuck.
const STUCK: Duration = Duration::from_secs(2);

/// How many of its servers a leaf is connected to.
///
/// # Errors
/// A sentence, when the leaf does not answer in time.
pub(super) async fn servers_connected(leaf: &MetalBond) -> Result<String, String> {
    match tokio::time::timeout(STUCK, leaf.peers()).await {
        Ok(Ok(peers)) => {
            let is_up = |state: PeerState| state == PeerState::Established;
            let up = peers.iter().filter(|(_, peer)| is_up(peer.state)).count();
            Ok(format!("{up} of {} servers connected", peers.len()))
        }
        _ => Err("the leaf does not answer".to_owned()),
    }
}
