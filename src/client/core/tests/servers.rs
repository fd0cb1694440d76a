//! Routes of several servers that come, go and lie.

use super::*;

#[test]
fn a_route_is_there_from_the_first_server_that_has_it_to_the_last_that_loses_it() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    for slot in [A, B] {
        connect(&mut leaf, at(0), slot);
        add(&mut leaf, at(0), slot, &[route(1, 1, 1)]);
        plane.expect(&mut leaf, &[route(1, 1, 1)]);
        leaf.end_of_table(at(0), slot, Vni(1));
    }
    remove(&mut leaf, at(1), A, &[route(1, 1, 1)]);
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
    add(&mut leaf, at(1), A, &[route(1, 1, 1)]);
    leaf.ended(at(2), B);
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
    remove(&mut leaf, at(3), A, &[route(1, 1, 1)]);
    plane.expect(&mut leaf, &[]);
}

#[test]
fn what_only_a_dead_server_had_goes_at_once_where_another_is_in_sync() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    for slot in [A, B] {
        connect(&mut leaf, at(0), slot);
    }
    add(&mut leaf, at(0), A, &[route(1, 1, 1), route(1, 2, 1)]);
    add(&mut leaf, at(0), B, &[route(1, 2, 1)]);
    for slot in [A, B] {
        leaf.end_of_table(at(0), slot, Vni(1));
    }
    leaf.ended(at(1), A);
    plane.expect(&mut leaf, &[route(1, 2, 1)]);
}

#[test]
fn while_the_other_server_still_sends_its_table_nothing_goes() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1), route(1, 2, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    connect(&mut leaf, at(1), B);
    leaf.ended(at(2), A);
    add(&mut leaf, at(3), B, &[route(1, 2, 1)]);
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 2, 1)]);
    leaf.end_of_table(at(4), B, Vni(1));
    plane.expect(&mut leaf, &[route(1, 2, 1)]);
    leaf.tick(at(120));
    assert_eq!(leaf.deadline(), None);
}

#[test]
fn servers_that_restart_one_after_the_other_empty_nothing() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    for slot in [A, B] {
        connect(&mut leaf, at(0), slot);
        add(&mut leaf, at(0), slot, &[route(1, 1, 1), route(1, 2, 1)]);
        leaf.end_of_table(at(0), slot, Vni(1));
    }
    leaf.ended(at(100), A);
    connect(&mut leaf, at(101), A);
    leaf.end_of_table(at(101), A, Vni(1));
    // The announcers are not yet back at A.
    leaf.ended(at(103), B);
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 2, 1)]);
    add(&mut leaf, at(110), A, &[route(1, 1, 1)]);
    connect(&mut leaf, at(110), B);
    leaf.end_of_table(at(110), B, Vni(1));
    leaf.tick(at(135));
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 2, 1)]);
    leaf.tick(at(136));
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
}

#[test]
fn a_server_that_dies_in_the_middle_of_its_table_and_comes_back_empty_empties_nothing() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.ended(at(1), A);
    connect(&mut leaf, at(2), A);
    leaf.end_of_table(at(2), A, Vni(1));
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
    assert_eq!(plane.complete, [], "whether that is all is not known yet");
    leaf.tick(at(2 + 35));
    plane.expect(&mut leaf, &[]);
    assert_eq!(plane.complete, [Vni(1)]);
}

#[test]
fn a_server_that_floods_again_and_again_leaves_nothing_behind() {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    for round in 0..20 {
        connect(&mut leaf, at(0), A);
        let all: Vec<_> = (0..=255).flat_map(|n| (0..4).map(move |hop| (n, hop))).collect();
        let all = all.into_iter().map(|(n, hop)| route(1, n, 4 * round + hop).update(Action::Add));
        assert!(leaf.updates(at(0), A, &all.collect::<Vec<_>>()).is_err());
        leaf.expel(at(0), A);
        assert_eq!(leaf.routes(Vni(1)).len(), 0);
    }
    // Nor do 20 sessions within the limit leave more stale routes than the limit.
    for round in 0..20 {
        connect(&mut leaf, at(0), A);
        let all: Vec<_> = (0..250).map(|n| route(1, n, round)).collect();
        add(&mut leaf, at(0), A, &all);
        leaf.ended(at(0), A);
    }
    assert_eq!(leaf.routes(Vni(1)).len(), 1000);
}

#[test]
fn routes_outlive_their_servers_for_the_stale_time() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(1000), A);
    leaf.tick(at(1000));
    assert_eq!(leaf.deadline(), Some(at(1120)));
    leaf.tick(at(1119));
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
    leaf.tick(at(1120));
    plane.expect(&mut leaf, &[]);
    assert_eq!(leaf.deadline(), None);
}

#[test]
fn stale_routes_that_go_are_counted_by_why_they_go() {
    use crate::client::core::Dropped;
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1), route(1, 2, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(10), A);
    assert_eq!(leaf.take_dropped(), Dropped::default());
    connect(&mut leaf, at(11), A);
    add(&mut leaf, at(11), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(11), A, Vni(1));
    leaf.tick(at(60));
    assert_eq!(leaf.take_dropped(), Dropped { expired: 0, unknown: 1 });
    leaf.ended(at(70), A);
    leaf.tick(at(300));
    assert_eq!(leaf.take_dropped(), Dropped { expired: 1, unknown: 0 });
    assert_eq!(leaf.route_count(), 0);
}

#[test]
fn without_a_stale_time_routes_go_with_their_last_server() {
    let mut leaf = Leaf::new(CoreConfig {
        stale_time: Duration::ZERO,
        routes_per_peer: 10,
        limits: RouteLimits::default(),
    });
    let mut plane = Plane::default();
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.ended(at(1), A);
    plane.expect(&mut leaf, &[]);
}

#[test]
fn a_server_that_comes_back_empty_does_not_empty_the_dataplane() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    let all = [route(1, 1, 1), route(1, 2, 1), route(1, 3, 1)];
    add(&mut leaf, at(0), A, &all);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(100), A);
    connect(&mut leaf, at(101), A);
    leaf.end_of_table(at(101), A, Vni(1));
    plane.expect(&mut leaf, &all);
    // Announcers come back one after the other. One has moved; one never does.
    add(&mut leaf, at(110), A, &[route(1, 1, 1)]);
    plane.expect(&mut leaf, &all);
    add(&mut leaf, at(120), A, &[route(1, 2, 9)]);
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 2, 9), route(1, 3, 1)]);
    leaf.tick(at(101 + 34));
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 2, 9), route(1, 3, 1)]);
    leaf.tick(at(101 + 35));
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 2, 9)]);
}

#[test]
fn announcers_have_time_to_come_back_after_a_long_absence_of_the_server() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(0), A);
    connect(&mut leaf, at(119), A);
    leaf.end_of_table(at(119), A, Vni(1));
    leaf.tick(at(120));
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
    leaf.tick(at(119 + 35));
    plane.expect(&mut leaf, &[]);
}

#[test]
fn a_server_that_comes_and_goes_does_not_keep_stale_routes_for_ever() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    for moment in (0..=240).step_by(10) {
        plane.expect(&mut leaf, &[route(1, 1, 1)]);
        leaf.ended(at(moment), A);
        connect(&mut leaf, at(moment), A);
        leaf.end_of_table(at(moment), A, Vni(1));
        leaf.tick(at(moment));
    }
    plane.expect(&mut leaf, &[]);
}

#[test]
fn targets_of_a_load_balancer_stand_beside_each_other() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    let old = [target(1, 1, 1), target(1, 1, 2), route(1, 1, 3)];
    add(&mut leaf, at(0), A, &old);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(1), A);
    connect(&mut leaf, at(2), A);
    leaf.end_of_table(at(2), A, Vni(1));
    add(&mut leaf, at(3), A, &[target(1, 1, 4)]);
    plane.expect(&mut leaf, &[old[0], old[1], old[2], target(1, 1, 4)]);
    add(&mut leaf, at(3), A, &[route(1, 1, 5)]);
    plane.expect(&mut leaf, &[old[0], old[1], route(1, 1, 5), target(1, 1, 4)]);
}

#[test]
fn a_vni_is_complete_when_no_connected_server_has_more_to_send() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.added(A);
    leaf.added(B);
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    leaf.end_of_table(at(0), A, Vni(1));
    assert_eq!(plane.update(&mut leaf).complete, [], "B has not been tried yet");
    leaf.ended(at(1), B);
    assert_eq!(plane.update(&mut leaf).complete, [Vni(1)]);
    // Once is enough.
    connect(&mut leaf, at(2), B);
    leaf.end_of_table(at(2), B, Vni(1));
    leaf.tick(at(200));
    assert_eq!(plane.update(&mut leaf).complete, [Vni(1)]);
}

#[test]
fn a_vni_that_no_server_completes_is_given_up_after_the_stale_time() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.added(A);
    leaf.subscribe(at(0), Vni(1));
    leaf.tick(at(119));
    assert_eq!(plane.update(&mut leaf).complete, []);
    leaf.tick(at(120));
    assert_eq!(plane.update(&mut leaf).complete, [Vni(1)]);
}

#[test]
fn a_vni_is_complete_for_the_dataplane_only_behind_its_routes() {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    leaf.subscribe(at(0), Vni(2));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1), route(2, 1, 1), route(2, 2, 1)]);
    leaf.end_of_table(at(0), A, Vni(2));
    leaf.end_of_table(at(0), A, Vni(1));
    let done = [0; 3].map(|_| leaf.take_for_dataplane(1).1);
    assert_eq!(done, [vec![Vni(1)], vec![], vec![Vni(2)]]);
}

#[test]
fn a_vni_is_complete_also_where_something_of_it_always_waits() {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1), route(1, 2, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    let mut completed = Vec::new();
    for hop in 2..12 {
        // Two changes for each one that is taken.
        for net in 1..3 {
            remove(&mut leaf, at(0), A, &[route(1, net, hop - 1)]);
            add(&mut leaf, at(0), A, &[route(1, net, hop)]);
        }
        completed.extend(leaf.take_for_dataplane(1).1);
    }
    assert!(leaf.has_for_dataplane());
    assert_eq!(completed, [Vni(1)]);
}

#[test]
fn a_server_is_not_quiet_before_it_was_asked() {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    leaf.established(at(0), A, false, LONG);
    leaf.take_messages(at(0), A, 10);
    leaf.written(at(5), A);
    leaf.tick(at(6));
    assert_eq!(leaf.take_sync(), []);
    leaf.tick(at(7));
    assert_eq!(leaf.take_sync(), [(A, Vni(1), true)]);
    // A new subscription has a quiet time of its own.
    leaf.unsubscribe(Vni(1));
    leaf.subscribe(at(8), Vni(1));
    leaf.take_messages(at(8), A, 10);
    leaf.take_sync();
    leaf.tick(at(11));
    assert_eq!(leaf.take_sync(), [], "its SUBSCRIBE waits until the old stream has run dry");
    leaf.take_messages(at(11), A, 10);
    leaf.tick(at(12));
    assert_eq!(leaf.take_sync(), []);
    leaf.tick(at(13));
    assert_eq!(leaf.take_sync(), [(A, Vni(1), true)]);
}

#[test]
fn a_server_without_end_of_table_is_in_sync_after_two_quiet_seconds() {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    leaf.established(at(0), A, false, LONG);
    leaf.take_messages(at(0), A, 10);
    assert_eq!(leaf.deadline(), Some(at(2)));
    add(&mut leaf, at(1), A, &[route(1, 1, 1)]);
    leaf.tick(at(2));
    assert_eq!(leaf.take_sync(), []);
    leaf.tick(at(3));
    assert_eq!(leaf.take_sync(), [(A, Vni(1), true)]);
    // Also where changes never pause.
    leaf.subscribe(at(10), Vni(2));
    leaf.take_messages(at(10), A, 10);
    for moment in 10..40 {
        assert_eq!(leaf.take_sync(), []);
        add(&mut leaf, at(moment), A, &[route(2, u8::try_from(moment).unwrap(), 1)]);
        leaf.tick(at(moment));
    }
    leaf.tick(at(40));
    assert_eq!(leaf.take_sync(), [(A, Vni(2), true)]);
}

#[test]
fn what_was_not_asked_for_is_ignored_and_too_much_is_an_error() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(2, 1, 1)]);
    remove(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    add(&mut leaf, at(0), A, &[route(1, 1, 1), route(1, 1, 1)]);
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
    let many = (0..1001_u32).map(|n| {
        let [.., high, low] = n.to_be_bytes();
        route(1, high, low).update(Action::Add)
    });
    let error = leaf.updates(at(1), A, &many.collect::<Vec<_>>());
    assert_eq!(error, Err(super::super::TooManyRoutes(1000)));
}

#[test]
fn a_table_that_says_again_what_is_stale_changes_nothing() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    let both = [route(1, 1, 1), route(1, 1, 2)];
    add(&mut leaf, at(0), A, &both);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(1), A);
    connect(&mut leaf, at(2), A);
    for next_hop in both {
        add(&mut leaf, at(2), A, &[next_hop]);
        plane.expect(&mut leaf, &both);
    }
    leaf.end_of_table(at(2), A, Vni(1));
    plane.expect(&mut leaf, &both);
}

#[test]
fn a_next_hop_that_moved_meanwhile_goes_with_the_end_of_the_table() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(1), A);
    connect(&mut leaf, at(2), A);
    add(&mut leaf, at(2), A, &[route(1, 1, 9)]);
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 1, 9)]);
    leaf.end_of_table(at(2), A, Vni(1));
    plane.expect(&mut leaf, &[route(1, 1, 9)]);
}

#[test]
fn a_nat_range_takes_the_place_of_those_it_overlaps() {
    let nat = |host: u8, from, to| {
        let next_hop = NextHop::new([192, 0, 2, host].into(), 0, NextHopType::Nat, from, to);
        Route { next_hop: next_hop.unwrap(), ..route(1, 1, 1) }
    };
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[nat(1, 1000, 1999), nat(2, 2000, 2999)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(1), A);
    connect(&mut leaf, at(2), A);
    leaf.end_of_table(at(2), A, Vni(1));
    add(&mut leaf, at(3), A, &[nat(3, 1999, 1999)]);
    plane.expect(&mut leaf, &[nat(3, 1999, 1999), nat(2, 2000, 2999)]);
}

#[test]
fn what_a_server_took_back_or_was_not_wanted_any_more_counts_no_longer() {
    let mut leaf = leaf();
    let all = |vni| (0..250_u8).flat_map(move |n| (0..4).map(move |hop| route(vni, n, hop)));
    connect(&mut leaf, at(0), A);
    for vni in 1..4 {
        leaf.subscribe(at(0), Vni(vni));
        leaf.take_messages(at(0), A, 10);
        let routes: Vec<_> = all(vni).collect();
        add(&mut leaf, at(0), A, &routes);
        remove(&mut leaf, at(0), A, &routes[..500]);
        add(&mut leaf, at(0), A, &routes[..500]);
        leaf.unsubscribe(Vni(vni));
    }
}

#[test]
fn a_vni_that_is_not_wanted_any_more_is_not_said_to_be_complete() {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    leaf.established(at(0), A, false, LONG);
    leaf.take_messages(at(0), A, 10);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.unsubscribe(Vni(1));
    assert!(leaf.take_for_dataplane(10).1.is_empty());
    // Nor does quiet complete the table of a VNI that was unsubscribed from.
    leaf.subscribe(at(1), Vni(1));
    leaf.take_messages(at(1), A, 10);
    leaf.unsubscribe(Vni(1));
    leaf.take_messages(at(1), A, 10);
    leaf.subscribe(at(1), Vni(1));
    leaf.tick(at(4));
    assert_eq!(leaf.take_for_dataplane(10).1, []);
}

#[test]
fn nothing_is_due_for_ever() {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    leaf.established(at(0), A, false, LONG);
    leaf.take_messages(at(0), A, 10);
    leaf.unsubscribe(Vni(1));
    leaf.take_messages(at(1), A, 10);
    for moment in [at(3), at(200), at(400)] {
        leaf.tick(moment);
        assert!(leaf.deadline().is_none_or(|due| due > moment), "{:?}", leaf.deadline());
    }
}

#[test]
fn a_stale_time_without_end_has_no_end() {
    let mut leaf = Leaf::new(CoreConfig {
        stale_time: Duration::MAX,
        routes_per_peer: 1000,
        limits: RouteLimits::default(),
    });
    let mut plane = Plane::default();
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(1), A);
    // The server is doubted, as it may have lost the route: stale routes have twice the time.
    connect(&mut leaf, at(2), A);
    leaf.end_of_table(at(2), A, Vni(1));
    leaf.tick(at(3));
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
}
