//! The changes of a leaf's configuration while the leaf runs: on SIGHUP, after the new configuration was checked.

use std::collections::{BTreeMap, BTreeSet};

use metalbond::client::{MetalBond, Route};
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
pub(super) use metalbond::netlink::NetlinkTables as KernelTables;
use metalbond::wire::Vni;
use tracing::warn;

use super::Args;
use super::installation::Installation;
use super::settings::ClientSettings;
use crate::cli::upstream::Upstream;

/// A leaf, and what it was told last.
#[derive(Debug)]
pub(super) struct Live {
    leaf: MetalBond,
    /// Where VNIs get their tables, if routes are installed.
    kernel: Option<KernelTables>,
    upstream: Upstream,
    subscribed: BTreeSet<Vni>,
    announced: BTreeSet<Route>,
    tables: BTreeMap<Vni, u32>,
}

/// There is none without netlink.
#[cfg(not(all(feature = "netlink", target_os = "linux", not(metalbond_portable))))]
#[derive(Debug)]
pub(super) enum KernelTables {}

#[cfg(not(all(feature = "netlink", target_os = "linux", not(metalbond_portable))))]
impl KernelTables {
    pub(super) fn check(_: &BTreeMap<Vni, u32>) -> Result<(), std::convert::Infallible> {
        Ok(())
    }

    pub(super) fn set(&self, _: BTreeMap<Vni, u32>) -> std::future::Ready<Result<(), String>> {
        match *self {}
    }
}

fn announced(settings: &ClientSettings) -> BTreeSet<Route> {
    settings.announce.iter().map(|announcement| announcement.route).collect()
}

impl Live {
    /// A leaf that runs, as it was told at its start.
    pub(super) fn new(
        leaf: MetalBond,
        kernel: Option<KernelTables>,
        upstream: &Upstream,
        settings: &ClientSettings,
        tables: BTreeMap<Vni, u32>,
    ) -> Self {
        let (subscribed, announced) =
            (settings.subscribe.iter().copied().collect(), announced(settings));
        Self { leaf, kernel, upstream: upstream.clone(), subscribed, announced, tables }
    }

    /// What of a new configuration can't be had without a restart, or at all. Nothing has changed then.
    pub(super) fn check(&self, args: &Args) -> Result<BTreeMap<Vni, u32>, String> {
        let tables = args.installation()?.map(|Installation { tables, .. }| tables);
        let tables = tables.unwrap_or_default();
        if self.kernel.is_none() && !tables.is_empty() {
            return Err("--install-routes: a leaf that was started without --tun, or that cannot \
                 write to the kernel, cannot begin to install routes: restart it"
                .to_owned());
        }
        KernelTables::check(&tables).map_err(|error| error.to_string())?;
        Ok(tables)
    }

    /// Takes up what is new, and leaves all else as it is. `tables` come from [`Self::check`]. Waits for the kernel,
    /// where tables change.
    pub(super) async fn apply(&mut self, args: &Args, tables: BTreeMap<Vni, u32>) {
        args.upstream.replace(&self.upstream, &self.leaf).await;
        self.upstream = args.upstream.clone();
        let subscribed: BTreeSet<Vni> = args.settings.subscribe.iter().copied().collect();
        let mut moved: BTreeSet<Vni> = self.tables.keys().chain(tables.keys()).copied().collect();
        moved.retain(|vni| self.tables.get(vni) != tables.get(vni));
        // Of what nobody subscribes to any more the kernel's side is told that there is nothing.
        let ended: Vec<_> = self.subscribed.difference(&subscribed).copied().collect();
        moved.extend(ended.iter().filter(|vni| tables.contains_key(vni)));
        for vni in &moved {
            done(self.leaf.withhold(*vni).await, "--install-routes");
        }
        for vni in ended {
            done(self.leaf.unsubscribe(vni).await, "--subscribe");
        }
        self.announce(announced(&args.settings)).await;
        if let Some(kernel) = &self.kernel {
            done(kernel.set(tables.clone()).await, "--install-routes");
        }
        for vni in subscribed.difference(&self.subscribed) {
            done(self.leaf.subscribe(*vni).await, "--subscribe");
        }
        for vni in &moved {
            done(self.leaf.hand_over(*vni).await, "--install-routes");
        }
        for vni in tables.keys().filter(|vni| !subscribed.contains(vni)) {
            warn!(
                %vni,
                "nothing will be installed: --install-routes names the VNI, and --subscribe does not"
            );
        }
        (self.subscribed, self.tables) = (subscribed, tables);
    }

    async fn announce(&mut self, announced: BTreeSet<Route>) {
        let withdrawn = self.announced.difference(&announced).copied();
        let added = announced.difference(&self.announced).copied();
        done(self.leaf.change_announcements(withdrawn, added).await, "--announce");
        self.announced = announced;
    }
}

/// It was checked before, so what fails now is that the leaf has stopped.
fn done<E: std::fmt::Display>(result: Result<(), E>, flag: &str) {
    if let Err(error) = result {
        warn!(%error, flag, "a part of the reload failed");
    }
}
