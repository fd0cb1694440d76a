//! Every reason that an explanation can give.

use super::scene::{Scene, VNI, hop};
use crate::ids::PeerId;
use crate::policy::Echo;
use crate::shard::ShardConfig;
use crate::shard::inspect::{Explanation, Reason, SessionState, Verdict};
use crate::wire::{Action, Message, Vni};

const ROUTE: &str = "10.0.0.1/32";

fn sentences(explanation: &Explanation) -> Vec<String> {
    explanation.reasons.iter().map(ToString::to_string).collect()
}

#[test]
fn a_peer_that_is_not_there_is_owed_nothing() {
    let explanation = Scene::new().explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::NotOwed);
    assert_eq!(sentences(&explanation), ["there is no peer #7"]);
}

#[test]
fn a_session_that_is_not_established_is_sent_nothing() {
    let mut scene = Scene::new();
    scene.shard.connect(scene.now, PeerId(7), None);
    let explanation = scene.explain(7, ROUTE);
    let state = SessionState::Connecting;
    assert_eq!(explanation.reasons, [Reason::NotEstablished { peer: PeerId(7), state }]);
}

#[test]
fn who_is_not_subscribed_is_owed_nothing() {
    let mut scene = Scene::new();
    let publisher = scene.establish(1);
    scene.establish(7);
    scene.announce(publisher, ROUTE);
    scene.read_all();
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::NotOwed);
    assert_eq!(sentences(&explanation)[0], "peer #7 is not subscribed to VNI 7");
}

#[test]
fn what_nobody_announces_is_owed_to_nobody() {
    let mut scene = Scene::new();
    let reader = scene.establish(7);
    scene.subscribe(reader);
    scene.read_all();
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::NotOwed);
    assert_eq!(sentences(&explanation)[0], "nobody announces 10.0.0.1/32 in VNI 7");
}

#[test]
fn an_only_announcer_does_not_get_its_own_route() {
    let mut scene = Scene::new();
    let both = scene.establish(7);
    scene.subscribe(both);
    scene.announce(both, ROUTE);
    scene.read_all();
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::NotOwed);
    assert_eq!(
        sentences(&explanation)[0],
        "only peer #7 itself announces the route via fd00::1, and the reflector sends no route back to \
         its announcer"
    );
    let other = scene.establish(8);
    scene.announce(other, ROUTE);
    scene.read_all();
    assert_eq!(scene.explain(7, ROUTE).verdict, Verdict::Sent);
}

#[test]
fn an_only_announcer_gets_its_own_route_as_its_echo_says() {
    for (echo, verdict, sentence) in [
        (Echo::All, Verdict::Sent, "the route via fd00::1 is announced by peer #7"),
        (
            Echo::Dump,
            Verdict::NotOwed,
            "only peer #7 itself announces the route via fd00::1, and the reflector sends such a \
             route back to its announcer only in the answer to a SUBSCRIBE (echo = dump)",
        ),
    ] {
        let mut scene = Scene::with(ShardConfig { echo, ..ShardConfig::default() });
        let both = scene.establish(7);
        scene.subscribe(both);
        scene.announce(both, ROUTE);
        scene.read_all();
        let explanation = scene.explain(7, ROUTE);
        assert_eq!(explanation.verdict, verdict);
        assert_eq!(sentences(&explanation)[0], sentence);
    }
}

#[test]
fn who_receives_one_next_hop_is_told_which() {
    let mut scene = Scene::with(ShardConfig { one_next_hop: true, ..ShardConfig::default() });
    let (reader, publisher) = (scene.establish(7), scene.establish(8));
    scene.subscribe(reader);
    for number in [2, 1] {
        scene.announce_hop(publisher, ROUTE, hop(number));
        scene.read_all();
    }
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::Sent);
    let other = "peer #7 receives one next hop per destination; it has fd00::2, so it does not receive \
                 fd00::1";
    assert!(sentences(&explanation).contains(&other.to_owned()), "{explanation:?}");
    let explanation = scene.explain_hop(7, ROUTE, Some(hop(1)));
    assert_eq!(explanation.verdict, Verdict::NotOwed);
    assert_eq!(sentences(&explanation)[0], other);
}

#[test]
fn reflectors_do_not_get_what_only_reflectors_announce() {
    let mut scene = Scene::new();
    let reader = scene.establish_server(7);
    let publisher = scene.establish_server(8);
    scene.subscribe(reader);
    scene.announce(publisher, ROUTE);
    scene.read_all();
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::NotOwed);
    let reason = Reason::OnlyServers { peer: PeerId(7), next_hop: hop(1) };
    assert_eq!(explanation.reasons[0], reason);
}

#[test]
fn what_has_been_read_has_been_sent() {
    let mut scene = Scene::new();
    let (reader, publisher) = (scene.establish(7), scene.establish(8));
    scene.subscribe(reader);
    scene.announce(publisher, ROUTE);
    scene.read_all();
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::Sent);
    assert_eq!(
        sentences(&explanation),
        ["the route via fd00::1 is announced by peer #8", "peer #7 is in sync with VNI 7"]
    );
}

#[test]
fn a_change_that_is_not_sealed_is_still_gathered() {
    let mut scene = Scene::new();
    let (reader, publisher) = (scene.establish(7), scene.establish(8));
    scene.subscribe(reader);
    scene.read_all();
    scene.announce(publisher, ROUTE);
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::Waits);
    assert_eq!(explanation.reasons[0], Reason::Gathering { vni: VNI });
}

#[test]
fn what_waits_in_the_queue_or_is_being_written_is_said_to() {
    let mut scene = Scene::new();
    let (reader, publisher) = (scene.establish(7), scene.establish(8));
    scene.subscribe(reader);
    scene.read_all();
    scene.announce(publisher, ROUTE);
    scene.turn_without_reading(&[]);
    scene.announce(publisher, "10.0.0.2/32");
    scene.turn_without_reading(&[]);
    let written = scene.explain(7, ROUTE);
    assert_eq!(written.verdict, Verdict::Waits);
    assert!(matches!(written.reasons[0], Reason::Writing { .. }), "{written:?}");
    let explanation = scene.explain(7, "10.0.0.2/32");
    assert_eq!(explanation.verdict, Verdict::Waits);
    let peer = PeerId(7);
    assert!(matches!(
        explanation.reasons[..2],
        [Reason::Queued { peer: a, batches: 1, .. }, Reason::Writing { peer: b, .. }]
            if (a, b) == (peer, peer)
    ));
}

#[test]
fn who_fell_behind_is_told_what_is_yet_to_come() {
    let mut scene = Scene::new();
    let (reader, publisher) = (scene.establish(7), scene.establish(8));
    scene.subscribe(reader);
    scene.read_all();
    scene.announce(publisher, "10.0.0.2/32");
    scene.turn_without_reading(&[]); // in flight
    scene.announce(publisher, ROUTE);
    scene.turn_without_reading(&[]);
    scene.withdraw(publisher, ROUTE); // must be merged with the waiting changes
    scene.turn_without_reading(&[]);
    scene.announce(publisher, ROUTE);
    scene.turn_without_reading(&[]);
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::Waits, "{explanation:?}");
    scene.read_all();
    assert_eq!(scene.explain(7, ROUTE).verdict, Verdict::Sent);
}

#[test]
fn a_subscriber_whose_dump_has_not_begun_is_behind() {
    let mut scene = Scene::new();
    let (reader, publisher) = (scene.establish(7), scene.establish(8));
    scene.announce(publisher, ROUTE);
    scene.read_all();
    scene.subscribe(reader);
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::Waits);
    assert!(matches!(explanation.reasons[0], Reason::Behind { covered: false, .. }));
}

#[test]
fn a_paced_peer_is_said_to_be_paced() {
    let mut scene = Scene::with(ShardConfig::default());
    let (publisher, reader) = (scene.establish(8), scene.shard.connect(scene.now, PeerId(7), None));
    let hello = crate::wire::Hello { keepalive_interval: 4, is_server: false, extensions: None };
    scene.say(reader, &Message::Hello(hello));
    scene.say(reader, &Message::Keepalive);
    scene.read_all();
    scene.subscribe(reader);
    scene.read_all();
    scene.announce(publisher, ROUTE);
    scene.turn_without_reading(&[reader]);
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::Waits);
    assert_eq!(explanation.reasons.last(), Some(&Reason::Paced { peer: PeerId(7) }));
}

/// A reflector that is at work writes to its peers all the time.
#[test]
fn a_route_that_was_sent_waits_for_no_write_of_another() {
    let mut scene = Scene::new();
    let (reader, publisher) = (scene.establish(7), scene.establish(8));
    scene.subscribe(reader);
    scene.say(reader, &Message::Subscribe(Vni(8)));
    scene.announce(publisher, ROUTE);
    scene.read_all();
    // In flight and in the queue are a route of another VNI, and then another route of the same VNI.
    for _ in 0..2 {
        scene.update(publisher, Action::Add, Vni(8), ROUTE);
        scene.turn_without_reading(&[]);
        scene.announce(publisher, "10.0.0.2/32");
        scene.turn_without_reading(&[]);
        let explanation = scene.explain(7, ROUTE);
        assert_eq!(explanation.verdict, Verdict::Sent, "{explanation:?}");
        let names_a_wait =
            |reason: &Reason| matches!(reason, Reason::Writing { .. } | Reason::Queued { .. });
        assert!(!explanation.reasons.iter().any(names_a_wait), "{explanation:?}");
        let other = scene.explain(7, "10.0.0.2/32");
        assert_eq!(other.verdict, Verdict::Waits, "{other:?}");
        scene.read_all();
        assert_eq!(scene.explain(7, "10.0.0.2/32").verdict, Verdict::Sent);
        scene.update(publisher, Action::Remove, Vni(8), ROUTE);
        scene.withdraw(publisher, "10.0.0.2/32");
        scene.read_all();
    }
}

/// For a peer that catches up, the route is looked for in the answers themselves.
#[test]
fn a_dump_that_is_being_written_is_waited_for_and_then_sent() {
    let mut scene = Scene::new();
    let (reader, publisher) = (scene.establish(7), scene.establish(8));
    scene.announce(publisher, ROUTE);
    scene.read_all();
    scene.say(reader, &Message::Subscribe(Vni(8)));
    scene.update(publisher, Action::Add, Vni(8), ROUTE);
    scene.turn_without_reading(&[]); // in flight
    scene.subscribe(reader);
    for _ in 0..3 {
        scene.turn_without_reading(&[]);
    }
    let explanation = scene.explain(7, ROUTE);
    assert_eq!(explanation.verdict, Verdict::Waits, "{explanation:?}");
    scene.read_all();
    assert_eq!(scene.explain(7, ROUTE).verdict, Verdict::Sent);
}
