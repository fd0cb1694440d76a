//! What goes through, and what does not.

use metalbond::wire::Hello;
use support::client::{hello_of, plain_hello, route};

use crate::harness::{Client, Elsewhere, GoClient, World, routes};

#[test]
fn routes_cross_both_ways() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    let theirs = routes(1, 0..100, 1);
    elsewhere.subscribe(1);
    elsewhere.announce_all(&theirs);
    let mut agent = GoClient::establish(world.address, 1);
    agent.expect_view(&theirs);
    let ours = routes(1, 1000..1100, 2);
    agent.announce_all(&ours);
    elsewhere.expect_view(&ours);
    agent.withdraw_all(&ours[50..]);
    elsewhere.expect_view(&ours[..50]);
    elsewhere.withdraw_all(&theirs[50..]);
    agent.expect_view(&theirs[..50]);
    world.until("counted", |status| {
        (status.routes_learned, status.routes_announced) == (50, 50)
            && (status.vnis_used, status.vnis_subscribed) == (1, 1)
    });
}

#[test]
fn an_agent_announces_in_a_vni_that_it_does_not_subscribe_to() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.subscribe(2);
    elsewhere.announce_all(&routes(2, 0..3, 1));
    let mut agent = GoClient::establish(world.address, 1);
    let ours = routes(2, 10..20, 2);
    agent.announce_all(&ours);
    elsewhere.expect_view(&ours);
    world.until("used, and not asked for", |status| {
        (status.vnis_used, status.vnis_subscribed) == (2, 1) && status.routes_learned == 0
    });
    agent.withdraw_all(&ours);
    elsewhere.expect_view(&[]);
    world.until("no longer used", |status| status.vnis_used == 1);
    agent.announce_all(&ours[..1]);
    elsewhere.expect_view(&ours[..1]);
}

#[test]
fn routes_of_an_agent_do_not_come_back_to_it() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.subscribe(1);
    let mut agent = GoClient::establish(world.address, 1);
    let ours = routes(1, 0..100, 2);
    agent.announce_all(&ours);
    elsewhere.expect_view(&ours);
    // Whatever comes back came before this.
    let theirs = routes(1, 1000..1001, 1);
    elsewhere.announce_all(&theirs);
    agent.expect_view(&theirs);
    assert_eq!(agent.removes, 0);
}

#[test]
fn agents_of_one_host_see_each_other_and_reflectors_see_them_as_one() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.subscribe(1);
    let mut one = GoClient::establish(world.address, 1);
    let mut other = GoClient::establish(world.address, 1);
    let (of_one, of_other) = (routes(1, 0..10, 2), routes(1, 5..15, 2));
    one.announce_all(&of_one);
    other.announce_all(&of_other);
    one.expect_view(&of_other);
    other.expect_view(&of_one);
    elsewhere.expect_view(&routes(1, 0..15, 2));
    drop(one);
    other.expect_view(&[]);
    elsewhere.expect_view(&of_other);
    let session = elsewhere.0[0].as_ref().unwrap();
    // Those that both announced never went.
    assert_eq!((session.updates.len(), session.removes()), (20, 5));
}

/// As for any two announcers of one route: `docs/protocol.md`, "What a subscriber is owed".
#[test]
fn a_route_that_is_announced_here_and_elsewhere_is_told_to_both() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.subscribe(1);
    let mut agent = GoClient::establish(world.address, 1);
    let both = [route(1, 7, 2)];
    agent.announce_all(&both);
    elsewhere.expect_view(&both);
    elsewhere.announce_all(&both);
    agent.expect_view(&both);
    let mut third = GoClient::establish(world.address, 1);
    third.expect_view(&both);
    agent.withdraw_all(&both);
    elsewhere.expect_view(&[]);
    elsewhere.withdraw_all(&both);
    agent.expect_view(&[]);
    third.expect_view(&[]);
}

#[test]
fn a_route_that_one_reflector_withdraws_stays_while_another_has_it() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    let theirs = routes(1, 0..10, 1);
    elsewhere.announce_all(&theirs);
    let mut agent = GoClient::establish(world.address, 1);
    agent.expect_view(&theirs);
    world.until_in_sync(1, 2);
    let [first, second] = &mut elsewhere.0;
    let (first, second) = (first.as_mut().unwrap(), second.as_mut().unwrap());
    first.withdraw_all(&theirs);
    first.keepalive();
    let more = routes(1, 100..101, 1);
    first.announce_all(&more);
    agent.expect_view(&[&theirs[..], &more].concat());
    assert_eq!(agent.removes, 0);
    second.withdraw_all(&theirs);
    agent.expect_view(&more);
}

#[test]
fn a_local_server_is_told_what_agents_announce_and_nothing_of_it_goes_further() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.subscribe(1);
    elsewhere.announce_all(&routes(1, 0..10, 1));
    let hello = Hello { is_server: true, ..plain_hello() };
    let mut server = Client::connect(world.address).shake_hands(hello);
    server.subscribe(1);
    server.announce_all(&routes(1, 20..30, 3));
    let mut agent = GoClient::establish(world.address, 1);
    agent.expect_view(&[routes(1, 0..10, 1), routes(1, 20..30, 3)].concat());
    let ours = routes(1, 40..50, 2);
    agent.announce_all(&ours);
    server.expect_view(&ours);
    elsewhere.expect_view(&ours);
}

/// The proxy does not know what its reflectors have not sent yet.
#[test]
fn no_agent_is_told_that_a_table_is_complete() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    let theirs = routes(1, 0..10, 1);
    elsewhere.announce_all(&theirs);
    let mut agent = Client::connect(world.address).shake_hands(hello_of("agent"));
    let capabilities = agent.hello.as_ref().unwrap().extensions.as_ref().unwrap().capabilities;
    assert_eq!(capabilities, metalbond::wire::Capabilities::STREAM);
    agent.subscribe(1);
    agent.expect_view(&theirs);
    agent.keepalive();
    assert_eq!(agent.ended, []);
}
