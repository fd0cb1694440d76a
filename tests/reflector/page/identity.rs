//! Which reflector the page is of.

use std::cell::RefCell;
use std::num::NonZeroU32;

use super::{Scene, in_browser_with, on_page};
use crate::harness::http::get_json;
use crate::harness::{Client, ReflectorConfig, routes};
use crate::http::reflectors::{nobody, start_with_health};

on_page!(a_reflector_without_a_name_is_called_by_its_address);

const TITLE: &str = "document.title";
const NAME: &str = "document.getElementById('name').innerText";
const FACTS: &str = "document.getElementById('facts').innerText";

#[test]
fn header_and_title_say_which_reflector_it_is() {
    let named = |mut config: ReflectorConfig| {
        "reflector-7".clone_into(&mut config.settings.node);
        config.shards = Some(2);
        config
    };
    in_browser_with(named, |scene| {
        scene.show("/");
        scene.browser.until("its name", &format!("{NAME} === 'reflector-7'"));
        for (view, title) in [("#/peers", "Peers"), ("#/vni/7", "VNI 7"), ("#/", "Overview")] {
            scene.browser.eval(&format!("location.hash = '{view}'"));
            let expected = format!("{title} – reflector-7 – MetalBond");
            scene.browser.until(title, &format!("{TITLE} === '{expected}'"));
        }
        let version = format!("MetalBond {}", env!("CARGO_PKG_VERSION"));
        for part in [&*version, "up ", "epoll", "2 shards"] {
            scene.browser.until(part, &format!("{FACTS}.includes('{part}')"));
        }
        assert_eq!(scene.browser.eval(&format!("{FACTS}.includes('site')")), false);
        // The time goes on without a reload.
        let before = scene.browser.eval(FACTS);
        scene.browser.until("a later time", &format!("{FACTS} !== {before}"));
        let inspector = scene.reflector.as_ref().unwrap().inspector();
        let badge = "!document.getElementById('draining').hidden";
        assert_eq!(scene.browser.eval(badge), false);
        inspector.drain(NonZeroU32::MIN);
        scene.browser.until("it drains", badge);
        assert_eq!(get_json(scene.http, "/api/v1/reflector")["is_draining"], true);
        // There is no such VNI.
        assert!(scene.browser.forgive().iter().all(|one| one.contains("404")));
    });
}

fn a_reflector_without_a_name_is_called_by_its_address(scene: &mut Scene) {
    scene.show("/");
    let address = scene.http.to_string();
    scene.browser.until("its address", &format!("{NAME} === '{address}'"));
    assert!(get_json(scene.http, "/api/v1/reflector")["name"].is_null());
}

#[test]
fn several_reflectors_are_shown_side_by_side_with_what_differs() {
    let (other, gone) = (RefCell::new(None), nobody());
    let with_others = |config: ReflectorConfig| {
        let (reflector, peers, health) = start_with_health(config.clone());
        *other.borrow_mut() = Some((reflector, Client::establish(peers), health));
        ReflectorConfig { http_peers: vec![health, gone], ..config }
    };
    in_browser_with(with_others, |scene| {
        let mut other = other.borrow_mut();
        let (_reflector, there, health) = other.as_mut().unwrap();
        let mut here = Client::establish(scene.peers);
        here.announce_all(&routes(7, 0..5, 1));
        there.announce_all(&routes(7, 0..3, 1));
        scene.show("/");
        scene.browser.until("a link", "!document.getElementById('reflectors').hidden");
        scene.browser.click("#reflectors");
        let row = |address: &str, text: &str| {
            format!(
                "[...document.querySelectorAll('tbody tr')].some((row) =>
                 row.innerText.includes('{address}') && row.innerText.includes('{text}'))"
            )
        };
        let address = health.to_string();
        scene.browser.until("what differs", &row(&address, "3 −2"));
        scene.browser.until("who is silent", &row(&gone.to_string(), "cannot be asked"));
        scene.browser.until_says("1 reflector does not answer.");
        scene.browser.until_says("Different for some time: routes.");
        scene.browser.picture("reflectors");
        there.announce_all(&routes(7, 0..5, 1));
        let same = "!document.body.innerText.includes('Different for')";
        scene.browser.until("no difference", &format!("{} && {same}", row(&address, "answers")));
        scene.browser.size(390, 844);
        let width = scene.browser.eval("document.documentElement.scrollWidth");
        assert_eq!(width, 390);
    });
}
