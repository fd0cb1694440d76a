//! Reflectors die and come back. An agent should notice none of it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use metalbond::wire::Action;

use crate::harness::{Client, Elsewhere, GoClient, World, routes};

#[test]
fn when_one_reflector_dies_an_agent_loses_nothing() {
    let mut world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.subscribe(1);
    let theirs = routes(1, 0..1000, 1);
    elsewhere.announce_all(&theirs);
    let mut agent = GoClient::establish(world.address, 1);
    agent.expect_view(&theirs);
    let ours = routes(1, 5000..5010, 2);
    agent.announce_all(&ours);
    elsewhere.expect_view(&ours);
    world.until_in_sync(1, 2);
    for (which, number) in [(0, 2000), (1, 2001)] {
        world.upstreams[which].die();
        elsewhere.0[which] = None;
        // What the other one says goes through.
        let news = routes(1, number..number + 1, 1);
        elsewhere.announce_all(&news);
        agent.expect_view(&[&theirs[..], &news].concat());
        elsewhere.withdraw_all(&news);
        agent.expect_view(&theirs);
        world.upstreams[which].come_back();
        let session = elsewhere.come_back(&world, which);
        session.subscribe(1);
        session.announce_all(&theirs);
        session.expect_view(&ours);
        world.until_in_sync(1, 2);
    }
    agent.until_answered();
    assert_eq!(agent.removes, 2);
}

#[test]
fn when_all_reflectors_restart_an_agent_loses_nothing() {
    let mut world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    let theirs = routes(1, 0..1000, 1);
    elsewhere.announce_all(&theirs);
    let mut agent = GoClient::establish(world.address, 1);
    agent.expect_view(&theirs);
    let ours = routes(1, 5000..5010, 2);
    agent.announce_all(&ours);
    world.until("announced", |status| status.routes_announced == 10);
    for upstream in &mut world.upstreams {
        upstream.die();
    }
    elsewhere.0 = [None, None];
    agent.until_answered();
    for which in [0, 1] {
        world.upstreams[which].come_back();
        let session = elsewhere.come_back(&world, which);
        session.subscribe(1);
        session.expect_view(&ours);
        session.announce_all(&theirs);
    }
    world.until_in_sync(1, 2);
    agent.until_answered();
    assert_eq!((agent.view.len(), agent.removes), (theirs.len(), 0));
}

/// Deployed agents delete by destination: a stale next hop that goes later would take the fresh one along.
#[test]
fn what_has_moved_meanwhile_loses_its_old_next_hop_first() {
    let mut world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    let (old, new) = (routes(1, 0..1000, 1), routes(1, 0..1000, 2));
    elsewhere.announce_all(&old);
    let mut agent = Client::establish_plain(world.address);
    agent.subscribe(1);
    agent.expect_view(&old);
    for upstream in &mut world.upstreams {
        upstream.die();
    }
    let before = agent.updates.len();
    let _session = world.upstreams[0].come_back_with(&new);
    agent.expect_view(&new);
    let mut has_lost = HashSet::new();
    for update in &agent.updates[before..] {
        match update.action {
            Action::Remove => assert!(has_lost.insert(update.destination)),
            Action::Add => assert!(has_lost.contains(&update.destination), "{update:?}"),
        }
    }
}

#[test]
fn when_all_reflectors_stay_away_routes_go_after_the_stale_time() {
    let stale_time = Duration::from_secs(2);
    let mut world = World::with_stale_time(stale_time);
    let mut elsewhere = Elsewhere::connect(&world);
    let theirs = routes(1, 0..1000, 1);
    elsewhere.announce_all(&theirs);
    let mut agent = GoClient::establish(world.address, 1);
    agent.expect_view(&theirs);
    let began = Instant::now();
    for upstream in &mut world.upstreams {
        upstream.die();
    }
    agent.expect_view(&[]);
    assert!(began.elapsed() >= stale_time, "{:?}", began.elapsed());
    // The session goes on, and so does its subscription.
    world.upstreams[1].come_back();
    let session = elsewhere.come_back(&world, 1);
    session.announce_all(&theirs[..10]);
    agent.expect_view(&theirs[..10]);
}

#[test]
fn an_agent_that_comes_while_reflectors_are_away_is_served_what_they_had() {
    let mut world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    let theirs = routes(1, 0..1000, 1);
    elsewhere.announce_all(&theirs);
    let mut agent = GoClient::establish(world.address, 1);
    agent.expect_view(&theirs);
    drop(agent);
    world.until("no agent", |status| status.vnis_used == 0);
    for upstream in &mut world.upstreams {
        upstream.die();
    }
    let mut agent = GoClient::establish(world.address, 1);
    agent.expect_view(&theirs);
}

#[test]
fn an_agent_that_never_saw_a_reflector_is_served_when_one_comes() {
    let mut world = World::start();
    for upstream in &mut world.upstreams {
        upstream.die();
    }
    let mut agent = GoClient::establish(world.address, 1);
    let ours = routes(1, 5000..5010, 2);
    agent.announce_all(&ours);
    world.upstreams[0].come_back();
    let mut elsewhere = Elsewhere([None, None]);
    let session = elsewhere.come_back(&world, 0);
    session.subscribe(1);
    session.expect_view(&ours);
    let theirs = routes(1, 0..10, 1);
    session.announce_all(&theirs);
    agent.expect_view(&theirs);
}
