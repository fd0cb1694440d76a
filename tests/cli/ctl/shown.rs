//! What `show`, `explain` and `dump` say.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::harness::{Controlled, command, controlled, ctl, until};
use crate::process::{BINARY, Process};
use support::client::{Client, hello_of, modern_hello, prefix, route, routes};

/// Peer 1 announces to VNI 100 and 200, peer 2 subscribes to 100.
fn scene() -> (Controlled, [Client; 2]) {
    let scene = controlled(&[]);
    let address = scene.server.address();
    let [mut one, mut two] = [(); 2].map(|()| Client::establish(address));
    one.announce_all(&[route(100, 1, 1), route(200, 2, 2)]);
    two.subscribe(100);
    two.expect_view(&[route(100, 1, 1)]);
    until("all of it", || {
        let peers = scene.rows(&["show", "peers"]);
        peers.iter().any(|p| p["routes"] == 2) && peers.iter().any(|p| p["adds_sent"] == 1)
    });
    (scene, [one, two])
}

/// The lines of a table, of which the first is the heading, as words.
fn table(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn peers_are_a_table_and_json() {
    let (scene, _clients) = scene();
    let text = scene.ok(&["show", "peers"]);
    let rows = table(&text);
    assert_eq!(rows[0], ["PEER", "STATE", "UPTIME", "ROUTES", "SUBS", "BEHIND", "BACKLOG"]);
    let of = |name: &str| rows.iter().find(|row| row[0] == name).unwrap();
    // Two of one node are told apart by their numbers.
    assert_eq!((of("test-node#1")[1], of("test-node#1")[3]), ("established", "2"));
    assert_eq!(of("test-node#2")[4], "1");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let text = scene.ok(&["show", "peers", "--wide"]);
    let rows = table(&text);
    assert_eq!(
        rows[0],
        [
            "NUMBER", "NODE", "PROVEN", "REMOTE", "STATE", "UPTIME", "ROUTES", "SUBS", "BEHIND",
            "BACKLOG", "ADDS", "REMOVES"
        ]
    );
    let two = rows.iter().find(|row| row[0] == "2").unwrap();
    assert_eq!((two[1], two[7], two[11]), ("test-node", "1", "1"));
    let json = scene.rows(&["show", "peers"]);
    assert_eq!(json.len(), 2);
    assert!(json.iter().all(|peer| peer["agent"] == "test"));
}

#[test]
fn a_peer_is_shown_by_whatever_it_is_called() {
    let (scene, [one, _two]) = scene();
    let address = one.local_addr().to_string();
    for name in ["1", "#1", "test-node#1", &address] {
        let text = scene.ok(&["show", "peer", name]);
        assert!(text.contains("peer             #1\n"), "{text}");
        assert!(text.contains("routes           2\n") && text.contains("\n100 "), "{text}");
        assert_eq!(scene.json(&["show", "peer", name])["vnis"][1]["vni"], 200);
    }
    let many = scene.fails(&["show", "peer", "test-node"]);
    assert!(many.starts_with("2 sessions are called \"test-node\": #"), "{many}");
    assert!(many.contains(&address) && many.ends_with("give the number of one"), "{many}");
    let nobody = scene.fails(&["show", "peer", "a&b=c"]);
    assert!(nobody.contains("no session is called \"a&b=c\""), "{nobody}");
}

#[test]
fn vnis_and_subscriptions_are_shown() {
    let (scene, _clients) = scene();
    let text = scene.ok(&["show", "vnis"]);
    assert!(table(&text).iter().any(|row| row[0] == "100" && row[2] == "1" && row[4] == "1"));
    assert_eq!(scene.rows(&["show", "vnis"]).len(), 2);
    let sorted = scene.rows(&["show", "vnis", "--sort=-vni", "--limit", "1"]);
    assert_eq!((sorted.len(), &sorted[0]["vni"]), (1, &200.into()));
    let text = scene.ok(&["show", "subscriptions"]);
    assert_eq!(table(&text)[1], ["test-node#2", "100", "in", "sync", "0", "0"]);
    let all = scene.rows(&["show", "subscriptions"]);
    assert_eq!(scene.rows(&["show", "subscriptions", "--peer", "2"]), all);
    assert_eq!(scene.rows(&["show", "subscriptions", "--vni", "100"]), all);
    for nothing in [["--peer", "1"], ["--vni", "200"]] {
        assert!(scene.rows(&[&["show", "subscriptions"], &nothing[..]].concat()).is_empty());
    }
    let both = ["show", "subscriptions", "--peer", "2", "--vni", "200"];
    assert_eq!(scene.ok(&both), "There is no such subscription.\n");
}

#[test]
fn routes_are_shown_by_vni_prefix_and_address() {
    let scene = controlled(&[]);
    let mut client = Client::establish(scene.server.address());
    let at = |vni, address: &str, length| prefix(vni, address.parse().unwrap(), length, 1);
    client.announce_all(&[
        at(7, "10.0.0.0", 8),
        at(7, "10.1.0.0", 16),
        at(7, "192.0.2.0", 24),
        at(8, "0.0.0.0", 0),
    ]);
    scene.until_rows(&["show", "routes"], 4);
    let found = |arguments: &[&str]| {
        let text = scene.ok(&[&["show", "routes"], arguments].concat());
        let mut found: Vec<_> = table(&text).iter().skip(1).map(|row| row[1].to_owned()).collect();
        found.sort();
        found
    };
    assert_eq!(found(&["--vni", "8"]), ["0.0.0.0/0"]);
    assert_eq!(found(&["10.0.0.0/8"]), ["10.0.0.0/8", "10.1.0.0/16"]);
    assert_eq!(found(&["10.1.2.3"]), ["0.0.0.0/0", "10.1.0.0/16"]);
    assert_eq!(found(&["10.1.2.3", "--vni", "7"]), ["10.1.0.0/16"]);
    assert_eq!(scene.rows(&["show", "routes", "10.1.2.3"]).len(), 2);
    assert_eq!(scene.ok(&["show", "routes", "::1"]), "There is no such route.\n");
}

#[test]
fn a_listing_of_many_pages_is_one() {
    let scene = controlled(&[]);
    let mut client = Client::establish(scene.server.address());
    let all = routes(7, 0..9000, 1);
    client.announce_all(&all);
    scene.until_rows(&["show", "routes"], 9000);
    let rows = scene.rows(&["show", "routes", "--vni", "7"]);
    let mut found: Vec<_> = rows.iter().map(|row| row["destination"].as_str().unwrap()).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 9000);
    let text = scene.ok(&["show", "routes"]);
    assert_eq!(text.lines().count(), 9001, "one heading");
}

#[test]
fn who_has_read_enough_disturbs_nobody() {
    let scene = controlled(&[]);
    let mut client = Client::establish(scene.server.address());
    client.announce_all(&routes(7, 0..9000, 1));
    scene.until_rows(&["show", "routes"], 9000);
    for json in [&["-j"][..], &[]] {
        let mut command = Command::new(BINARY);
        command.args(["ctl", "--socket", &scene.socket, "show", "routes"]).args(json);
        let mut process = Process::spawn({
            command.stdout(Stdio::piped());
            command
        });
        let mut line = String::new();
        let mut out = BufReader::new(process.child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        drop(out);
        assert_eq!(process.wait(), Some(0), "{}", process.log());
        assert_eq!(process.log(), "");
    }
}

#[test]
fn shards_and_limits_are_shown() {
    let (scene, _clients) = scene();
    let text = scene.ok(&["show", "shards"]);
    let rows = table(&text);
    assert_eq!((rows[1][0], rows[2][0], rows[1][1], rows[2][1]), ("0", "1", "awake", "awake"));
    assert_eq!(rows[1][5], "2048", "partitions of 4096");
    assert!(
        text.ends_with("Awake: 2 shards, by a load of 0.00 cores when that changed last.\n"),
        "{text}"
    );
    assert_eq!(scene.json(&["show", "shards"]).as_array().unwrap().len(), 2);
    let text = scene.ok(&["show", "limits"]);
    // As many as the machine has descriptors for.
    let rows = table(&text);
    let max_peers = rows.iter().find(|row| row[0] == "max-peers").unwrap();
    assert!(max_peers[1].parse::<u64>().unwrap() <= 65_536, "{text}");
    assert_eq!(max_peers[2..], ["2", "0"]);
    assert!(rows.contains(&vec!["max-peers-per-source", "64", "-", "0"]), "{text}");
    let json = scene.json(&["show", "limits"]);
    assert_eq!(json["send_hold"]["seconds"], 90.0);
    assert_eq!(json["max_peers_per_source"]["limit"], 64);
}

#[test]
fn a_limit_that_was_hit_says_so() {
    let scene = controlled(&["--max-routes-per-peer", "3"]);
    let mut client = Client::establish(scene.server.address());
    client.announce_all(&routes(1, 0..4, 1));
    client.expect_closed();
    let limit = scene.json(&["show", "limits"])["max_routes_per_peer"].clone();
    assert_eq!((&limit["limit"], &limit["hits"]), (&3.into(), &1.into()));
}

#[test]
fn a_peer_that_takes_nothing_is_slow() {
    let scene = controlled(&[]);
    let address = scene.server.address();
    assert_eq!(scene.ok(&["show", "slow"]), "No peer is slow.\n");
    let mut stuck = Client::connect_narrow(address, 4096).shake_hands(modern_hello());
    stuck.subscribe(1);
    stuck.expect_end_of_table(1);
    let mut publisher = Client::establish(address);
    publisher.announce_all(&routes(1, 0..50_000, 1));
    publisher.keepalive();
    until("why it is slow", || scene.ok(&["show", "slow"]).contains("reads nothing"));
    let row = &scene.rows(&["show", "slow"])[0];
    assert!(row["backlog_bytes"].as_u64().unwrap() > 0 && row["id"] == 1, "{row}");
}

#[test]
fn explanations_are_sentences() {
    let (scene, _clients) = scene();
    let text = scene.ok(&["explain", "test-node#2", "100#10.0.0.1/32"]);
    assert!(
        text.starts_with("Sent: ") && text.contains("\n- peer test-node#2 is in sync"),
        "{text}"
    );
    let other_hop = scene.json(&["explain", "2", "100#10.0.0.1/32#2001:db8::77"]);
    assert_eq!(other_hop["verdict"], "not_owed");
    assert!(scene.ok(&["explain", "1", "100#10.0.0.1/32"]).starts_with("Not owed: "));
    let (code, _, err) = ctl(&scene.socket, &["explain", "2", "10.0.0.1/32"]);
    assert!(code == 2 && err.contains("vni#prefix"), "{err}");
}

#[test]
fn words_may_be_shortened_while_they_are_told_apart() {
    let (scene, _clients) = scene();
    let peers = scene.ok(&["show", "vnis"]);
    assert_eq!(scene.ok(&["sh", "v"]), peers);
    for [short, long] in [["p", "peers"], ["pe", "peers"], ["peer", "peers"]] {
        assert_eq!(scene.rows(&["sh", short]).len(), scene.rows(&["show", long]).len());
    }
    assert!(scene.ok(&["sh", "p", "1"]).contains("#1"));
    assert_eq!(scene.json(&["exp", "1", "100#10.0.0.1/32"])["verdict"], "not_owed");
    for (words, candidates) in [
        (&["show", "s"][..], &["subscriptions", "slow", "shards"][..]),
        (&["d"], &["drain", "dump"]),
    ] {
        let (code, _, err) = ctl(&scene.socket, words);
        assert_eq!(code, 2);
        assert!(candidates.iter().all(|word| err.contains(word)), "{err}");
    }
}

#[test]
fn a_peer_is_called_by_the_address_that_it_is_shown_with() {
    let scene = controlled(&[]);
    let port = scene.server.port();
    // The server listens for both families by one socket.
    let over_v4 = Client::establish((Ipv4Addr::LOCALHOST, port).into());
    let over_v6 = Client::establish((Ipv6Addr::LOCALHOST, port).into());
    for (client, names) in
        [(&over_v4, ["127.0.0.1", "::ffff:127.0.0.1"]), (&over_v6, ["::1", "[::1]"])]
    {
        let remote = client.local_addr().to_string();
        for name in [&*remote, names[0], names[1]] {
            assert_eq!(scene.json(&["show", "peer", name])["remote"], remote, "{name}");
        }
    }
}

#[test]
fn a_dump_has_everything() {
    let (scene, _clients) = scene();
    let file = scene.folder.path("dump.json");
    scene.ok(&["dump", &file]);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let dump: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(dump["peers"].as_array().unwrap().len(), 2);
    assert_eq!(dump["vnis"].as_array().unwrap().len(), 2);
    assert_eq!(dump["subscriptions"][0]["vni"], 100);
    assert_eq!(dump["counters"]["sessions_established"], 2);
    assert_eq!(dump["shards"].as_array().unwrap().len(), 2);
    assert_eq!(dump["limits"]["max_peers"]["used"], 2);
    let hops = &dump["table"]["vnet"]["200"]["{\"IPVersion\":4,\"Prefix\":\"10.0.0.2/32\"}"];
    assert_eq!(hops[0]["TargetAddress"], "2001:db8::2");
    let on_screen: Value = serde_json::from_str(&scene.ok(&["dump", "-"])).unwrap();
    assert_eq!(on_screen["table"]["vnet"], dump["table"]["vnet"]);
    let nowhere = scene.fails(&["dump", "/nonexistent/dump.json"]);
    assert!(nowhere.contains("/nonexistent/dump.json"), "{nowhere}");
    let left: Vec<_> = std::fs::read_dir(&scene.folder.0).unwrap().collect();
    assert_eq!(left.len(), 3, "{left:?}"); // two sockets and the dump
}

#[test]
fn a_dump_takes_no_place_but_a_files() {
    let (scene, _clients) = scene();
    let [pipe, out] = ["pipe", "out"].map(|name| scene.folder.path(name));
    symlink("/dev/stdout", &pipe).unwrap();
    let piped: Value = serde_json::from_str(&scene.ok(&["dump", &pipe])).unwrap();
    assert_eq!(piped["peers"].as_array().unwrap().len(), 2);
    assert!(std::fs::symlink_metadata(&pipe).unwrap().is_symlink());
    // Also where standard output is a file.
    for name in ["/dev/stdout", "/proc/self/fd/1"] {
        let mut command = command(&scene.socket, &["dump", name]);
        command.stdout(std::fs::File::create(&out).unwrap());
        assert!(command.status().unwrap().success());
        let dump: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
        assert_eq!(dump["peers"].as_array().unwrap().len(), 2);
    }
    assert!(std::fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
}

/// As a link of somebody else in /tmp.
#[test]
fn a_dump_follows_no_link() {
    let (scene, _clients) = scene();
    let [file, link, chain] = ["file", "link", "chain"].map(|name| scene.folder.path(name));
    std::fs::write(&file, "precious").unwrap();
    for (name, target) in [(&link, &file), (&chain, &link)] {
        symlink(target, name).unwrap();
        scene.ok(&["dump", name]);
        assert!(std::fs::symlink_metadata(name).unwrap().is_file(), "{name}");
        let dump: Value = serde_json::from_str(&std::fs::read_to_string(name).unwrap()).unwrap();
        assert_eq!(dump["peers"].as_array().unwrap().len(), 2);
        // Nor one in the place of what is not whole yet.
        std::fs::remove_file(name).unwrap();
        symlink(&file, format!("{name}.part")).unwrap();
        scene.ok(&["dump", name]);
        std::fs::remove_file(name).unwrap();
        symlink(&file, name).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn the_documentation_shows_tables_that_there_are() {
    const DOCUMENT: &str = include_str!("../../../docs/ctl.md");
    let (scene, _clients) = scene();
    let mut stuck =
        Client::connect_narrow(scene.server.address(), 4096).shake_hands(modern_hello());
    stuck.subscribe(100);
    stuck.expect_end_of_table(100);
    let mut publisher = Client::establish(scene.server.address());
    publisher.announce_all(&routes(100, 2..50_000, 1));
    // From then on it stays slow.
    until("a write that hangs", || scene.ok(&["show", "slow"]).contains("reads nothing"));
    let left = Client::connect(scene.server.address()).shake_hands(hello_of("host-4"));
    drop(left);
    scene.until_rows(&["show", "closed"], 1);
    scene.ok(&["block", "vni", "7", "for", "1h", "--yes"]);
    let mut tables = 0;
    let of_reflector = DOCUMENT.split("\n## A leaf\n").next().unwrap();
    for part in of_reflector.split("$ metalbond ctl show ").skip(1) {
        let (command, rest) = part.split_once('\n').unwrap();
        // One peer is a list of names and values, of other hosts; a handover is a sentence.
        if command.starts_with("peer ") || command == "handover" {
            continue;
        }
        let arguments: Vec<_> = ["show"].into_iter().chain(command.split(' ')).collect();
        let real = scene.ok(&arguments);
        let (documented, real) = (rest.lines().next().unwrap(), real.lines().next().unwrap());
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(documented), words(real), "{command}");
        tables += 1;
    }
    assert_eq!(tables, 11);
}

#[test]
fn sessions_that_have_ended_and_what_happened_last_are_shown() {
    let (scene, [one, mut two]) = scene();
    assert_eq!(scene.ok(&["show", "closed"]), "No session has ended.\n");
    drop(one);
    scene.until_rows(&["show", "closed"], 1);
    scene.ok(&["reset", "peer", "test-node"]);
    two.expect_closed();
    scene.until_rows(&["show", "closed", "peer", "test-node"], 2);
    let text = scene.ok(&["show", "closed", "p", "test-node"]);
    let rows = table(&text);
    assert_eq!(rows[0][..3], ["ENDED", "PEER", "NODE"]);
    assert!(text.lines().nth(1).unwrap().ends_with("reset by the operator"), "{text}");
    assert!(text.lines().nth(2).unwrap().ends_with("closed by peer"), "{text}");
    assert_eq!(scene.rows(&["show", "closed", "--limit", "1"])[0]["reason"], "reset");
    assert_eq!(scene.rows(&["show", "closed", "peer", "1"]).len(), 1);
    let gone = scene.fails(&["explain", "test-node", "100#10.0.0.1/32"]);
    assert!(gone.starts_with("no such peer: test-node; last seen 20"), "{gone}");
    assert!(gone.ends_with(": reset by the operator"), "{gone}");
    scene.ok(&["drain"]);
    let text = scene.ok(&["show", "recorder"]);
    let events: Vec<_> = table(&text).iter().skip(1).map(|row| row[1].to_owned()).collect();
    assert_eq!(events, ["established", "established", "closed", "closed", "drain"], "{text}");
    assert!(text.contains("test-node#2") && text.contains(": reset by the operator\n"), "{text}");
    assert_eq!(scene.rows(&["show", "recorder", "--limit", "1"])[0]["event"], "drain");
}

#[test]
fn peers_are_sorted_chosen_and_limited() {
    let scene = controlled(&[]);
    let node = |name: &str| Client::connect(scene.server.address()).shake_hands(hello_of(name));
    let mut clients = ["rack-1", "rack-2", "other"].map(node);
    for (client, count) in clients.iter_mut().zip([2, 3, 1]) {
        client.announce_all(&routes(7, 0..count, 1));
    }
    until("all routes", || {
        let peers = scene.rows(&["show", "peers"]);
        peers.iter().map(|peer| peer["routes"].as_u64().unwrap()).sum::<u64>() == 6
    });
    let found = |arguments: &[&str]| {
        let text = scene.ok(&[&["show", "peers"], arguments].concat());
        table(&text).iter().skip(1).map(|row| row[0].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(&["--sort", "-routes"]), ["rack-2", "rack-1", "other"]);
    assert_eq!(found(&["--sort", "node", "--limit", "2"]), ["other", "rack-1"]);
    assert_eq!(found(&["--match", "RACK", "--sort=-node"]), ["rack-2", "rack-1"]);
    assert_eq!(found(&["--state", "established"]).len(), 3);
    assert_eq!(scene.ok(&["show", "peers", "--state", "closing"]), "There is no such peer.\n");
    assert_eq!(scene.rows(&["show", "peers", "--sort", "-routes", "--limit", "1"])[0]["routes"], 3);
}
