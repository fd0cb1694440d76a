//! `ctl verify`: do leaves have the routes that they should have?

use std::time::Instant;

use metalbond::wire::{Digest, Installed, Message, Report, Vni};
use serde_json::Value;
use support::PATIENCE;
use support::client::{Client, Route, hello_of, route, routes};

use crate::handover::Line;
use crate::process::Process;

/// A leaf that subscribes to VNI 7 and has its table.
fn leaf(server: &Process, node: &str, table: &[Route]) -> Client {
    let mut leaf = Client::connect(server.address()).shake_hands(hello_of(node));
    leaf.subscribe(7);
    leaf.expect_view(table);
    leaf
}

fn report(leaf: &mut Client, vni: u32, table: &[Route], installed: Option<Installed>) {
    let mut routes = Digest::default();
    table.iter().for_each(|route| routes.add(&route.destination, &route.next_hop));
    leaf.send(&Message::Report(Report { vni: Vni(vni), routes, installed }));
    leaf.keepalive();
}

/// Looks until the number of leaves in each state is as expected; the last answer.
#[track_caller]
fn wait_for(line: &Line, agree: u64, differ: u64, behind: u64) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, out, err) = line.ctl(&["-j", "verify", "--all", "--settle", "1ms"]);
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        let leaves = &answer["leaves"];
        let is = |name: &str, number: u64| leaves[name].as_u64() == Some(number);
        if is("agrees", agree) && is("differs", differ) && is("behind", behind) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{answer:#}");
    }
}

/// Waits until so many of two leaves differ in the metrics.
#[track_caller]
fn wait_for_metric(line: &Line, differ: u64) {
    let deadline = Instant::now() + PATIENCE;
    while line.metric("metalbond_leaves_differing") != differ {
        assert!(Instant::now() < deadline, "the metric does not become {differ}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(line.metric("metalbond_leaves_reporting"), 2);
}

fn row<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let rows = answer["rows"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {answer:#}"))
}

#[test]
fn a_leaf_that_lacks_routes_is_named_also_after_a_handover() {
    let line = Line::new();
    let mut first = line.start(&["--verify-interval", "200ms", "--keepalive", "60"]);
    let table = routes(7, 0..200, 1);
    let mut announcer = Client::establish(first.address());
    announcer.announce_all(&table);
    let mut good = leaf(&first, "good", &table);
    let mut bad = leaf(&first, "bad", &table);
    let mut plain = Client::establish_plain(first.address());
    plain.subscribe(7);
    plain.expect_view(&table);

    // What a leaf alone announces is not sent to it, and nobody has to have what is not subscribed to.
    let own = route(7, 500, 2);
    good.announce(&own);
    bad.expect_view(table.iter().chain([&own]));
    report(&mut good, 7, &table, None);
    report(&mut good, 8, &table, None);
    report(&mut bad, 7, &[&table[..], &[own]].concat(), None);
    let answer = wait_for(&line, 2, 0, 0);
    assert_eq!(answer["leaves"]["silent"], 1);
    assert!(answer["rows"].as_array().unwrap().iter().all(|row| row["vni"] == 7), "{answer:#}");
    assert_eq!(
        (&row(&answer, "good")["routes_owed"], &row(&answer, "bad")["routes_owed"]),
        (&200.into(), &201.into())
    );
    let said = line.ok(&["verify"]);
    assert_eq!(said, "2 leaves agree, 1 peer does not report.\n");

    // A newer report takes the place of the one before.
    report(&mut bad, 7, &table, None);
    let answer = wait_for(&line, 1, 1, 0);
    let differs = row(&answer, "bad");
    assert_eq!(
        (&differs["difference"], &differs["routes_reported"]),
        (&"routes".into(), &200.into())
    );
    let (is_good, said, err) = line.ctl(&["verify", "--settle", "1ms"]);
    assert!(!is_good && said.contains("the leaf has other routes than it was sent"), "{said}{err}");
    assert!(said.contains("1 leaf agrees, 1 differs, 1 peer does not report.\n"), "{said}");
    assert!(!said.contains("good"), "{said}");
    let said = line.ok(&["verify", "7", "good"]);
    assert!(said.contains("the leaf has the routes that it should have"), "{said}");
    let said = line.ok(&["explain", "good", "7#10.0.0.1/32"]);
    assert!(said.contains("peer good reported"), "{said}");

    wait_for_metric(&line, 1);

    // A kernel has some time.
    let installed = Installed { wanted: 201, accepted: 200, left_out: 0 };
    report(&mut bad, 7, &[&table[..], &[own]].concat(), Some(installed));
    let answer = wait_for(&line, 1, 0, 1);
    assert_eq!(row(&answer, "bad")["kernel_accepted"], 200);
    let said = line.ok(&["explain", "bad", "7#10.0.0.1/32"]);
    assert!(said.contains("its kernel has 200 of the 201 routes"), "{said}");
    report(&mut bad, 7, &table, None);
    wait_for(&line, 1, 1, 0);

    line.ok(&["handover"]);
    let _second = line.successor();
    assert_eq!(crate::handover::exit(&mut first), Some(0));
    let after = wait_for(&line, 1, 1, 0);
    assert_eq!(row(&after, "bad")["routes_reported"], 200);
    bad.unsubscribe(7);
    bad.keepalive();
    wait_for(&line, 1, 0, 0);
}
