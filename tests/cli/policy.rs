//! `[policy]` from the file to the log: checked, loaded by SIGHUP, tried, shown, and written down when it refuses.

use std::net::{Ipv4Addr, SocketAddr};

use crate::config::{Scratch, run};
use crate::ctl::Folder;
use crate::process::Process;
use support::client::{Client, hello_of, route};

fn policy(announce: &str) -> String {
    format!(
        "[server]\nlisten = \"[::]:0\"\n[policy]\n[[policy.class]]\nname = \"leaf\"\n\
         from = \"127.0.0.0/8\"\nannounce = {announce}\n"
    )
}

fn output(arguments: &[&str]) -> (bool, String) {
    let (code, out, err) = run(arguments, &[]);
    (code == 0, out + &err)
}

#[test]
fn what_is_wrong_with_a_policy_is_told_with_its_line() {
    let file =
        Scratch::new("[server]\n[policy]\n[[policy.class]]\nname = \"leaf\"\nfrm = \"::/0\"\n");
    let (is_good, said) = output(&["check-config", "--config", file.path()]);
    assert!(
        !is_good && said.contains(&format!("{}:5: unknown field `frm`", file.path())),
        "{said}"
    );
    file.write(&policy("\"1-9\""));
    let (is_good, said) = output(&["check-config", "--config", file.path()]);
    assert!(is_good, "{said}");
}

#[test]
fn a_policy_is_tried_loaded_shown_and_its_first_refusals_are_in_the_log() {
    let folder = Folder::new();
    let socket = folder.path("control.sock");
    let file = Scratch::new("[server]\nlisten = \"[::]:0\"\n");
    let server = Process::start(&["--config", file.path(), "--control", &socket]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let ctl = |arguments: &[&str]| {
        let (is_good, said) = output(&[&["ctl", "--socket", &socket], arguments].concat());
        assert!(is_good, "{arguments:?}: {said}");
        said
    };
    assert!(ctl(&["show", "policy"]).starts_with("There is no policy"));
    let mut client = Client::connect(address).shake_hands(hello_of("host-1"));
    client.subscribe(7);
    client.announce(&route(7, 1, 1));
    client.expect_end_of_table(7);
    let next = Scratch::new(&policy("\"1-6\""));
    let tried = ctl(&["policy", "try", next.path()]);
    assert!(tried.contains("Sessions by class: default 0, leaf 1."), "{tried}");
    assert!(tried.contains("1 route and 1 subscription judged"), "{tried}");
    assert!(
        tried.contains("host-1 10.") && tried.contains("it may not announce in VNI 7"),
        "{tried}"
    );
    assert!(ctl(&["show", "policy"]).contains("Nothing has been refused."), "it was only tried");
    file.write(&policy("\"1-6\""));
    server.signal("HUP");
    server.logged("reloaded [policy]", '\n');
    let line = server.logged("policy refused a peer", '\n');
    for part in
        ["it may not announce in VNI 7; class leaf", "node=\"host-1\"", "reason=\"announce\""]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    // Further ones of the session for the same reason are only counted.
    client.announce(&route(8, 1, 1));
    let other = Client::connect(address).shake_hands(hello_of("host-2"));
    drop(other);
    server.logged("node=\"host-2\" shard", '\n');
    assert_eq!(server.log().matches("policy refused a peer").count(), 1);
    let shown = ctl(&["show", "policy"]);
    assert!(shown.contains("2 routes filtered now."), "{shown}");
    assert!(shown.contains("leaf   class  announce  ignore         2"), "{shown}");
    let listed = ctl(&["show", "routes", "--filtered"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let row = listed.lines().last().unwrap();
    assert!(row.starts_with("  8  10.") && row.contains("  host-1 "), "{listed}");
    assert!(row.ends_with("it may not announce in VNI 8; class leaf"), "{listed}");
    assert!(!ctl(&["show", "routes", "--filtered", "--vni", "7"]).contains("VNI 8"));
    assert_eq!(ctl(&["show", "routes", "--filtered", "--vni", "9"]), "No route is filtered.\n");
}
