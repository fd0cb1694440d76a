//! The command over TLS, as operators run it.

use std::io::Read as _;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::client::{Client, routes};
use support::go_client::GoClient;
use support::tls::{Authority, Folder, Issued, Validity, connect};

use crate::handover::Line;
use crate::process::{BINARY, Process, fails, sentence};

/// An authority, and what it has issued.
pub(crate) struct Scene {
    pub(crate) folder: Folder,
    pub(crate) authority: Authority,
    pub(crate) ca: PathBuf,
    reflector: Issued,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Scene {
    pub(crate) fn new() -> Self {
        let (folder, authority) = (Folder::default(), Authority::new("ca"));
        let ca = authority.file(&folder, "ca.pem");
        let reflector = authority.issue(&folder, "reflector", &["::1"], Validity::Now);
        Self { folder, authority, ca, reflector }
    }

    pub(crate) fn server(&self) -> Vec<&str> {
        let Issued { certificate, key, .. } = &self.reflector;
        let flags = ["--tls-listen", "[::]:0", "--tls-ca", text(&self.ca), "--tls-certificate"];
        [&flags[..], &[text(certificate), "--tls-key", text(key)]].concat()
    }

    pub(crate) fn leaf(&self, server: SocketAddr, own: &Issued) -> Process {
        let mut command = Command::new(BINARY);
        command.args(["client", "--tls", "--server", &server.to_string(), "--subscribe", "7"]);
        command.arg("--tls-ca").arg(&self.ca).arg("--tls-certificate").arg(&own.certificate);
        command.arg("--tls-key").arg(&own.key);
        Process::spawn(command)
    }
}

/// Where a reflector listens for sessions over TLS.
pub(crate) fn address(server: &Process) -> SocketAddr {
    let port = server.logged("tls=[::]:", ' ').parse().unwrap();
    (Ipv6Addr::LOCALHOST, port).into()
}

#[test]
fn a_leaf_over_tls_says_why_it_gets_no_session_and_gets_one() {
    let scene = Scene::new();
    let server = Process::start(&scene.server());
    let stranger = Authority::new("stranger");
    let wrong = stranger.issue(&scene.folder, "stranger", &["hv-1"], Validity::Now);
    let refused = scene.leaf(address(&server), &wrong);
    refused.logged("no session; trying again", '\n');
    assert!(refused.log().contains("UnknownCA"), "{}", refused.log());
    server.logged("TLS handshake failed", '\n');
    assert!(server.log().contains("no authority that is trusted here"), "{}", server.log());
    let own = scene.authority.issue(&scene.folder, "hv-1", &["hv-1"], Validity::Now);
    let leaf = scene.leaf(address(&server), &own);
    leaf.logged("session established", '\n');
    let mut publisher = Client::establish(server.address());
    publisher.announce_all(&routes(7, 0..1, 1));
    leaf.logged("route added", '\n');
}

/// An agent has no TLS; its host has a certificate, which its routes are judged by.
#[test]
fn a_proxy_speaks_tls_for_an_agent() {
    let scene = Scene::new();
    let policy = "[[policy.class]]\nname = \"leaf\"\ncertificates = \"hv-*\"\n\
                  [[policy.class.rule]]\nnext-hops = \"own/64\"\n\
                  [[policy.class]]\nname = \"default\"\nannounce = []\n";
    let policy = scene.folder.write("policy.toml", policy);
    let flags = scene.server();
    let server = Process::start(&[&flags[..], &["--config", text(&policy)]].concat());
    let names = ["hv-1", "2001:db8::17"];
    let own = scene.authority.issue(&scene.folder, "hv-1", &names, Validity::Now);
    let mut command = Command::new(BINARY);
    command.args(["proxy", "--listen", "[::1]:0", "--server", &address(&server).to_string()]);
    command.arg("--tls").arg("--tls-ca").arg(&scene.ca).arg("--tls-key").arg(&own.key);
    command.arg("--tls-certificate").arg(&own.certificate);
    let proxy = Process::spawn(command);
    let port = proxy.logged("reflector started listen=[::1]:", ' ').parse().unwrap();
    let mut elsewhere = Client::establish(server.address());
    elsewhere.subscribe(1);
    elsewhere.announce_all(&routes(1, 0..10, 2));
    let mut agent = GoClient::establish((Ipv6Addr::LOCALHOST, port).into(), 1);
    let ours = routes(1, 100..110, 1);
    agent.announce_all(&ours);
    // What comes without a certificate is refused.
    elsewhere.expect_view(&ours);
    agent.expect_view(&[]);
}

#[test]
fn files_that_cannot_be_used_are_named_before_a_start() {
    let scene = Scene::new();
    let other = scene.authority.issue(&scene.folder, "other", &["hv-1"], Validity::Now);
    let listen = ["server", "--tls-listen", "[::1]:0"];
    let said = fails(&listen);
    assert!(sentence(&said).contains("needs --tls-certificate"), "{said}");
    let own =
        ["--tls-certificate", text(&scene.reflector.certificate), "--tls-ca", text(&scene.ca)];
    let said = fails(&[&listen[..], &own, &["--tls-key", text(&other.key)]].concat());
    assert!(sentence(&said).contains("reflector.pem (--tls-certificate)"), "{said}");
    let said = fails(&[&listen[..], &own, &["--tls-key", text(&scene.ca)]].concat());
    assert!(sentence(&said).contains("ca.pem (--tls-key): it has no private key"), "{said}");
    let client = ["client", "--server", "rr1"];
    for (flags, part) in [
        (&["--tls"][..], "needs --tls-ca"),
        (&["--tls-ca", "x"], "without --tls"),
        (&["--tls", "--tls-ca", "/none"], "/none (--tls-ca)"),
        (&["--tls", "--tls-ca", text(&scene.ca), "--tls-key", "x"], "belong together"),
    ] {
        let said = fails(&[&client[..], flags].concat());
        assert!(sentence(&said).contains(part), "{said}");
    }
}

#[test]
fn a_handover_keeps_the_listener_and_what_is_counted_and_ends_sessions_over_tls() {
    let scene = Scene::new();
    let line = Line::new();
    let mut first = line.start(&[&scene.server()[..], &["--tls-carrier", "process"]].concat());
    let address = address(&first);
    let own = scene.authority.issue(&scene.folder, "hv-1", &["hv-1", "2001:db8::1"], Validity::Now);
    let leaf = scene.leaf(address, &own);
    leaf.logged("session established", '\n');
    let mut over_tcp = Client::establish(first.address());
    over_tcp.subscribe(7);
    line.ok(&["handover"]);
    let _successor = line.successor();
    assert_eq!(super::handover::exit(&mut first), Some(0), "{}", first.log());
    over_tcp.announce_all(&routes(7, 0..1, 1));
    // The leaf comes back by itself.
    leaf.logged("route added", '\n');
    assert_eq!(line.metric("metalbond_sessions_total{event=\"closed\",reason=\"tls_keys\"}"), 1);
    assert_eq!(line.metric("metalbond_tls_handshakes_total{result=\"ok\"}"), 2);
    let peer: Value = line.json(&["show", "peer", "hv-1"]);
    assert_eq!((&peer["name_proven"], &peer["transport"]), (&"hv-1".into(), &"tls".into()));
    assert_eq!(peer["addresses_proven"], serde_json::json!(["2001:db8::1"]));
    let said = line.ok(&["show", "peer", "hv-1"]);
    assert!(said.contains("hv-1, 2001:db8::1"), "{said}");
    let mut stranger = connect(address, &scene.ca, None);
    assert!(stranger.read(&mut [0; 64]).is_err());
}
