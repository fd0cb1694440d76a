//! For how long the routes of a peer stay that is gone without notice.

use std::collections::VecDeque;
use std::time::Duration;

use ahash::RandomState;

use super::cluster::{Cluster, encode, updates};
use super::moves::take_out;
use crate::ids::ShardId;
use crate::portable::form::piece::Kind;
use crate::session::CloseReason;
use crate::shard::connections::Importer;
use crate::shard::moves::{Handover, MoveCommand, MoveOrder};
use crate::shard::{Output, Restorer, Shard, ShardConfig, Slot, Traveller, snapshot};
use crate::wire::{Action, Message};

/// Routes stay for 30 s.
fn settings() -> ShardConfig {
    ShardConfig { stale_hold: Duration::from_secs(30), ..ShardConfig::default() }
}

/// A shard that keeps routes for 30 s, and a peer with ten routes.
fn announcer() -> (Cluster, Slot) {
    let mut cluster = Cluster::new(1);
    cluster.set_settings(&settings());
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

/// Lets everything leave for another process. The session ends without notice. It ends directly before the shard takes
/// the order that connections leave, or directly `after` that.
fn leave_and_end(cluster: &mut Cluster, slot: Slot, after: bool) -> Handover<Traveller> {
    let (mut handover, commands) = Handover::begin(1, 1);
    let mut commands = VecDeque::from(commands);
    while !handover.is_ready() {
        while let Some((_, command)) = commands.pop_front() {
            let MoveCommand::Order(order) = command else { panic!("no connection comes") };
            let parts = matches!(order, MoveOrder::Part { .. });
            if parts && !after {
                cluster.shards[0].close(slot, CloseReason::PeerClosed);
            }
            cluster.shards[0].order(cluster.now, order);
            if parts && after {
                cluster.shards[0].close(slot, CloseReason::PeerClosed);
            }
        }
        cluster.shards[0].turn(cluster.now);
        while let Some(output) = cluster.shards[0].poll() {
            if let Output::Answer(answer) = output {
                commands.extend(handover.answered(ShardId(0), answer.widen()));
            }
        }
    }
    handover
}

#[test]
fn the_routes_of_a_session_that_ends_without_notice_during_a_handover_stay_in_the_other_process() {
    for after in [false, true] {
        let (mut cluster, slot) = announcer();
        let mut handover = leave_and_end(&mut cluster, slot, after);
        handover.hold_late(cluster.now);
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let mut restorer = Restorer::new(1, ShardConfig::default().bounds.table, hasher);
        let mut take = |piece| restorer.take(piece).unwrap();
        snapshot(cluster.now, [].into_iter(), &[], handover.tables(), &mut take);
        let mut other = Cluster::new(1);
        other.shards = vec![Shard::new(ShardId(0), 1, settings(), [1, 2, 3, 4], cluster.now)];
        other.now = cluster.now;
        for tables in restorer.finish().unwrap().tables {
            other.shards[0].own(tables);
        }
        assert_eq!(routes_after(&mut other, Duration::from_secs(29)), 10, "after: {after}");
        assert_eq!(routes_after(&mut other, Duration::from_secs(2)), 0);
    }
}

#[test]
fn the_routes_of_a_session_that_ends_without_notice_during_a_handover_that_is_called_off_stay() {
    for after in [false, true] {
        let (mut cluster, slot) = announcer();
        let mut handover = leave_and_end(&mut cluster, slot, after);
        handover.hold_late(cluster.now);
        let mut commands = VecDeque::from(handover.give_up());
        while let Some((_, command)) = commands.pop_front() {
            let MoveCommand::Order(order) = command else { panic!("no connection comes") };
            cluster.shards[0].order(cluster.now, order);
            while let Some(output) = cluster.shards[0].poll() {
                if let Output::Answer(answer) = output {
                    commands.extend(handover.answered(ShardId(0), answer.widen()));
                }
            }
        }
        assert!(handover.is_over());
        assert_eq!(routes_after(&mut cluster, Duration::ZERO), 10);
        assert_eq!(routes_after(&mut cluster, Duration::from_secs(29)), 10);
        assert_eq!(routes_after(&mut cluster, Duration::from_secs(2)), 0);
    }
}
