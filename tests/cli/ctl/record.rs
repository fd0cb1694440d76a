//! `monitor --record`: the file that it writes.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::harness::{Controlled, command, controlled, until};
use crate::process::Process;
use support::client::{Client, route, routes};

/// A recorder that has the whole table.
fn recorder(scene: &Controlled, file: &str, more: &[&str]) -> Process {
    let recorder =
        Process::spawn(command(&scene.socket, &[&["monitor", "--record", file], more].concat()));
    recorder.logged("is recorded", '\n');
    recorder
}

fn lines(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_recording_has_the_table_and_then_what_happens() {
    let scene = controlled(&[]);
    let mut client = Client::establish(scene.server.address());
    let mut watcher = Client::establish(scene.server.address());
    watcher.subscribe(7);
    let table = routes(7, 0..2500, 1);
    client.announce_all(&table);
    client.announce(&route(8, 1, 1));
    watcher.expect_view(&table);
    scene.until_rows(&["show", "routes", "--vni", "8"], 1);
    let (all, one) = (scene.folder.path("all"), scene.folder.path("one"));
    let mut recorders = [recorder(&scene, &all, &[]), recorder(&scene, &one, &["7"])];

    client.withdraw(&route(7, 3, 1));
    client.announce_all(&[route(8, 2, 1), route(7, 9999, 1)]);
    for (file, routes, expected) in [(&all, 2501, 3), (&one, 2500, 2)] {
        until("all events", || {
            lines(file).iter().filter(|line| line["at"].is_string()).count() == 2 + expected
        });
        let lines = lines(file);
        assert_eq!(
            (&lines[0]["recording"], &lines[routes + 1]["routes"]),
            (&1.into(), &routes.into())
        );
        let held = lines.iter().filter(|line| line["event"] == "held");
        assert_eq!(held.clone().count(), routes);
        assert!(held.clone().all(|line| line["announcer_names"][0] == "test-node#1"));
        let gone = lines.iter().find(|line| line["event"] == "withdrawn").unwrap();
        assert_eq!((&gone["vni"], &gone["destination"]), (&7.into(), &"10.0.0.3/32".into()));
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    for recorder in &mut recorders {
        recorder.signal("INT");
        assert_eq!(recorder.wait(), Some(0), "{}", recorder.log());
    }
    // What is there is never overwritten.
    let said = scene.fails(&["monitor", "--record", &all]);
    assert!(said.contains("is there already"), "{said}");
}

#[test]
fn a_recording_ends_with_its_time_and_says_what_it_has() {
    let scene = controlled(&[]);
    let file = scene.folder.path("recording");
    let said = command(&scene.socket, &["monitor", "--record", &file, "--timeout", "300ms", "-j"]);
    let said = { said }.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let json: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&json["table_complete"], &json["missed"]), (&true.into(), &0.into()), "{json}");
    assert_eq!(lines(&file).len(), 2, "a head, and the end of an empty table");
}
