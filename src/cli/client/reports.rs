//! What the kernel has of each VNI, for the leaf to report it to its servers.

use std::time::Duration;

use metalbond::client::MetalBond;
use metalbond::netlink::{NetlinkStatus, Status};
use tokio::time::{Instant, sleep};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// After so long the numbers of each VNI are read although those of all together are as before.
const AT_LEAST: Duration = Duration::from_secs(60);
/// The pause after a reading takes so many times as long as the reading: that walks all routes, and none is written
/// meanwhile.
const SHARE: u32 = 20;

/// Tells the leaf how many routes of each VNI the kernel has, whenever that may have changed. Ends with either.
pub(super) async fn report(leaf: MetalBond, kernel: NetlinkStatus) {
    let mut before: Option<Status> = None;
    let mut read = Instant::now();
    loop {
        let Some(mut now) = kernel.get() else { return };
        now.silent = Duration::ZERO;
        if before == Some(now) && read.elapsed() < AT_LEAST {
            sleep(LOOK).await;
            continue;
        }
        before = Some(now);
        read = Instant::now();
        let Some(vnis) = kernel.vnis().await else { return };
        let took = read.elapsed();
        let rows = vnis.into_iter().map(|it| (it.vni, it.routes)).collect();
        if leaf.set_installed(rows).await.is_err() {
            return;
        }
        sleep(LOOK.max(took.saturating_mul(SHARE))).await;
    }
}
