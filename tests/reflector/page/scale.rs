//! A table as large as they get. By hand, in a release build, because it takes minutes:
//! `cargo test --release --test reflector page::scale -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::{Scene, on_page};
use crate::harness::http::get_json;
use crate::harness::{Client, eventually, route, routes};

on_page!(
    #[ignore = "takes minutes, and as much memory as a million routes do"]
    a_million_routes_and_thousands_of_peers_are_usable
);

/// Both ends of each are descriptors of this process, of which there are often 20,000.
const PEERS: usize = 9_500;
const ROUTES: u64 = 1_000_000;
const STEP: u32 = 50_000;

fn a_million_routes_and_thousands_of_peers_are_usable(scene: &mut Scene) {
    let mut clients: Vec<_> = (0..PEERS).map(|_| Client::establish(scene.peers)).collect();
    for (client, number) in clients.iter_mut().zip(0..20) {
        client.announce_all(&routes(1, number * STEP..(number + 1) * STEP, 1));
    }
    eventually("all routes", || get_json(scene.http, "/api/v1/vnis/1")["routes"] == ROUTES);
    let views = [
        ("/#/", "9,500"),
        ("/#/peers?sort=-routes", "1–100 of 9,500"),
        ("/#/vnis", "1–1 of 1"),
        ("/#/vni/1", "1–100 of 1,000,000"),
        ("/#/vni/1?sort=-age", "1–100 of 1,000,000"),
        ("/#/vni/1?address=10.1.2.3", "1–1 of 1"),
        ("/#/search?q=10.1.2.0/24&kind=1", "1–100 of 256"),
        ("/#/peer/20", "1–100 of 50,000"),
    ];
    for (view, text) in views {
        let began = Instant::now();
        scene.show(view);
        scene.browser.until_says(text);
        let first = began.elapsed();
        let found = scene.browser.eval("document.querySelector('.foot .note')?.innerText ?? ''");
        println!("{view}: {text:?} after {first:?}; {found}");
        assert!(first.as_secs() < 20, "{view}");
    }
    let mut pair = [(); 2].map(|()| Client::establish(scene.peers));
    pair[1].subscribe(2);
    pair[1].expect_end_of_table(2);
    scene.browser.visit("about:blank", "");
    println!("nobody looks: {}", propagation(&mut pair));
    scene.show("/#/vni/1");
    scene.browser.until_says("of 1,000,000");
    println!("a table of a million routes is open: {}", propagation(&mut pair));
    scene.browser.visit("about:blank", "");
    let http = scene.http;
    let walks: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..3 {
                    get_json(http, "/api/v1/vnis/1/routes?sort=-age&limit=100");
                }
            })
        })
        .collect();
    println!("eight sort them again and again: {}", propagation(&mut pair));
    walks.into_iter().for_each(|walk| walk.join().unwrap());
}

/// How long it takes from announcing a route until a subscriber has it, in another VNI.
fn propagation([publisher, subscriber]: &mut [Client; 2]) -> String {
    let mut took: Vec<Duration> = Vec::new();
    for number in 0..1000 {
        let one = route(2, number, 1);
        let began = Instant::now();
        publisher.announce(&one);
        subscriber.until("it", |subscriber| subscriber.view.contains(&one));
        took.push(began.elapsed());
        publisher.withdraw(&one);
        subscriber.until("its end", |subscriber| !subscriber.view.contains(&one));
    }
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 1000).min(took.len() - 1)];
    format!("50% {:?}, 99% {:?}, 99.9% {:?}, max {:?}", at(500), at(990), at(999), at(1000))
}
