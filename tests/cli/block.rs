//! `ctl block` and `unblock`, as an operator and peers meet them.

use crate::config::Scratch;
use crate::handover::{Line, exit};
use support::client::{Client, hello_of, route};

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part}: {text}");
}

#[test]
fn a_blocked_prefix_is_withdrawn_until_it_is_unblocked() {
    let line = Line::new();
    let file = Scratch::new("[server]\n");
    let mut first = line.start(&["--config", file.path()]);
    let mut publisher = Client::connect(first.address()).shake_hands(hello_of("hv-1"));
    let mut watcher = Client::connect(first.address()).shake_hands(hello_of("hv-2"));
    watcher.subscribe(7);
    let table = [route(7, 1, 1), route(7, 2, 1)];
    publisher.announce_all(&table);
    watcher.expect_view(&table);

    // Standard input is no terminal, so nobody can agree.
    let prefix = table[0].destination.to_string();
    let block = ["block", "prefix", &prefix, "for", "1h"];
    let (is_ok, _, said) = line.ctl(&block);
    assert!(!is_ok, "{said}");
    has(&said, "withdraws 1 route of 1 VNI with 1 subscriber. Nothing was blocked; add --yes");
    has(&line.ok(&["show", "blocks"]), "Nothing is blocked.");

    has(&line.ok(&[&block[..], &["--yes"]].concat()), "It is block 1, until ");
    watcher.expect_view(&table[1..]);
    assert_eq!(watcher.removes(), 1);
    has(&line.ok(&["show", "blocks"]), &format!("prefix {prefix}"));
    let asked = format!("7#{prefix}");
    has(&line.ok(&["explain", "hv-2", &asked]), "an operator has blocked prefix");
    assert_eq!(line.metric("metalbond_filtered_routes"), 1);

    // Neither another policy nor another process ends it.
    file.write(
        "[server]\n[policy]\n[[policy.class]]\nname = \"all\"\nfrom = \"::/0\"\nannounce = \"7\"\n",
    );
    first.signal("HUP");
    first.logged("reloaded [policy]", '\n');
    line.ok(&["handover"]);
    let _successor = line.successor();
    assert_eq!(exit(&mut first), Some(0), "{}", first.log());
    publisher.announce_all(&[route(7, 3, 1), route(7, 1, 2)]);
    let others = [route(7, 2, 1), route(7, 3, 1)];
    watcher.expect_view(&others);
    assert_eq!(line.metric("metalbond_filtered_routes"), 2);
    has(&line.ok(&["show", "recorder"]), "(block 1)");

    let (is_ok, _, said) = line.ctl(&["unblock", "2"]);
    assert!(!is_ok && said.contains("there is no block 2"), "{said}");
    has(&line.ok(&["unblock", "1"]), "No longer blocked: prefix");
    watcher.expect_view(&[&table[..], &[route(7, 3, 1), route(7, 1, 2)]].concat());
    assert_eq!((watcher.removes(), line.metric("metalbond_filtered_routes")), (1, 0));
}

#[test]
fn a_block_ends_when_its_time_is_over() {
    let line = Line::new();
    let server = line.start(&[]);
    let mut publisher = Client::establish(server.address());
    let mut watcher = Client::establish(server.address());
    watcher.subscribe(7);
    watcher.subscribe(8);
    let table = [route(7, 1, 1), route(8, 1, 1)];
    publisher.announce_all(&table);
    watcher.expect_view(&table);
    let said = line.ok(&["block", "vni", "7", "for", "500ms", "--yes"]);
    has(&said, "The block of VNI 7 withdraws 1 route of 1 VNI with 1 subscriber.");
    watcher.expect_view(&table[1..]);
    watcher.expect_view(&table);
    has(&server.logged("block ended", '\n'), "of=VNI 7");
    has(&line.ok(&["show", "blocks"]), "Nothing is blocked.");
}

#[test]
fn a_blocked_peer_has_no_session_under_its_name_or_from_its_address() {
    let line = Line::new();
    let server = line.start(&["--stale-hold", "600s"]);
    let connect = |node: &str| Client::connect(server.address()).shake_hands(hello_of(node));
    let mut bad = connect("hv-1");
    let mut watcher = connect("hv-2");
    watcher.subscribe(7);
    bad.announce(&route(7, 1, 1));
    watcher.expect_view(&[route(7, 1, 1)]);

    let said = line.ok(&["block", "peer", "hv-1", "for", "2h", "--yes"]);
    has(&said, "The block of node hv-1 closes 1 session, which announces 1 route.");
    bad.expect_closed();
    watcher.expect_view([]);
    let closed = server.logged("session closed", '\n');
    has(&closed, "reason=blocked why=blocked by an operator (block 1)");
    let mut again = Client::connect(server.address());
    again.say_hello(hello_of("hv-1"));
    again.expect_closed();
    drop(connect("hv-3"));

    let said = line.ok(&["block", "peer", "::1", "for", "2h", "--yes"]);
    has(&said, "source ::1/128");
    watcher.expect_closed();
    has(&line.ok(&["unblock", "all"]), "No longer blocked: node hv-1, source ::1/128.");
    drop(connect("hv-1"));
    let recorder = line.ok(&["show", "recorder"]);
    has(&recorder, "source ::1/128 (block 2)");
    assert!(!recorder.contains("(block 3)"), "{recorder}");
}
