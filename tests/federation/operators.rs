//! What operators see of other sites.

use rustix::process::Signal;
use support::browser::Browser;

use crate::harness::{Client, Nats, Process, eventually, folder, route};

#[test]
fn ctl_and_http_name_the_sites() {
    support::log_to_output();
    let Some(nats) = Nats::start("server_name: \"bus-1\"") else { return };
    let one = Process::start(&nats, "one", &[]);
    let other = Process::start(&nats, "other", &["--http", "127.0.0.1:0"]);
    let mut announcer = Client::establish(one.address);
    let mut subscriber = Client::establish(other.address);
    announcer.announce(&route(7, 1, 1));
    subscriber.subscribe(7);
    subscriber.expect_view(&[route(7, 1, 1)]);
    let text = other.ctl(&["show", "routes", "--vni", "7"]);
    assert!(text.contains("site one"), "{text}");
    let number: u64 =
        serde_json::from_str::<serde_json::Value>(&other.ctl(&["--json", "show", "peers"]))
            .ok()
            .and_then(|json| json["rows"][0]["id"].as_u64())
            .expect("a peer");
    let explained =
        other.ctl(&["explain", &number.to_string(), &format!("7#{}", route(7, 1, 1).destination)]);
    assert!(explained.contains("is announced at site one"), "{explained}");
    eventually("a round trip", || {
        let text = other.ctl(&["show", "federation"]);
        text.contains("Site other, connected to nats-server 2.") && text.contains("answers in ")
    });
    let text = other.ctl(&["show", "federation"]);
    assert!(
        text.lines().any(|line| line.starts_with("one ") && line.contains("metalbond/")),
        "{text}"
    );
    assert_eq!(other.federation()["server"], "bus-1");
    assert_eq!(one.ctl(&["show", "routes", "--vni", "7"]).matches("site").count(), 0);
}

#[test]
fn the_page_shows_the_sites_and_metrics_count_them() {
    let Some((_turn, mut browser)) = Browser::take_turn() else { return };
    support::log_to_output();
    let Some(nats) = Nats::start("") else { return };
    let mut one = Process::start(&nats, "one", &[]);
    let other = Process::start(&nats, "other", &["--http", "127.0.0.1:0"]);
    let http = other.http.unwrap();
    let mut announcer = Client::establish(one.address);
    let mut subscriber = Client::establish(other.address);
    announcer.announce(&route(7, 1, 1));
    subscriber.subscribe(7);
    subscriber.expect_view(&[route(7, 1, 1)]);
    browser.visit(&format!("http://{http}"), "/#/vni/7");
    browser.until_says("site one");
    let facts = "document.getElementById('facts').innerText";
    browser.until("its own site", &format!("{facts}.includes('site other')"));
    browser.until("a link to the sites", "!document.getElementById('sites').hidden");
    browser.visit(&format!("http://{http}"), "/#/sites");
    browser.until_says("Site other is connected to nats-server 2.");
    browser.until_says("warming");
    browser.picture("sites");
    one.kill();
    browser.until_says("stale");
    browser.expect_nothing_wrong();
    let text = support::http::get(http, "/metrics").body;
    for line in [
        "metalbond_federation_connected 1",
        "metalbond_federation_site_state{site=\"one\",state=\"stale\"} 1",
        "metalbond_federation_site_routes{site=\"one\"} 1",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in {text}");
    }
}

#[test]
fn a_reload_and_a_block_judge_what_other_sites_announce() {
    support::log_to_output();
    let Some(nats) = Nats::start("") else { return };
    let file = folder().join("metalbond.toml");
    std::fs::write(&file, "[server]\n").unwrap();
    let ber1 = Process::start(&nats, "ber1", &[]);
    let fra1 = Process::start(&nats, "fra1", &["--config", &file.display().to_string()]);
    let mut announcer = Client::establish(ber1.address);
    let table = [route(7, 1, 1), route(8, 1, 1)];
    announcer.announce_all(&table);
    let mut subscriber = Client::establish(fra1.address);
    subscriber.subscribe(7);
    subscriber.subscribe(8);
    subscriber.expect_view(&table);

    let class =
        "[server]\n[policy]\n[[policy.class]]\nname = \"ber\"\nsites = \"ber1\"\nannounce = 7\n";
    std::fs::write(&file, class).unwrap();
    fra1.signal(Signal::HUP);
    subscriber.expect_view(&table[..1]);
    // A route that comes after the reload is judged by the new policy, too.
    announcer.announce_all(&[route(8, 2, 1), route(7, 2, 1)]);
    subscriber.expect_view(&[route(7, 1, 1), route(7, 2, 1)]);
    let log = || fra1.log();
    let refusals = || log().matches("policy refused a site").count();
    eventually("a line about the refusal", || refusals() > 0);
    let line = log();
    assert!(line.contains("it may not announce in VNI 8; class ber"), "{line}");
    for part in ["site=ber1", "class=\"ber\"", "reason=\"announce\"", "verdict=\"ignore\"", "vni=8"]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    let listed = fra1.ctl(&["show", "routes", "--filtered"]);
    assert!(listed.contains("site ber1") && listed.lines().count() == 3, "{listed}");
    assert_eq!(refusals(), 1, "the others are counted");
    fra1.ctl(&["block", "vni", "7", "for", "1h", "--yes"]);
    subscriber.expect_view([]);
    std::fs::write(&file, "[server]\n").unwrap();
    fra1.signal(Signal::HUP);
    subscriber.expect_view(&[route(8, 1, 1), route(8, 2, 1)]);
    fra1.ctl(&["unblock", "all"]);
    subscriber.expect_view(&[route(7, 1, 1), route(7, 2, 1), route(8, 1, 1), route(8, 2, 1)]);
}

#[test]
fn a_refusal_of_a_site_is_logged_once_although_another_process_takes_over() {
    support::log_to_output();
    let Some(nats) = Nats::start("") else { return };
    let file = folder().join("metalbond.toml");
    let class =
        "[server]\n[policy]\n[[policy.class]]\nname = \"ber\"\nsites = \"ber1\"\nannounce = 7\n";
    std::fs::write(&file, class).unwrap();
    let ber1 = Process::start(&nats, "ber1", &[]);
    let mut fra1 = Process::start(&nats, "fra1", &["--config", &file.display().to_string()]);
    let mut announcer = Client::establish(ber1.address);
    announcer.announce(&route(8, 1, 1));
    let mut subscriber = Client::establish(fra1.address);
    subscriber.subscribe(7);
    subscriber.subscribe(8);
    let refusals = |site: &Process| site.log().matches("policy refused a site").count();
    eventually("a line about the refusal", || refusals(&fra1) > 0);
    fra1.hand_over();
    announcer.announce_all(&[route(8, 2, 1), route(7, 1, 1)]);
    subscriber.expect_view(&[route(7, 1, 1)]);
    eventually("both refused routes", || {
        let listed = fra1.ctl(&["show", "routes", "--filtered"]);
        listed.matches("site ber1").count() == 2
    });
    assert_eq!(refusals(&fra1), 1, "{}", fra1.log());
    assert!(fra1.log().contains("taken over predecessor="), "{}", fra1.log());
}
