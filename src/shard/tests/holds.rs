//! For how long the routes of a peer stay that is gone without notice.

use std::time::Duration;

use super::cluster::{Cluster, encode, updates};
use super::moves::take_out;
use crate::portable::form::piece::Kind;
use crate::session::CloseReason;
use crate::shard::connections::Importer;
use crate::shard::{ShardConfig, Slot, Traveller};
use crate::wire::{Action, Message};

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

/// The connection as another process reads it.
fn in_another_process(traveller: &Traveller) -> Traveller {
    let mut importer: Option<Importer> = None;
    traveller.export(&mut |piece| {
        if let Some(importer) = &mut importer {
            return importer.take(piece).unwrap();
        }
        let Kind::Connection(connection) = piece else { panic!("no connection") };
        importer = Some(Importer::new(connection).unwrap());
    });
    importer.unwrap().finish()
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

#[test]
fn a_goodbye_before_a_handover_withdraws_the_routes_behind_it() {
    for says_goodbye in [true, false] {
        let (mut cluster, slot) = announcer();
        if says_goodbye {
            cluster.say(0, slot, &encode(&[Message::Goodbye]));
        }
        let traveller = take_out(&mut cluster, 0, slot, 1);
        let traveller = in_another_process(&traveller);
        let slot = cluster.shards[0].arrive(cluster.now, traveller);
        cluster.shards[0].close(slot, CloseReason::PeerClosed);
        let expected = if says_goodbye { 0 } else { 10 };
        assert_eq!(routes_after(&mut cluster, Duration::from_millis(1)), expected);
    }
}
