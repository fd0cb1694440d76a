//! For how long the routes of a peer stay that is gone without notice.

use std::time::Duration;

use super::cluster::{Cluster, updates};
use crate::session::CloseReason;
use crate::shard::{ShardConfig, Slot};
use crate::wire::Action;

/// A shard that keeps routes for 30 s, and a peer with ten routes.
fn announcer() -> (Cluster, Slot) {
    let mut cluster = Cluster::new(1);
    let stale_hold = Duration::from_secs(30);
    cluster.set_settings(&ShardConfig { stale_hold, ..ShardConfig::default() });
    let vni = cluster.vnis(0).next().unwrap();
    let slot = cluster.establish(0, 1);
    cluster.say(0, slot, &updates(Action::Add, vni, 0..10));
    cluster.settle(0);
    (cluster, slot)
}

fn routes_after(cluster: &mut Cluster, time: Duration) -> u64 {
    cluster.now = cluster.now + time;
    (0..3).for_each(|_| drop(cluster.turn(0)));
    cluster.shards[0].metrics().now.routes
}

#[test]
fn the_time_begins_when_the_session_ends_and_not_with_the_last_bytes() {
    let (mut cluster, slot) = announcer();
    assert_eq!(routes_after(&mut cluster, Duration::from_secs(10)), 10);
    cluster.shards[0].close(slot, CloseReason::PeerClosed);
    assert_eq!(routes_after(&mut cluster, Duration::ZERO), 10);
    assert_eq!(routes_after(&mut cluster, Duration::from_secs(29)), 10);
    assert_eq!(routes_after(&mut cluster, Duration::from_secs(2)), 0);
}
