//! What goes to other sites.

use std::time::Duration;

use ahash::RandomState;

use super::scene::{Fake, Scene, VNI};
use crate::federation::link::envelope::Content;
use crate::federation::link::form::SnapshotRequest;
use crate::federation::link::form::control::Kind;
use crate::federation::link::{Address, Link};
use crate::ids::ShardId;
use crate::wire::Vni;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_quiet_vni_has_tails_after_a_handover_too() {
    let mut scene = Scene::new(|_| {});
    scene.interest("a", 100, VNI);
    scene.pass(SECOND);
    scene.link.freeze(scene.now);
    let pieces = scene.link.export();
    let (settings, hasher) = (scene.link.settings.clone(), RandomState::with_seeds(5, 6, 7, 8));
    scene.link = Link::new(settings, ShardId(1), hasher, scene.now, 6_000_000);
    scene.link.restore(&pieces);
    scene.link.connected(scene.now);
    scene.serve();
    scene.sent.clear();
    scene.pass(40 * SECOND);
    let is_tail = |(_, content): &&(Address, Content)| matches!(content, Content::Tail { .. });
    assert_eq!(scene.sent.iter().filter(is_tail).count(), 4);
}

#[test]
fn a_slow_site_takes_no_place_of_others() {
    let mut scene = Scene::new(|_| {});
    let ask = |scene: &mut Scene, site, inbox, vni: Vni| {
        let request = SnapshotRequest { inbox, vni_steps: vec![vni.0] };
        scene.hear(site, 100, Content::Control(Kind::SnapshotRequest(request)));
    };
    scene.fakes = vec![Fake::new("slow", 100), Fake::new("healthy", 100)];
    scene.pass(SECOND);
    for number in 1..6 {
        scene.stuck.insert(Vni(number));
        ask(&mut scene, "slow", number.into(), Vni(number));
    }
    scene.pass(SECOND);
    ask(&mut scene, "healthy", 1, Vni(9));
    scene.pass(SECOND);
    let is_answer = |(to, content): &(Address, Content)| {
        *to == Address::Site("healthy".into()) && matches!(content, Content::Chunk { .. })
    };
    assert!(scene.sent.iter().any(is_answer));
}
