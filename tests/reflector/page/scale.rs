//! A table as large as they get. By hand, in a release build, because it takes minutes:
//! `cargo test --release --test reflector page::scale -- --ignored --nocapture`.

use std::time::Instant;

use super::{Scene, on_page};
use crate::harness::http::get_json;
use crate::harness::{Client, eventually, routes};

on_page!(
    #[ignore = "takes minutes, and as much memory as a million routes do"]
    a_million_routes_and_thousands_of_peers_are_usable
);

const PEERS: usize = 10_000;
const ROUTES: u64 = 1_000_000;
const STEP: u32 = 50_000;

fn a_million_routes_and_thousands_of_peers_are_usable(scene: &mut Scene) {
    let mut clients: Vec<_> = (0..PEERS).map(|_| Client::establish(scene.peers)).collect();
    for (client, number) in clients.iter_mut().zip(0..20) {
        client.announce_all(&routes(1, number * STEP..(number + 1) * STEP, 1));
    }
    eventually("all routes", || get_json(scene.http, "/api/v1/vnis/1")["routes"] == ROUTES);
    let views = [
        ("/#/", "10,000"),
        ("/#/peers?sort=-routes", "1–100 of 10,000"),
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
}
