//! What servers are told of the routes that they have sent.

use super::*;
use crate::wire::{Digest, Installed, Report};

const V: Vni = Vni(1);

fn after(seconds: u64, millis: u64) -> Moment {
    at(seconds) + Duration::from_millis(millis)
}

fn digest(routes: &[Route]) -> Digest {
    let mut digest = Digest::default();
    routes.iter().for_each(|route| digest.add(&route.destination, &route.next_hop));
    digest
}

/// The reports taken at a moment.
fn reported(
    leaf: &mut Leaf,
    now: Moment,
    slot: ServerSlot,
) -> Vec<(Vni, Digest, Option<Installed>)> {
    leaf.tick(now);
    let messages = leaf.take_messages(now, slot, usize::MAX);
    let report = |message: Message| match message {
        Message::Report(Report { vni, routes, installed }) => Some((vni, routes, installed)),
        _ => None,
    };
    messages.into_iter().filter_map(report).collect()
}

/// A leaf with sessions with two servers, of which one wants reports.
fn reporting(limits: RouteLimits) -> Leaf {
    let mut leaf = Leaf::new(CoreConfig { stale_time: STALE, routes_per_peer: 1000, limits });
    leaf.subscribe(at(0), V);
    leaf.subscribe(at(0), Vni(2));
    for slot in [A, B] {
        connect(&mut leaf, at(0), slot);
    }
    leaf.reports_to(A, Duration::ZERO);
    leaf
}

#[test]
fn what_changes_is_reported_together_and_once_a_second_at_most() {
    let mut leaf = reporting(RouteLimits::default());
    let (one, two, three) = (route(1, 1, 1), route(2, 2, 2), route(1, 3, 3));
    add(&mut leaf, at(1), A, &[one, two]);
    assert_eq!(reported(&mut leaf, at(5), A), [], "no table is complete");
    for vni in [V, Vni(2)] {
        leaf.end_of_table(at(5), A, vni);
    }
    add(&mut leaf, at(5), B, &[three]);
    assert_eq!(leaf.deadline().unwrap(), after(6, 0));
    assert_eq!(reported(&mut leaf, after(5, 249), A), []);
    let all = [(V, digest(&[one]), None), (Vni(2), digest(&[two]), None)];
    assert_eq!(reported(&mut leaf, at(6), A), all);
    assert_eq!(reported(&mut leaf, at(7), A), [], "nothing has changed");
    assert_eq!(reported(&mut leaf, at(7), B), [], "this server wants none");
    // A change is reported soon; a change soon after that report is reported a second later.
    add(&mut leaf, at(10), A, &[three]);
    let both = digest(&[one, three]);
    assert_eq!(reported(&mut leaf, after(10, 250), A), [(V, both, None)]);
    remove(&mut leaf, after(10, 300), A, &[three]);
    assert_eq!(reported(&mut leaf, after(11, 249), A), []);
    assert_eq!(reported(&mut leaf, after(11, 250), A), [(V, digest(&[one]), None)]);
    leaf.unsubscribe(V);
    assert_eq!(reported(&mut leaf, at(20), A), []);
}

#[test]
fn a_server_that_takes_nothing_gets_the_newest_report_when_it_does() {
    let mut leaf = reporting(RouteLimits::default());
    leaf.end_of_table(at(1), A, V);
    leaf.tick(at(2));
    assert_ne!(leaf.deadline(), Some(at(2)), "it is not asked for again and again");
    add(&mut leaf, at(3), A, &[route(1, 1, 1)]);
    leaf.tick(at(4));
    let now = digest(&[route(1, 1, 1)]);
    assert_eq!(reported(&mut leaf, at(9), A), [(V, now, None)]);
    assert_eq!(reported(&mut leaf, at(12), A), []);
}

#[test]
fn routes_that_wait_for_room_are_not_reported_until_they_are_in() {
    let mut leaf = reporting(RouteLimits { all: 0, vni: 1 });
    let (one, two) = (route(1, 1, 1), route(1, 2, 2));
    add(&mut leaf, at(1), A, &[one, two]);
    leaf.end_of_table(at(1), A, V);
    assert_eq!(reported(&mut leaf, at(2), A), [(V, digest(&[one]), None)]);
    leaf.set_limits(at(3), RouteLimits::default());
    leaf.tick(at(5));
    assert_eq!(reported(&mut leaf, at(8), A), [(V, digest(&[one, two]), None)]);
}

#[test]
fn what_the_kernel_has_is_reported_when_it_changes() {
    let mut leaf = reporting(RouteLimits::default());
    // This leaf announces one of the networks itself: that network is not for its kernel.
    leaf.announce(route(1, 9, 1));
    let routes = [route(1, 1, 1), route(1, 9, 2)];
    add(&mut leaf, at(1), A, &routes);
    leaf.end_of_table(at(1), A, V);
    assert_eq!(reported(&mut leaf, at(2), A), [(V, digest(&routes), None)]);
    for accepted in [0, 1] {
        let installed = Installed { wanted: 1, accepted, left_out: 0 };
        let told = Installed { left_out: 1, ..installed };
        for _ in 0..2 {
            leaf.set_installed(at(5 + 5 * accepted), vec![(V, installed)]);
        }
        let now = at(9 + 5 * accepted);
        assert_eq!(reported(&mut leaf, now, A), [(V, digest(&routes), Some(told))]);
        assert_eq!(reported(&mut leaf, now + Duration::from_secs(2), A), []);
    }
    leaf.set_installed(at(20), Vec::new());
    assert_eq!(reported(&mut leaf, at(22), A), [(V, digest(&routes), None)]);
}

#[test]
fn a_new_session_reports_anew() {
    let mut leaf = reporting(RouteLimits::default());
    add(&mut leaf, at(1), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(1), A, V);
    assert_eq!(reported(&mut leaf, at(2), A).len(), 1);
    leaf.ended(at(3), A);
    connect(&mut leaf, at(4), A);
    leaf.reports_to(A, Duration::ZERO);
    leaf.end_of_table(at(4), A, V);
    assert_eq!(reported(&mut leaf, at(5), A), [(V, Digest::default(), None)]);
}
