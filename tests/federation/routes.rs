//! What a subscriber is told of other sites.

use metalbond::io::IoChoice;

use crate::harness::{Client, Nats, on_each_io, route, routes, settled, site};

on_each_io! {
    a_subscriber_learns_what_other_sites_announce_and_withdraw,
    a_route_of_two_sites_stays_while_one_has_it,
    what_came_from_a_site_goes_to_no_other_and_not_back,
    a_site_that_comes_late_learns_what_there_is,
}

fn a_subscriber_learns_what_other_sites_announce_and_withdraw(nats: Nats, io: IoChoice) {
    let (one, at_one) = site(&nats, io, "one");
    let (other, at_other) = site(&nats, io, "other");
    let mut announcer = Client::establish(at_one);
    let mut subscriber = Client::establish(at_other);
    subscriber.subscribe(7);
    let all = routes(7, 0..500, 1);
    announcer.announce_all(&all);
    subscriber.expect_view(&all);
    settled_one_way(&one, &other);
    announcer.withdraw_all(&all[..100]);
    announcer.announce(&route(7, 900, 2));
    subscriber.expect_view(all[100..].iter().chain([&route(7, 900, 2)]));
    drop(announcer);
    subscriber.expect_view([]);
}

/// The other one is in sync in the VNI that its client wants.
fn settled_one_way(one: &crate::harness::Reflector, other: &crate::harness::Reflector) {
    crate::harness::eventually("a VNI in sync", || {
        crate::harness::seen(other, "one").is_some_and(|seen| seen.vnis_in_sync == 1)
            && crate::harness::seen(one, "other").is_some()
    });
}

fn a_route_of_two_sites_stays_while_one_has_it(nats: Nats, io: IoChoice) {
    let (one, at_one) = site(&nats, io, "one");
    let (two, at_two) = site(&nats, io, "two");
    let (three, at_three) = site(&nats, io, "three");
    let [mut first, mut second, mut subscriber] = [at_one, at_two, at_three].map(Client::establish);
    for client in [&mut first, &mut second, &mut subscriber] {
        client.subscribe(7);
    }
    settled(&[&one, &two, &three], 1);
    first.announce(&route(7, 1, 1));
    second.announce(&route(7, 1, 1));
    second.announce(&route(7, 2, 1));
    subscriber.expect_view(&[route(7, 1, 1), route(7, 2, 1)]);
    // Each has it of the other.
    first.expect_view(&[route(7, 1, 1), route(7, 2, 1)]);
    second.expect_view(&[route(7, 1, 1)]);
    first.withdraw(&route(7, 1, 1));
    first.announce(&route(7, 3, 1));
    subscriber.expect_view(&[route(7, 1, 1), route(7, 2, 1), route(7, 3, 1)]);
    assert_eq!(subscriber.removes(), 0);
    second.withdraw(&route(7, 1, 1));
    subscriber.expect_view(&[route(7, 2, 1), route(7, 3, 1)]);
}

fn what_came_from_a_site_goes_to_no_other_and_not_back(nats: Nats, io: IoChoice) {
    let names = ["one", "two", "three"];
    let sites = names.map(|name| site(&nats, io, name));
    let mut clients = sites.each_ref().map(|(_, address)| Client::establish(*address));
    for (client, number) in clients.iter_mut().zip(0..) {
        client.subscribe(7);
        client.announce(&route(7, number, 1));
    }
    let [one, two, three] = sites.each_ref().map(|(reflector, _)| reflector);
    settled(&[one, two, three], 1);
    for (client, number) in clients.iter_mut().zip(0..) {
        let others: Vec<_> = (0..3).filter(|it| *it != number).map(|it| route(7, it, 1)).collect();
        client.expect_view(&others);
    }
    // Each site has sent what its own client announces, to both others in one message, and nothing else.
    for reflector in [one, two, three] {
        let status = crate::harness::status(reflector);
        assert!(status.changes_sent <= 1, "{status:?}");
        assert!(status.sites.iter().all(|site| site.routes == 1), "{status:?}");
    }
}

fn a_site_that_comes_late_learns_what_there_is(nats: Nats, io: IoChoice) {
    let (one, at_one) = site(&nats, io, "one");
    let mut announcer = Client::establish(at_one);
    let all = routes(7, 0..5_000, 1);
    announcer.announce_all(&all);
    announcer.keepalive();
    let (other, at_other) = site(&nats, io, "other");
    let mut subscriber = Client::establish(at_other);
    subscriber.subscribe(7);
    subscriber.expect_view(&all);
    settled_one_way(&one, &other);
}
