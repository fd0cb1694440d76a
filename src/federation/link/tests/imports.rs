//! What other sites say.

use std::time::Duration;

use bytes::Bytes;

use super::scene::{Fake, Scene, VNI, exchange, frames};
use crate::federation::link::LinkEvent;
use crate::federation::link::envelope::Content;
use crate::federation::link::form::Note;
use crate::federation::link::form::control::Kind;
use crate::ids::link::SiteId;
use crate::wire::{Action, Vni};

const SECOND: Duration = Duration::from_secs(1);
const ADD: Action = Action::Add;
const REMOVE: Action = Action::Remove;

/// A link that wants a VNI, and a site that has been asked for it.
fn asked(routes_per_site: u64) -> Scene {
    let mut scene = Scene::new(|settings| settings.routes_per_site = routes_per_site);
    scene.want(VNI, true);
    scene.fakes.push(Fake::new("a", 100));
    scene.pass(SECOND);
    scene
}

fn delta(sequence: u64, frames: Bytes) -> Content {
    Content::Delta { vni: VNI, sequence, frames }
}

fn is_barred(scene: &Scene) -> bool {
    scene.events.iter().any(|event| matches!(event, LinkEvent::AboveLimit { .. }))
}

#[test]
fn a_site_that_restarts_is_answered_at_once() {
    let mut answers = Scene::of("b", 5_000_000, |_| {});
    for start in 0..5 {
        let mut asks = Scene::of("a", 6_000_000 + start * 1_000_000, |_| {});
        asks.now = answers.now;
        asks.want(VNI, true);
        for _ in 0..15 {
            asks.pass(SECOND / 10);
            answers.pass(SECOND / 10);
            exchange(&mut asks, &mut answers);
        }
        let status = asks.status();
        assert_eq!((status.vnis_in_sync, status.counts.failed), (1, 0), "start {start}");
    }
}

#[test]
fn routes_that_are_announced_twice_count_once() {
    let mut scene = asked(120);
    scene.answer(("a", 100), 0, frames(ADD, 0..100), Some(5));
    // A lost delta, an answer that breaks off, and another one written over it.
    scene.hear("a", 100, delta(7, frames(ADD, 0..1)));
    scene.pass(SECOND / 5);
    scene.answer(("a", 100), 0, frames(ADD, 0..100), None);
    scene.answer(("a", 100), 2, frames(ADD, 0..100), None);
    scene.pass(SECOND / 5);
    scene.answer(("a", 100), 0, frames(ADD, 0..100), Some(7));
    scene.pass(SECOND);
    assert!(!is_barred(&scene), "{:?}", scene.events);
    assert_eq!(scene.status().routes, 100);
    scene.answer(("a", 100), 0, frames(ADD, 0..100), Some(7));
    scene.pass(SECOND);
    assert!(!is_barred(&scene), "{:?}", scene.events);
    assert_eq!((scene.status().routes, scene.routes()), (100, 100));
}

#[test]
fn withdrawals_of_routes_never_announced_make_no_room() {
    let mut scene = asked(120);
    scene.answer(("a", 100), 0, frames(ADD, 0..100), Some(5));
    scene.hear("a", 100, delta(6, frames(REMOVE, 200..250)));
    scene.pass(SECOND);
    assert!(!is_barred(&scene));
    scene.hear("a", 100, delta(7, frames(ADD, 100..150)));
    scene.pass(SECOND);
    assert!(is_barred(&scene), "{:?}", scene.status());
    assert_eq!(scene.status().routes, 150);
}

#[test]
fn a_site_is_barred_only_if_it_stays_above_its_limit() {
    let mut scene = asked(100);
    scene.answer(("a", 100), 0, frames(ADD, 0..100), Some(5));
    scene.hear("a", 100, delta(6, frames(ADD, 100..110)));
    scene.hear("a", 100, delta(7, frames(REMOVE, 0..10)));
    scene.pass(SECOND);
    assert!(!is_barred(&scene), "{:?}", scene.events);
}

#[test]
fn deltas_without_changes_take_bounded_memory() {
    let mut scene = asked(100);
    for sequence in 1..100_000 {
        let content = delta(sequence, Bytes::new());
        scene.hear("a", 100, content);
    }
    assert!(scene.link.imports.kept(SiteId(0), VNI) <= 1 << 14);
}

#[test]
fn routes_of_an_earlier_process_stay_although_the_clock_was_set_back() {
    for epoch in [200, 50] {
        let mut scene = asked(1000);
        scene.answer(("a", 100), 0, frames(ADD, 0..100), Some(5));
        scene.pass(SECOND);
        assert_eq!(scene.routes(), 100);
        scene.fakes.clear();
        scene.pass(4 * SECOND);
        // Half of its clients are back.
        scene.fakes.push(Fake { is_warming: true, ..Fake::new("a", epoch) });
        scene.pass(SECOND * 3 / 2);
        scene.answer(("a", epoch), 0, frames(ADD, 0..50), Some(5));
        assert_eq!(scene.status().vnis_in_sync, 1);
        // Two deltas are lost: each makes a snapshot.
        for next in [8, 11] {
            scene.hear("a", epoch, delta(next, frames(ADD, 0..1)));
            scene.pass(SECOND / 5);
            scene.answer(("a", epoch), 0, frames(ADD, 0..50), Some(next));
            scene.pass(SECOND / 5);
        }
        assert_eq!(scene.routes(), 100, "epoch {epoch}");
    }
}

#[test]
fn no_check_is_scheduled_with_a_site_that_is_away() {
    let mut scene = asked(1000);
    scene.answer(("a", 100), 0, frames(ADD, 0..10), Some(5));
    scene.want(Vni(8), true);
    let a = SiteId(0);
    assert!(!scene.link.sites[a].checks.is_empty());
    let lives = std::mem::take(&mut scene.fakes);
    scene.pass(4 * SECOND);
    for vni in 100..200 {
        scene.want(Vni(vni), true);
        scene.pass(SECOND / 10);
    }
    assert!(scene.link.sites[a].checks.is_empty());
    scene.fakes = lives;
    scene.pass(SECOND);
    assert!(!scene.link.sites[a].checks.is_empty());
}

#[test]
fn an_answer_of_nothing_but_notes_ends_the_request_and_a_new_one_follows() {
    let mut scene = asked(1000);
    let first = scene.inbox();
    let notes = |scene: &mut Scene, chunks, seconds| {
        for _ in 0..seconds {
            scene.hear("a", 100, Content::Control(Kind::Note(Note { inbox: first, chunks })));
            scene.pass(SECOND);
        }
    };
    // The answer waits for its turn, begins, and stops for good.
    notes(&mut scene, 0, 65);
    scene.answer(("a", 100), 0, frames(ADD, 0..10), None);
    notes(&mut scene, 1, 65);
    assert_eq!((scene.inbox(), scene.status().counts.failed), (first, 0));
    notes(&mut scene, 1, 6);
    assert_ne!(scene.inbox(), first);
    assert_eq!(scene.status().counts.failed, 1);
    scene.answer(("a", 100), 0, frames(ADD, 0..10), Some(5));
    assert_eq!(scene.status().vnis_in_sync, 1);
}

#[test]
fn chunks_without_routes_are_no_progress() {
    let mut scene = asked(1000);
    let first = scene.inbox();
    for sequence in 0..80 {
        let (vni, frames) = (VNI, Bytes::new());
        let chunk = Content::Chunk { vni, sequence, inbox: first, end: None, frames };
        scene.hear("a", 100, chunk);
        scene.pass(SECOND);
    }
    assert_ne!(scene.inbox(), first);
}
