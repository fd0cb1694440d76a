//! Light, dark and narrow. Pictures are left among the build's temporary files, to be looked at.

use super::{Scene, on_page};
use crate::harness::client::hello_of;
use crate::harness::http::get_json;
use crate::harness::{Client, eventually, route, routes};
use support::browser::CONTRAST;

on_page!(
    it_is_light_or_dark_as_the_system_wants,
    a_choice_of_colours_is_remembered,
    it_fits_a_narrow_screen,
    what_a_row_is_about_is_seen_on_a_phone,
    texts_stand_out_from_what_is_behind_them,
    events_look_like_the_rest,
    many_subscribers_look_like_the_rest,
);

const BACKGROUND: &str = "getComputedStyle(document.body).backgroundColor";
const LIGHT: &str = "rgb(247, 247, 245)";
const DARK: &str = "rgb(19, 21, 24)";
const VIEWS: [&str; 9] = [
    "/#/",
    "/#/peers",
    "/#/peer/1",
    "/#/vnis",
    "/#/vni/1",
    "/#/vni/1?address=10.0.0.1",
    "/#/vni/1?tab=subscribers",
    "/#/search?q=10.0.0.1",
    "/#/explain?peer=2&vni=1&destination=10.0.0.1",
];

/// A publisher and a subscriber of a VNI.
fn some_peers(scene: &Scene) -> [Client; 2] {
    let mut clients = [(); 2].map(|()| Client::establish(scene.peers));
    clients[0].announce_all(&routes(1, 0..250, 1));
    clients[1].subscribe(1);
    clients[1].expect_end_of_table(1);
    clients
}

fn show_each(scene: &mut Scene, name: &str, mut then: impl FnMut(&mut Scene, &str)) {
    for (number, view) in VIEWS.iter().enumerate() {
        scene.show(view);
        scene.browser.until("the stream", "document.getElementById('link').className === 'up'");
        let is_full = "document.querySelector('tbody tr, .verdict, .line')";
        scene.browser.until(view, is_full);
        scene.browser.picture(&format!("{name}-{number}"));
        then(scene, view);
    }
}

fn it_is_light_or_dark_as_the_system_wants(scene: &mut Scene) {
    let _clients = some_peers(scene);
    for (scheme, color) in [("light", LIGHT), ("dark", DARK)] {
        scene.browser.prefer(scheme);
        show_each(scene, scheme, |scene, view| {
            assert_eq!(scene.browser.eval(BACKGROUND), color, "{view}");
        });
    }
}

fn a_choice_of_colours_is_remembered(scene: &mut Scene) {
    scene.show("/");
    scene.browser.until("light", &format!("{BACKGROUND} === '{LIGHT}'"));
    // As the system, light, dark.
    scene.browser.click("#theme");
    scene.browser.click("#theme");
    scene.browser.until("dark", &format!("{BACKGROUND} === '{DARK}'"));
    scene.show("/");
    scene.browser.until("still dark", &format!("{BACKGROUND} === '{DARK}'"));
    scene.browser.prefer("dark");
    scene.browser.click("#theme");
    scene.browser.click("#theme");
    scene.browser.until("light in the dark", &format!("{BACKGROUND} === '{LIGHT}'"));
}

fn it_fits_a_narrow_screen(scene: &mut Scene) {
    let _clients = some_peers(scene);
    scene.browser.size(400, 800);
    show_each(scene, "narrow", |scene, view| {
        let width = scene.browser.eval("document.documentElement.scrollWidth");
        assert_eq!(width, 400, "{view} is wider than the screen");
    });
}

/// The rows of whose first cells a part is beside the screen, with all tables scrolled by a share of their widths.
fn beside(share: f64) -> String {
    format!(
        "(() => {{
        for (const wide of document.querySelectorAll('.wide')) wide.scrollLeft = {share} * wide.scrollWidth;
        return [...document.querySelectorAll('main tbody th')].filter((head) => {{
            const box = head.getBoundingClientRect();
            return box.width > 0 && (box.left < 0 || box.right > innerWidth || box.width > innerWidth / 2);
        }}).map((head) => head.innerText).join();
        }})()"
    )
}

fn what_a_row_is_about_is_seen_on_a_phone(scene: &mut Scene) {
    let _clients = some_peers(scene);
    let long = "hypervisor-042.rack-17.building-3.example.net";
    let mut named = Client::connect(scene.peers).shake_hands(hello_of(long));
    named.announce(&route(1, 300, 3));
    scene.browser.size(390, 844);
    for view in VIEWS {
        scene.show(view);
        scene.browser.until(view, "document.querySelector('tbody tr, .verdict, .line')");
        for share in [0.0, 0.5, 1.0] {
            assert_eq!(scene.browser.eval(&beside(share)), "", "{view}, scrolled by {share}");
        }
    }
    scene.show("/#/peers");
    scene.browser.until_says(long);
    let first = "document.querySelector('thead th').innerText";
    assert!(scene.browser.eval(first).as_str().unwrap().starts_with("Node"));
    assert_eq!(scene.browser.eval(&beside(1.0)), "");
    scene.browser.picture("phone-peers");
    // The same page on its side: columns are in their usual order again.
    scene.browser.size(1280, 900);
    scene.browser.until("the order", &format!("{first}.startsWith('#')"));
}

fn texts_stand_out_from_what_is_behind_them(scene: &mut Scene) {
    let _clients = some_peers(scene);
    for scheme in ["light", "dark"] {
        scene.browser.prefer(scheme);
        for view in VIEWS {
            scene.show(view);
            scene.browser.until(view, "document.querySelector('tbody tr, .verdict, .line')");
            assert_eq!(scene.browser.eval(CONTRAST), "", "{scheme} {view}");
        }
    }
}

fn events_look_like_the_rest(scene: &mut Scene) {
    for (scheme, color) in [("light", LIGHT), ("dark", DARK)] {
        scene.browser.prefer(scheme);
        scene.browser.size(1280, 900);
        scene.show("/#/events");
        scene.browser.until_says("0 so far");
        let mut client = Client::establish(scene.peers);
        client.announce_all(&routes(1, 0..10, 1));
        scene.browser.until_says("10.0.0.9/32");
        client.withdraw(&route(1, 3, 1));
        scene.browser.until_row_says("withdrawn");
        drop(client);
        scene.browser.until_says("closed by peer");
        scene.browser.picture(&format!("events-{scheme}"));
        assert_eq!(scene.browser.eval(BACKGROUND), color);
        assert_eq!(scene.browser.eval(CONTRAST), "", "{scheme}");
        scene.browser.size(400, 800);
        scene.browser.picture(&format!("events-{scheme}-narrow"));
        assert_eq!(scene.browser.eval("document.documentElement.scrollWidth"), 400);
    }
}

fn many_subscribers_look_like_the_rest(scene: &mut Scene) {
    let node = |n: u32| hello_of(&format!("rack-{:02}-host-{n:03}.example", n / 20));
    let mut publisher = Client::establish(scene.peers);
    publisher.announce_all(&routes(1, 0..50_000, 1));
    publisher.keepalive();
    // Some take nothing, and are behind from then on.
    let mut stuck: Vec<_> =
        (0..5).map(|n| Client::connect_narrow(scene.peers, 4096).shake_hands(node(n))).collect();
    stuck.iter_mut().for_each(|client| client.subscribe(1));
    let behind = || get_json(scene.http, "/api/v1/vnis/1")["behind"] == 5;
    eventually("they are behind", behind);
    // The others get a small table, which needs no reading.
    publisher.withdraw_all(&routes(1, 250..50_000, 1));
    publisher.keepalive();
    let mut clients: Vec<_> =
        (5..230).map(|n| Client::connect(scene.peers).shake_hands(node(n))).collect();
    clients.extend((0..20).map(|_| Client::establish_plain(scene.peers)));
    clients.iter_mut().for_each(|client| client.subscribe(1));
    for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 400), ("dark", 400)] {
        scene.browser.prefer(scheme);
        scene.browser.size(width, 900);
        for (name, view) in [("first", "tab=subscribers&sort=-lag"), ("last", "tab=subscribers")] {
            scene.show(&format!("/#/vni/1?{view}"));
            scene.browser.until_says("1–100 of 250");
            if name == "last" {
                for range in ["101–200 of 250", "201–250 of 250"] {
                    scene.browser.click(".paging a[name=next][href]");
                    scene.browser.until_says(range);
                }
                scene.browser.until_says("not said");
            } else {
                scene.browser.until_says("behind by");
            }
            scene.browser.eval("window.scrollTo(0, 0)");
            scene.browser.picture(&format!("subscribers-{name}-{scheme}-{width}"));
            assert_eq!(scene.browser.eval(CONTRAST), "", "{scheme} {name}");
            let wide = scene.browser.eval("document.documentElement.scrollWidth");
            assert_eq!(wide, width, "{name} is wider than the screen");
        }
    }
}
