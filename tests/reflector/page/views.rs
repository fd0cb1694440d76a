//! What the page shows, and that it stays true without a reload.

use super::{Scene, on_page};
use crate::harness::client::hello_of;
use crate::harness::http::get_json;
use crate::harness::{Client, Standstill, eventually, prefix, route, routes};

on_page!(
    the_overview_counts_what_there_is,
    a_new_announcement_appears_without_a_reload,
    a_peer_that_connects_appears_and_one_that_goes_disappears,
    a_peer_is_shown_with_its_vnis_and_routes,
    a_vni_is_shown_with_its_routes_and_subscribers,
    subscribers_are_shown_by_who_they_are,
    an_address_finds_its_longest_match_in_every_vni,
    a_peer_is_found_by_its_name,
    explanations_are_shown,
    events_appear_as_they_happen,
    events_can_be_paused_and_are_of_one_vni,
    events_are_of_a_kind_and_of_a_peer,
    what_happened_before_the_view_was_opened_is_shown,
    a_flood_of_events_stays_one_page,
    a_hostile_name_stays_text,
    a_hidden_tab_asks_nothing,
    a_lost_connection_is_shown,
    a_draining_reflector_says_so,
    a_shard_that_stands_still_is_shown,
    what_is_not_there_is_shown,
);

/// A session of a node.
fn node(scene: &Scene, name: &str) -> Client {
    Client::connect(scene.peers).shake_hands(hello_of(name))
}

fn the_overview_counts_what_there_is(scene: &mut Scene) {
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(scene.peers));
    publisher.announce_all(&routes(100, 0..30, 1));
    publisher.announce_all(&routes(200, 0..12, 1));
    subscriber.subscribe(100);
    subscriber.expect_end_of_table(100);
    scene.show("/");
    let card = |name: &str, value: &str| {
        format!(
            "[...document.querySelectorAll('.card')].some((card) =>
             card.querySelector('.name').innerText === '{name}'
             && card.querySelector('.value').innerText === '{value}')"
        )
    };
    for (name, value) in [("Peers", "2"), ("VNIs", "2"), ("Routes", "42"), ("Subscriptions", "1")] {
        scene.browser.until(name, &card(name, value));
    }
    scene.browser.until_says("Largest VNIs");
    scene.browser.until("the stream", "document.getElementById('link').innerText === 'live'");
    scene.browser.until("lines", "document.querySelectorAll('.plot .line').length >= 4");
}

fn a_new_announcement_appears_without_a_reload(scene: &mut Scene) {
    let mut client = node(scene, "host-1");
    client.announce(&route(7, 1, 1));
    scene.show("/#/vni/7");
    scene.browser.until_says("10.0.0.1/32");
    scene.browser.eval("window.isSame = true");
    client.announce(&route(7, 2, 1));
    scene.browser.until_says("10.0.0.2/32");
    client.withdraw(&route(7, 1, 1));
    scene.browser.until("it goes", "!document.body.innerText.includes('10.0.0.1/32')");
    assert_eq!(scene.browser.eval("window.isSame"), true);
}

fn a_peer_that_connects_appears_and_one_that_goes_disappears(scene: &mut Scene) {
    let _first = node(scene, "host-1");
    scene.show("/#/peers");
    scene.browser.until_says("host-1");
    let second = node(scene, "host-2");
    scene.browser.until_says("host-2");
    scene.browser.until_says("of 2");
    drop(second);
    scene.browser.until("it goes", "!document.body.innerText.includes('host-2')");
}

fn a_peer_is_shown_with_its_vnis_and_routes(scene: &mut Scene) {
    let mut client = node(scene, "host-1");
    client.announce_all(&routes(7, 0..3, 1));
    client.subscribe(8);
    client.expect_end_of_table(8);
    scene.show("/#/peers");
    scene.browser.until_says("host-1");
    scene.browser.click("tbody th a");
    for text in ["test/1.0", "leaf", "stream, end of table", "in sync", "10.0.0.2/32"] {
        scene.browser.until_says(text);
    }
    scene.browser.until("its name", "document.title.startsWith('host-1')");
    drop(client);
    scene.browser.until_says("no such peer: 1; last seen");
    // The browser reports every 404.
    assert!(scene.browser.forgive().iter().all(|one| one.contains("404")));
}

fn a_vni_is_shown_with_its_routes_and_subscribers(scene: &mut Scene) {
    let mut client = node(scene, "host-1");
    client.announce(&route(7, 1, 1));
    client.subscribe(7);
    client.expect_end_of_table(7);
    scene.show("/#/vnis");
    scene.browser.click("tbody th a");
    scene.browser.until_says("2001:db8::1");
    scene.browser.until("a card", "document.querySelector('.card .value')?.innerText === '1'");
    scene.browser.click(".tabs a:nth-child(2)");
    scene.browser.until_says("in sync");
    scene.browser.until_says("1–1 of 1");
}

fn subscribers_are_shown_by_who_they_are(scene: &mut Scene) {
    let mut clients = ["rack-2", "rack-1", "other"].map(|name| node(scene, name));
    for client in &mut clients {
        client.subscribe(7);
        client.expect_end_of_table(7);
    }
    let remote = clients[1].local_addr();
    scene.show("/#/vni/7?tab=subscribers");
    scene.browser.until_says("1–3 of 3");
    let rows = "[...document.querySelectorAll('.listing tbody tr')].map((row) =>
        [...row.cells].slice(0, 5).map((cell) => cell.innerText).join(' ')).join('\\n')";
    let texts = scene.browser.eval(rows).as_str().unwrap().to_owned();
    let expected = format!("2 rack-1 {remote} established in sync");
    assert!(texts.lines().any(|line| line == expected), "{expected:?} in {texts:?}");
    // By node, and those that a text finds.
    let first = "[...document.querySelectorAll('.listing tbody th')].map((cell) =>
        cell.innerText).join()";
    scene.browser.click("thead th:nth-child(2) button");
    scene.browser.until("the order", &format!("{first} === 'other,rack-1,rack-2'"));
    scene.browser.click("input[name=match]");
    scene.browser.write("rack");
    scene.browser.until("the found", &format!("{first} === 'rack-1,rack-2'"));
    scene.browser.until_says("1–2 of 2");
    scene.browser.click("tbody th a");
    scene.browser.until("the peer's page", "document.title.startsWith('rack-1')");
    // Another tab shows what the address says.
    scene.show("/#/vni/7?tab=subscribers&sort=-node&match=RACK");
    scene.browser.until("the same there", &format!("{first} === 'rack-2,rack-1'"));
    drop(clients);
    scene.browser.until_says("No subscriber matches.");
    // The VNI has gone with them, and browsers report every 404.
    assert!(scene.browser.forgive().iter().all(|one| one.contains("404")));
}

fn an_address_finds_its_longest_match_in_every_vni(scene: &mut Scene) {
    let mut client = node(scene, "host-1");
    let at = |vni, address: &str, length| prefix(vni, address.parse().unwrap(), length, 1);
    client.announce_all(&[at(1, "10.0.0.0", 8), at(1, "10.1.0.0", 16), at(2, "10.0.0.0", 8)]);
    scene.show("/");
    // Through the box, by keyboard alone.
    scene.browser.until("the page", "document.querySelector('.card')");
    scene.browser.press("/");
    scene.browser.write("10.1.2.3");
    scene.browser.press("Enter");
    scene.browser.until_says("1–2 of 2");
    let rows = "[...document.querySelectorAll('.listing tbody tr')].map((row) =>
        row.cells[0].innerText + ' ' + row.cells[1].innerText).join()";
    assert_eq!(scene.browser.eval(rows), "1 10.1.0.0/16,2 10.0.0.0/8");
    scene.show("/#/search?q=10.0.0.0/8&kind=1");
    scene.browser.until_says("1–3 of 3");
}

fn a_peer_is_found_by_its_name(scene: &mut Scene) {
    let _clients = ["rack-1-a", "rack-1-b", "rack-2-a"].map(|name| node(scene, name));
    scene.show("/#/search?q=RACK-1");
    scene.browser.until_says("rack-1-b");
    assert_eq!(scene.browser.eval("document.body.innerText.includes('rack-2-a')"), false);
    scene.show("/#/peers");
    scene.browser.until_says("of 3");
    scene.browser.click("input[name=match]");
    scene.browser.write("rack-2");
    scene.browser.until_says("1–1 of 1");
    let focused = scene.browser.eval("document.activeElement.name");
    assert_eq!(focused, "match", "one can go on typing");
}

fn explanations_are_shown(scene: &mut Scene) {
    let [mut publisher, mut subscriber] = ["host-1", "host-2"].map(|name| node(scene, name));
    publisher.announce(&route(7, 1, 1));
    subscriber.subscribe(7);
    subscriber.expect_view(&[route(7, 1, 1)]);
    scene.show("/#/explain?vni=7&destination=10.0.0.1/32");
    scene.browser.click("input[name=peer]");
    scene.browser.write("host-2");
    scene.browser.press("Enter");
    scene.browser.until_says("peer host-2 is in sync with VNI 7");
    scene.browser.until("a verdict", "document.querySelector('.verdict.good')");
}

/// The rows of the events, newest first, as texts.
const EVENTS: &str = "[...document.querySelectorAll('tbody tr')].map((row) =>
    [1, 2, 3, 5].map((at) => row.cells[at].innerText).join(' ')).join('\\n')";

fn listening(scene: &mut Scene, view: &str) {
    scene.show(view);
    let range = "document.querySelector('.range')?.innerText";
    scene.browser.until("the stream of events", &format!("{range} === '0 so far'"));
}

fn events_appear_as_they_happen(scene: &mut Scene) {
    listening(scene, "/#/events");
    let mut client = node(scene, "host-1");
    scene.browser.until_row_says("established");
    client.announce(&route(7, 1, 1));
    scene.browser.until_says("10.0.0.1/32");
    client.withdraw(&route(7, 1, 1));
    scene.browser.until_row_says("withdrawn");
    drop(client);
    scene.browser.until_says("closed by peer");
    assert_eq!(
        scene.browser.eval(EVENTS),
        "closed  host-1 \nwithdrawn 7 10.0.0.1/32 host-1\nadded 7 10.0.0.1/32 host-1\n\
         established  host-1 "
    );
}

fn events_can_be_paused_and_are_of_one_vni(scene: &mut Scene) {
    let mut client = node(scene, "host-1");
    listening(scene, "/#/events?vni=7");
    client.announce(&route(8, 1, 1));
    client.announce(&route(7, 1, 1));
    scene.browser.until_says("10.0.0.1/32");
    // That the session began is remembered.
    let shown = "added 7 10.0.0.1/32 host-1\nestablished  host-1 ";
    assert_eq!(scene.browser.eval(EVENTS), shown);
    scene.browser.click("button[name=pause]");
    client.announce(&route(7, 2, 1));
    scene.browser.until_says("Paused, 1 more");
    assert_eq!(scene.browser.eval(EVENTS), shown);
    scene.browser.click("button[name=pause]");
    scene.browser.until_says("10.0.0.2/32");
    // What happens while the tab is hidden is missing, and that is said.
    scene.browser.eval(&hide(true));
    client.announce(&route(7, 3, 1));
    scene.browser.eval(&hide(false));
    scene.browser.until_says("events before this are missing");
}

/// Chooses the kind of events.
fn choose(scene: &mut Scene, kinds: &str) {
    scene.browser.until("the filter", "document.querySelector('select[name=event]')");
    scene.browser.eval(&format!(
        "((select) => {{
            select.value = '{kinds}';
            select.dispatchEvent(new Event('change'));
        }})(document.querySelector('select[name=event]'))"
    ));
    let chosen = "decodeURIComponent(location.hash).includes";
    scene.browser.until("the address", &format!("{chosen}('event={kinds}')"));
    let range = "document.querySelector('.range')?.innerText";
    scene.browser.until("the stream of events", &format!("{range} === '0 so far'"));
}

fn events_are_of_a_kind_and_of_a_peer(scene: &mut Scene) {
    let [mut one, mut other] = ["host-1", "host-2"].map(|name| node(scene, name));
    listening(scene, "/#/events");
    choose(scene, "added,withdrawn");
    one.announce(&route(7, 1, 1));
    other.announce(&route(7, 2, 1));
    scene.browser.until_says("10.0.0.2/32");
    scene.browser.until("both", &format!("{EVENTS}.split('\\n').length === 2"));
    // By the keyboard, as everything.
    scene.browser.eval("document.querySelector('input[name=peer]').focus()");
    scene.browser.write("host-2");
    scene.browser.until("the address", "location.hash.includes('peer=host-2')");
    scene.browser.until("no row", "document.querySelector('tbody tr') === null");
    let range = "document.querySelector('.range')?.innerText";
    scene.browser.until("the stream of events", &format!("{range} === '0 so far'"));
    one.withdraw(&route(7, 1, 1));
    other.withdraw(&route(7, 2, 1));
    let shown = format!("{EVENTS} === 'withdrawn 7 10.0.0.2/32 host-2'");
    scene.browser.until("its withdrawal", &shown);
    assert_eq!(scene.browser.eval("document.activeElement.name"), "peer");
    // Sessions of this peer, those that are over included.
    choose(scene, "established,closed");
    scene.browser.until("the session", &format!("{EVENTS} === 'established  host-2 '"));
    drop((one, other));
    scene.browser.until("its end", &format!("{EVENTS}.startsWith('closed  host-2 ')"));
    let _again = node(scene, "host-2");
    scene.browser.until("three", &format!("{EVENTS}.split('\\n').length === 3"));
    assert_eq!(scene.browser.eval("document.body.innerText.includes('host-1')"), false);
}

fn what_happened_before_the_view_was_opened_is_shown(scene: &mut Scene) {
    drop(node(scene, "host-1"));
    let inspector = scene.reflector.as_ref().unwrap().inspector();
    eventually("its end", || inspector.closed_sessions(None, 1, |_| true).rows.len() == 1);
    inspector.drain(std::num::NonZeroU32::MIN);
    inspector.undrain();
    let before = "undrain   \ndrain   \nclosed  host-1 \nestablished  host-1 ";
    listening(scene, "/#/events");
    let wait = |scene: &mut Scene| {
        scene.browser.until("the history", &format!("{EVENTS} === {}", serde_json::json!(before)));
    };
    wait(scene);
    // A reload changes nothing: it is the reflector that remembers.
    scene.show("/#/events");
    wait(scene);
    // What a command does is shown as it happens, though no stream tells of it.
    inspector.drain(std::num::NonZeroU32::MIN);
    scene.browser.until("a command", &format!("{EVENTS}.startsWith('drain ')"));
    inspector.undrain();
}

fn a_flood_of_events_stays_one_page(scene: &mut Scene) {
    let mut client = node(scene, "host-1");
    listening(scene, "/#/events");
    client.announce_all(&routes(7, 0..2000, 1));
    // Whatever the stream had to leave out is told of in its place.
    let seen = "Number(document.querySelector('.range').innerText.replace(/\\D/g, ''))";
    let missed = "[...document.querySelectorAll('tbody tr')].some((row) =>
        row.cells[1].innerText === 'missed')";
    scene.browser.until("all", &format!("{seen} === 2000 || {missed}"));
    let rows = scene.browser.eval("document.querySelectorAll('tbody tr').length");
    assert_eq!(rows, 200);
}

fn a_hostile_name_stays_text(scene: &mut Scene) {
    let name = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    let mut client = node(scene, name);
    client.announce(&route(7, 1, 1));
    for view in ["/#/peers", "/#/peer/1", "/#/search?q=img"] {
        scene.show(view);
        scene.browser.until_says(name);
        let images =
            scene.browser.eval("document.querySelectorAll('main img, main script').length");
        assert_eq!(images, 0, "{view}");
    }
    scene.show("/#/search?q=%3Cimg%20src=x%20onerror=alert(1)%3E");
    scene.browser.until_says("For <img src=x onerror=alert(1)> in all VNIs");
}

/// Has the tab believe that it is hidden, or seen again.
fn hide(is_hidden: bool) -> String {
    format!(
        "Object.defineProperty(document, 'hidden', {{value: {is_hidden}, configurable: true}});
         document.dispatchEvent(new Event('visibilitychange'))"
    )
}

fn a_hidden_tab_asks_nothing(scene: &mut Scene) {
    let mut client = node(scene, "host-1");
    client.announce(&route(7, 1, 1));
    scene.show("/#/vni/7");
    scene.browser.until_says("10.0.0.1/32");
    scene.browser.eval(&hide(true));
    client.announce(&route(7, 2, 1));
    // Longer than between two refreshes, by the reflector's own clock.
    let samples = || get_json(scene.http, "/api/v1/history")["samples"].as_array().unwrap().len();
    let before = samples();
    eventually("some seconds", || samples() >= before + 5);
    assert_eq!(scene.browser.eval("document.body.innerText.includes('10.0.0.2/32')"), false);
    scene.browser.eval(&hide(false));
    scene.browser.until_says("10.0.0.2/32");
    scene.browser.until("the stream", "document.getElementById('link').innerText === 'live'");
}

fn a_lost_connection_is_shown(scene: &mut Scene) {
    scene.show("/");
    scene.browser.until("the stream", "document.getElementById('link').innerText === 'live'");
    scene.browser.expect_nothing_wrong();
    scene.reflector.take().unwrap().stop();
    scene.browser.until_says("The connection to the reflector is lost");
    let complaints = scene.browser.forgive();
    let is_network = |one: &String| one.contains("net::ERR") || one.contains("INCOMPLETE");
    assert!(complaints.iter().all(is_network), "{complaints:#?}");
}

fn a_draining_reflector_says_so(scene: &mut Scene) {
    scene.show("/");
    scene.browser.until("the stream", "document.getElementById('link').innerText === 'live'");
    let inspector = scene.reflector.as_ref().unwrap().inspector();
    inspector.drain(std::num::NonZeroU32::MIN);
    scene.browser.until_says("The reflector is draining");
    inspector.undrain();
    scene.browser.until("it is over", "!document.querySelector('.banner')");
}

fn a_shard_that_stands_still_is_shown(scene: &mut Scene) {
    scene.show("/");
    scene.browser.until("the stream", "document.getElementById('link').innerText === 'live'");
    let standstill = Standstill::begin(scene.peers);
    scene.browser.until_says("1 shard has been stuck for two seconds");
    drop(standstill);
    scene.browser.until("it is over", "!document.querySelector('.banner')");
}

fn what_is_not_there_is_shown(scene: &mut Scene) {
    scene.show("/#/nonsense");
    scene.browser.until_says("There is no such view.");
    scene.show("/#/peers");
    scene.browser.until_says("No peer matches.");
    scene.show("/#/");
    scene.browser.until_says("No peer announces in a VNI or subscribes to one yet.");
}
