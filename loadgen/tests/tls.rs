//! Runs whose sessions go over TLS.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use metalbond::reflector::{Reflector, ReflectorConfig, TlsConfig};
use support::tls::{Authority, Folder, Issued, Validity};

fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen")).args(arguments).output().expect("loadgen starts")
}

fn assert_good(output: &Output) {
    let printed = String::from_utf8_lossy(&output.stdout);
    let exact = "missing 0, extra 0, duplicate 0, garbage 0, lost_sessions 0";
    assert!(output.status.success() && printed.contains(exact), "{output:?}");
}

fn assert_refused(output: &Output, sentence: &str) {
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && printed.contains(sentence), "{printed}");
}

const FANOUT: [&str; 5] = ["fanout", "--duration=0.1", "--warm-up=0", "-n5", "-w200"];
const MESH: [&str; 5] = ["mesh", "-p6", "-r20", "--duration=0.1", "--warm-up=0"];
const CHURN: [&str; 6] =
    ["churn", "--hypervisors=6", "--vms=60", "--tenants=4", "--duration=0.3", "--warm-up=0"];

#[test]
fn a_started_reflector_gets_certificates() {
    if !Path::new(env!("CARGO_BIN_EXE_loadgen")).with_file_name("metalbond").exists() {
        support::skip!("no metalbond beside loadgen: test the whole workspace, which builds it");
    }
    for scenario in [&FANOUT[..], &MESH, &CHURN] {
        let flags = ["--tls", "--tls-carrier=process", "--threads=2"];
        let output = loadgen(&[scenario, &flags].concat());
        assert_good(&output);
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("against reflector, TLS"), "{printed}");
    }
}

/// Nothing but TLS is answered at that address.
#[test]
fn a_running_reflector_is_shown_the_certificate_of_a_file() {
    let (folder, authority) = (Folder::default(), Authority::new("ca"));
    let ca = authority.file(&folder, "ca.pem");
    let server = authority.issue(&folder, "server", &["127.0.0.1"], Validity::Now);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let tls = TlsConfig {
        listen: Some(any),
        certificate: Some(server.certificate),
        key: Some(server.key),
        ca: Some(ca.clone()),
        ..TlsConfig::default()
    };
    let config = ReflectorConfig { listen: any, shards: Some(1), tls, ..Default::default() };
    let reflector = Reflector::start(&config).expect("a reflector starts");
    let address = reflector.tls_addr().expect("it listens").to_string();
    let run = |own: &Issued, more: &[&str]| {
        let [ca, certificate, key] =
            [&ca, &own.certificate, &own.key].map(|path| path.to_str().unwrap());
        let files = ["--tls", "--tls-ca", ca, "--tls-certificate", certificate, "--tls-key", key];
        loadgen(&[&FANOUT[..], &["--target", &address], &files, more].concat())
    };
    let own = authority.issue(&folder, "own", &["own"], Validity::Now);
    assert_good(&run(&own, &[]));
    assert_refused(&run(&own, &["--tls-server-name=elsewhere"]), "certificate not valid for name");
    let stranger = Authority::new("stranger").issue(&folder, "stranger", &["own"], Validity::Now);
    assert_refused(&run(&stranger, &[]), "a session over TLS failed");
    reflector.stop();
}

#[test]
fn tls_is_refused_where_there_is_none() {
    let cases: [(&[&str], &str); 5] = [
        (&["idle", "--tls"], "idle has no TLS"),
        (&["fanout", "--tls", "--spawn=repeater"], "only the reflector has TLS"),
        (&["fanout", "--tls", "--target=[::1]:1"], "--tls with --target needs --tls-ca"),
        (&["churn", "--tls", "--go-clients=1"], "Go clients have no TLS"),
        (&["fanout", "--tls-carrier=kernel"], "--tls"),
    ];
    for (arguments, sentence) in cases {
        assert_refused(&loadgen(arguments), sentence);
    }
}
