//! The leaf's page, in a real browser, of a leaf that talks to real reflectors.

use std::net::SocketAddr;

use metalbond::client::{LeafConfig, MetalBond};
use metalbond::io::IoChoice;
use metalbond::reflector::Reflector;
use metalbond::wire::{Message, Vni};

use crate::harness::proxy::{Mode, Proxy};
use crate::harness::server::Server;
use crate::harness::*;
use support::browser::{Browser, CONTRAST};

const DOCUMENT: &str = include_str!("../../docs/http.md");

/// A reflector, somebody who announces, a leaf, and the browser that shows its page.
struct Scene {
    _reflector: Reflector,
    server: SocketAddr,
    proxy: Proxy,
    publisher: MetalBond,
    leaf: MetalBond,
    http: SocketAddr,
    browser: Browser,
}

impl Scene {
    fn show(&mut self, path: &str) {
        self.browser.visit(&format!("http://{}", self.http), path);
    }
}

/// Runs a script where there is a browser. At its end nothing may have gone wrong in the page.
fn in_browser(script: impl AsyncFnOnce(&mut Scene)) {
    let Some((_turn, browser)) = Browser::take_turn() else { return };
    alone(async {
        let (reflector, server) = reflector(IoChoice::Epoll);
        let proxy = Proxy::start(Mode::To(server)).await;
        let publisher = leaf(server).await;
        // Servers by hand send no keepalives.
        let leaf = MetalBond::start(LeafConfig { keepalive: 60, ..config() });
        leaf.add_peer(proxy.address.to_string(), None).await.unwrap();
        let http = answer_http(&leaf).await;
        let mut scene =
            Scene { _reflector: reflector, server, proxy, publisher, leaf, http, browser };
        script(&mut scene).await;
        scene.browser.expect_nothing_wrong();
    });
}

/// The leaf knows 250 routes of VNI 7, and VNI 8 is empty.
async fn some_routes(scene: &Scene) {
    for vni in [7, 8] {
        scene.leaf.subscribe(Vni(vni)).await.unwrap();
        until_in_sync(&scene.leaf, scene.proxy.address, vni).await;
    }
    let all = routes(7, 0..250, 1);
    announce_all(&scene.publisher, &all).await;
    expect_routes(&scene.leaf, 7, &all).await;
}

fn card(name: &str, value: &str) -> String {
    format!(
        "[...document.querySelectorAll('.card')].some((card) =>
         card.querySelector('.name').innerText === '{name}'
         && card.querySelector('.value').innerText === '{value}')"
    )
}

#[test]
fn it_shows_servers_vnis_and_what_is_installed() {
    in_browser(async |scene| {
        some_routes(scene).await;
        scene.show("/");
        for (name, value) in [
            ("Servers connected", "1 of 1"),
            ("VNIs complete", "2 of 2"),
            ("Routes known", "250"),
            ("Routes in the kernel", "–"),
        ] {
            scene.browser.until(name, &card(name, value));
        }
        let address = scene.proxy.address.to_string();
        for text in [&*address, "established", "complete", "The leaf installs no routes"] {
            scene.browser.until_says(text);
        }
        scene.browser.until("it is up", "document.getElementById('link').innerText === 'live'");
        // What comes is shown without a reload.
        scene.browser.eval("window.isSame = true");
        announce(&scene.publisher, route(8, 1, 1)).await.unwrap();
        scene.browser.until("one more", &card("Routes known", "251"));
        scene.browser.click("tbody th a");
        scene.browser.until_says("VNI 7");
        assert_eq!(scene.browser.eval("window.isSame"), true);
    });
}

#[test]
fn an_address_and_a_prefix_are_looked_up() {
    in_browser(async |scene| {
        some_routes(scene).await;
        scene.show("/");
        scene.browser.until("rows", "document.querySelectorAll('tbody tr').length === 3");
        scene.browser.click("input[name=vni]");
        scene.browser.write("7");
        scene.browser.click("input[name=find]");
        scene.browser.write("10.0.0.17");
        scene.browser.press("Enter");
        scene.browser.until_says("10.0.0.17/32");
        let rows = "document.querySelectorAll('tbody tr').length";
        assert_eq!(scene.browser.eval(rows), 1);
        scene.browser.until_says("2001:db8::1");
        scene.show("/#/vni/7?find=10.0.0.18/32");
        scene.browser.until_says("10.0.0.18/32");
        assert_eq!(scene.browser.eval(rows), 1);
        scene.show("/#/vni/7?find=10.0.0.0/8");
        scene.browser.until_says("No route.");
        // What can't be read is said, and where the mistake is.
        scene.show("/#/vni/7?find=nonsense");
        scene.browser.until_says("address: expected an address, found \"nonsense\"");
        scene.show("/#/vni/9");
        scene.browser.until_says("not subscribed to VNI 9");
        let complaints = scene.browser.forgive();
        assert!(complaints.iter().all(|one| one.contains("api/v1/routes")), "{complaints:#?}");
    });
}

#[test]
fn routes_are_turned_over_page_by_page() {
    in_browser(async |scene| {
        some_routes(scene).await;
        scene.show("/#/vni/7");
        let first =
            |n: u32| format!("document.querySelector('tbody th')?.innerText === '10.0.0.{n}/32'");
        for n in [0, 100, 200] {
            scene.browser.until("a page", &first(n));
            if n < 200 {
                scene.browser.click("a[name=next][href]:not([hidden])");
            }
        }
        assert_eq!(scene.browser.eval("document.querySelectorAll('tbody tr').length"), 50);
        assert_eq!(scene.browser.eval("document.querySelector('a[name=next]').hidden"), true);
        scene.browser.click("a[name=first]");
        scene.browser.until("the first page", &first(0));
        withdraw(&scene.publisher, route(7, 0, 1)).await.unwrap();
        scene.browser.until("it goes", &first(1));
    });
}

#[test]
fn what_is_missing_stands_above_all() {
    in_browser(async |scene| {
        some_routes(scene).await;
        // A server that brings the table of VNI 7 only is as good as none for VNI 8.
        let server = Server::start().await;
        scene.proxy.set(Mode::Cut);
        scene.show("/");
        scene.browser.until_says("No server is connected. The leaf keeps its routes");
        scene.browser.until_says("VNIs whose table is not complete: 2 of 2.");
        scene.browser.until_says("no server is connected");
        scene.leaf.add_peer(server.address.to_string(), None).await.unwrap();
        let mut session = server.establish_with_end_of_table().await;
        session.expect_subscribe(8).await;
        session.write(&[Message::EndOfTable(Vni(7))]).await;
        scene.browser.until_says("VNIs whose table is not complete: 1 of 2.");
        scene.browser.until_says(&format!("the table has not come from {} yet", server.address));
        scene.browser.click(".tabs a:last-child");
        let rows = "[...document.querySelectorAll('section')].at(-2).querySelectorAll('tbody tr')";
        scene
            .browser
            .until("one VNI", &format!("{rows}.length === 1 && location.hash.includes('whole')"));
        scene.proxy.set(Mode::To(scene.server));
        scene.browser.until_says("The leaf has the complete table of every VNI.");
        scene.browser.until("no banner", "!document.querySelector('.banner')");
    });
}

#[test]
fn a_leaf_that_has_ended_is_said_to() {
    in_browser(async |scene| {
        some_routes(scene).await;
        scene.show("/");
        scene.browser.until("it is up", "document.getElementById('link').innerText === 'live'");
        scene.leaf.shutdown().await;
        scene.browser.until_says("The leaf does not answer. This page shows its last answer");
        scene.browser.until("it is lost", "document.getElementById('link').innerText === 'lost'");
        scene.browser.until_says("250");
        let complaints = scene.browser.forgive();
        assert!(complaints.iter().all(|one| one.contains("Failed to load")), "{complaints:#?}");
    });
}

#[test]
fn what_the_kernel_lacks_is_shown() {
    in_browser(async |scene| {
        some_routes(scene).await;
        scene.show("/");
        scene.browser.until_says("The leaf installs no routes");
        // As documented, in place of the answer of a leaf that may write to the kernel.
        let (_, example) = DOCUMENT.split_once("Of a leaf, `GET /api/v1/kernel`").unwrap();
        let example = example.split("```json").nth(1).unwrap().split("```").next().unwrap();
        let answer = |changes: &str| {
            format!(
                "window.asked ??= window.fetch, window.fetch = (path, ...more) =>
                 path === 'api/v1/kernel' ? Promise.resolve(Response.json({{...{example}, {changes}}}))
                 : window.asked(path, ...more), true"
            )
        };
        scene.browser.eval(&answer(""));
        scene.browser.until("installed", &card("Routes in the kernel", "3 of 4"));
        scene.browser.until("the device", &card("Tunnel device", "up"));
        scene.browser.until_says("because a route of another protocol has their place: 1.");
        scene.browser.picture("leaf-kernel");
        scene.browser.eval(&answer("silent_seconds: 61.5"));
        scene.browser.until_says("The kernel has not answered for 61 s.");
        scene.browser.eval(&answer("device_up: false, installed: 0, refused: 4, conflicts: 0"));
        scene.browser.until_says("The tunnel device is missing or down");
        scene.browser.until_says("Routes that the kernel refuses: 4. Its reasons are in the log.");
        scene.browser.until("no conflict", "!document.body.innerText.includes('another protocol')");
    });
}

/// Pictures are left among the build's temporary files, to be looked at.
#[test]
fn it_is_light_or_dark_and_fits_a_narrow_screen() {
    in_browser(async |scene| {
        some_routes(scene).await;
        announce(&scene.publisher, target(7, 300, 2)).await.unwrap();
        // One that is down, so that there is something to say.
        let down = Proxy::start(Mode::Cut).await;
        scene.leaf.add_peer(down.address.to_string(), None).await.unwrap();
        for (scheme, color) in [("light", "rgb(247, 247, 245)"), ("dark", "rgb(19, 21, 24)")] {
            scene.browser.prefer(scheme);
            for width in [1280, 400] {
                scene.browser.size(width, 900);
                for (name, view) in
                    [("overview", "/"), ("vni", "/#/vni/7"), ("found", "/#/vni/7?find=10.0.0.1")]
                {
                    scene.show(view);
                    scene
                        .browser
                        .until("it is up", "document.getElementById('link').className === 'up'");
                    scene.browser.until("rows", "document.querySelector('tbody tr')");
                    scene.browser.picture(&format!("leaf-{name}-{scheme}-{width}"));
                    let about = format!("{name} {scheme} {width}");
                    let back = "getComputedStyle(document.body).backgroundColor";
                    assert_eq!(scene.browser.eval(back), color, "{about}");
                    assert_eq!(scene.browser.eval(CONTRAST), "", "{about}");
                    let wide = scene.browser.eval("document.documentElement.scrollWidth");
                    assert_eq!(wide, width, "{about} is wider than the screen");
                }
            }
        }
    });
}
