//! Small runs of every scenario: they end well, and a server that is wrong makes them fail.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use metalbond::io::IoChoice;
use metalbond::reflector::{Reflector, ReflectorConfig};

/// Runs loadgen.
fn loadgen(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments).output().expect("loadgen starts")
}

/// A reflector in this process.
fn reflector() -> Reflector {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (io, shards) = (IoChoice::Epoll, Some(2));
    let config =
        ReflectorConfig { listen: any, http: Some(any), io, shards, ..ReflectorConfig::default() };
    Reflector::start(&config).expect("a reflector starts")
}

/// Runs loadgen against one.
fn against_reflector(arguments: &[&str]) -> Output {
    against(reflector(), arguments)
}

fn against(reflector: Reflector, arguments: &[&str]) -> Output {
    let target = reflector.listen_addr().to_string();
    let pid = std::process::id().to_string();
    let output = loadgen(&[arguments, &["--target", &target, "--pid", &pid]].concat());
    reflector.stop();
    output
}

fn assert_good(output: &Output) {
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("missing 0, extra 0, duplicate 0, garbage 0, lost_sessions 0"),
        "{printed}"
    );
}

const BRIEF: [&str; 5] = ["fanout", "--duration=0.2", "--warm-up=0.1", "-n5", "-w200"];

#[test]
fn fanout_ends_well() {
    assert_good(&against_reflector(&[&BRIEF[..], &["--vnis=7", "-p3", "--threads=2"]].concat()));
}

#[test]
fn a_fanout_of_one_next_hop_ends_well() {
    assert_good(&against_reflector(&[&BRIEF[..], &["--vnis=3", "--shared-next-hop"]].concat()));
}

#[test]
fn runs_against_one_server_do_not_meet() {
    let reflector = reflector();
    let target = reflector.listen_addr().to_string();
    std::thread::scope(|scope| {
        let run = || loadgen(&[&BRIEF[..], &["--vnis=7", "--target", &target]].concat());
        let runs = [(); 3].map(|()| scope.spawn(run));
        runs.into_iter().for_each(|run| assert_good(&run.join().unwrap()));
    });
    reflector.stop();
}

#[test]
fn vnis_beyond_the_last_one_are_refused() {
    let output = against_reflector(&[&BRIEF[..], &["--vnis=7", "--first-vni=4294967290"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("there are not 7 VNIs from 4294967290 on"), "{said}");
}

/// One VNI each, several each, and more than there are.
#[test]
fn subscribers_are_in_some_of_the_vnis() {
    for each in ["1", "3", "9"] {
        let flags = ["--vnis=7", "--vnis-per-peer", each];
        let output = against_reflector(&[&BRIEF[..], &flags].concat());
        assert_good(&output);
        let deliveries = figure(&output, "deliveries of one update");
        let expected = 5.0 * each.parse::<f64>().unwrap().min(7.0) / 7.0;
        assert!((deliveries / expected - 1.0).abs() < 0.05, "{deliveries}, not {expected}");
    }
}

#[test]
fn windows_of_a_standing_table_end_well() {
    let runs = ["--table=3000", "--vnis=7", "--run-length=9"];
    for flags in [&["--table=3000", "-p3"][..], &["--table=200", "--vnis=300"], &runs] {
        assert_good(&against_reflector(&[&BRIEF[..], flags].concat()));
    }
    assert_good(&against_reflector(&[&MESH[..], &["--table=3000"]].concat()));
}

/// It knows VNIs and takes any number of publishers, also such that subscribe.
#[test]
fn rounds_end_well_against_the_repeater() {
    for flags in [&["-p2", "--vnis=7"][..], &["--vnis=7", "--vnis-per-peer=2"], &["--table=3000"]] {
        assert_good(&loadgen(&[&BRIEF[..], flags, &["--spawn", "repeater"]].concat()));
    }
    assert_good(&loadgen(&[&MESH[..], &["--spawn", "repeater"]].concat()));
}

#[test]
fn table_ends_well() {
    let arguments = ["table", "-r5000", "--vnis=3", "-j3", "--next-hops=10", "--rest=0"];
    assert_good(&against_reflector(&arguments));
}

#[test]
fn idle_ends_well() {
    let arguments = ["idle", "-s50", "--subscriptions=2", "--duration=0.5", "--keepalive=1"];
    assert_good(&against_reflector(&arguments));
}

const LATENCY: [&str; 6] =
    ["latency", "--duration=0.5", "--warm-up=0.1", "-n5", "--rate=2000", "--routes=300"];

#[test]
fn latency_ends_well() {
    assert_good(&against_reflector(&[&LATENCY[..], &["--vnis=3", "--threads=2"]].concat()));
}

#[test]
fn latency_ends_well_while_a_page_is_fetched() {
    let reflector = reflector();
    let url = format!("http://{}/routes.json", reflector.http_addr().expect("HTTP is answered"));
    let flags = ["--table=1000", "--fetch", &url];
    let output = against(reflector, &[&LATENCY[..], &flags].concat());
    assert_good(&output);
    let (pages, bytes) = (figure(&output, "pages fetched"), figure(&output, "bytes fetched"));
    // Of each route there are more than a hundred bytes.
    assert!(pages >= 1.0 && bytes > pages * 100_000.0, "{pages} pages, {bytes} bytes");
}

#[test]
fn a_page_that_is_not_there_fails_the_run() {
    let reflector = reflector();
    let url = format!("http://{}/nothing", reflector.http_addr().expect("HTTP is answered"));
    let output = against(reflector, &[&LATENCY[..], &["--fetch", &url]].concat());
    assert!(!output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("404"), "{output:?}");
}

#[test]
fn latency_ends_well_against_the_repeater() {
    assert_good(&loadgen(&[&LATENCY[..], &["--spawn", "repeater"]].concat()));
}

/// The figures of a run by their names.
fn figure(output: &Output, name: &str) -> f64 {
    let printed = String::from_utf8_lossy(&output.stdout);
    let figure =
        printed.lines().find_map(|line| line.trim().strip_prefix(name)?.split_whitespace().next());
    figure
        .and_then(|figure| figure.replace(',', "").parse().ok())
        .unwrap_or_else(|| panic!("no {name}: {printed}"))
}

/// All but those of the warm-up, unless the machine was so slow that pairs coalesced.
#[test]
fn every_update_is_measured() {
    let output = loadgen(&[&LATENCY[..], &["--spawn", "repeater"]].concat());
    assert_good(&output);
    assert_eq!(figure(&output, "delivered updates, measured"), 2000.0 * 0.5 * 5.0);
    assert_eq!(figure(&output, "delivered updates, all"), 2000.0 * 0.6 * 5.0);
    assert_eq!(figure(&output, "coalesced pairs"), 0.0);
}

const MESH: [&str; 7] =
    ["mesh", "-p12", "--vnis=5", "--vnis-per-peer=3", "-r20", "--duration=0.3", "--warm-up=0.1"];

#[test]
fn mesh_ends_well() {
    assert_good(&against_reflector(&[&MESH[..], &["--threads=2"]].concat()));
    assert_good(&against_reflector(&[&MESH[..], &["--shared-next-hop"]].concat()));
}

/// Peers that are alone in their VNIs are told nothing, and that is right.
#[test]
fn a_mesh_may_have_lonely_peers() {
    let arguments = ["mesh", "-p3", "--vnis=9", "--vnis-per-peer=2", "-r4", "--duration=0.1"];
    assert_good(&against_reflector(&[&arguments[..], &["--warm-up=0"]].concat()));
}

const CLOUD: [&str; 8] = [
    "--hypervisors=8",
    "--tenants=4",
    "--vms=60",
    "--observers=3",
    "--rate=400",
    "--duration=0.5",
    "--warm-up=0.1",
    "--seed=7",
];

#[test]
fn churn_ends_well() {
    let output = against_reflector(&[&["churn"], &CLOUD[..]].concat());
    assert_good(&output);
    assert!(figure(&output, "moves") > 10.0, "{output:?}");
    let flags = ["--vnis-per-peer=2", "--shared-next-hop"];
    assert_good(&against_reflector(&[&["churn"], &CLOUD[..], &flags[..]].concat()));
}

#[test]
fn deployed_clients_and_halves_of_messages_end_well() {
    let more = ["--go-clients=0.5", "--install-time=500", "--halves=3"];
    assert_good(&against_reflector(&[&["churn"], &CLOUD[..], &more[..]].concat()));
}

/// A server that takes it for a reader of bytes ends its session.
#[test]
fn a_deployed_client_that_is_not_paced_fails_the_run() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = metalbond::reflector::ShardConfig { pacing: false, ..Default::default() };
    let config = ReflectorConfig { listen: any, shards: Some(1), settings, ..Default::default() };
    let reflector = Reflector::start(&config).expect("a reflector starts");
    let many = ["churn", "--hypervisors=4", "--vms=20000", "--tenants=2", "--go-clients=1"];
    let output = against(reflector, &[&many[..], &["--duration=1", "--timeout=20"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("a read of a Go client returned"), "{said}");
}

#[test]
fn slow_readers_end_well() {
    let readers = ["--slow=2", "--stuck=2"];
    let output = against_reflector(&[&["slow"], &CLOUD[..], &readers[..]].concat());
    assert_good(&output);
    assert!(figure(&output, "updates read out at the end") > 0.0, "{output:?}");
}

#[test]
fn sessions_outlive_handovers() {
    let program = Path::new(env!("CARGO_BIN_EXE_loadgen")).with_file_name("metalbond");
    if !program.exists() {
        support::skip!("no metalbond beside loadgen: test the whole workspace, which builds it");
    }
    let readers = ["--slow=2", "--stuck=2", "--go-clients=0.4", "--halves=2"];
    let more = [&readers[..], &["--handovers=3", "--change-io"]].concat();
    let output = loadgen(&[&["handover"], &CLOUD[..], &more[..]].concat());
    assert_good(&output);
    assert_eq!((figure(&output, "handovers"), figure(&output, "sessions lost")), (3.0, 0.0));
}

#[test]
fn a_storm_ends_well() {
    let arguments = ["storm", "-p60", "-r5", "--group=12", "--connectors=2"];
    assert_good(&against_reflector(&arguments));
    let more = ["--fraction=0.5", "--abort", "--threads=2"];
    assert_good(&against_reflector(&[&arguments[..], &more].concat()));
}

/// The repeater holds no table.
#[test]
fn what_a_server_cannot_do_fails() {
    for scenario in ["table", "churn", "slow", "storm"] {
        let output = loadgen(&[scenario, "--spawn", "repeater", "--timeout=2"]);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(printed.contains("the repeater holds no table"), "{scenario}: {output:?}");
    }
}

#[test]
fn nonsense_is_refused_in_a_sentence() {
    let nonsense: [&[&str]; 14] = [
        &["fanout", "--table=10", "-w11"],
        &["fanout", "--table=10000000", "-n100000"],
        &["fanout", "--vnis=100000", "--vnis-per-peer=99999", "-n100000"],
        &["mesh", "--table=1000", "-p64", "-r100"],
        &["churn", "--vnis=100", "--vnis-per-peer=1"],
        &["latency", "--duration=-1"],
        &["latency", "--duration=0"],
        &["fanout", "-n0"],
        &["fanout", "--timeout=18446744073709551615"],
        &["idle", "--warm-up=-1"],
        &["idle", "--warm-up=NaN"],
        &["storm", "--fraction=NaN"],
        &["churn", "--vms=1000000", "--hypervisors=10000"],
        &["mesh", "-p10000", "-r1000000"],
    ];
    for arguments in nonsense {
        let output = against_reflector(arguments);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && !printed.contains("panicked"), "{output:?}");
    }
}

#[test]
fn several_servers_are_refused_where_they_make_no_sense() {
    let sites = ["--target=[::1]:4711", "--target=[::1]:4712"];
    let cases: [(&[&str], &str); 6] = [
        (&["idle"], "idle takes one --target"),
        (&["slow"], "slow takes one --target"),
        (&["handover", "--control=/nonexistent/socket"], "handover takes one --target"),
        (&["suite"], "suite starts its servers"),
        (&["compare", "fanout"], "compare takes servers and their arguments by --against"),
        (&["fanout", "--pid=1"], "--pid is missing for some --target"),
    ];
    for (arguments, sentence) in cases {
        let (scenario, flags) = arguments.split_at(1);
        let output = loadgen(&[scenario, &sites, flags].concat());
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{output:?}");
        assert!(printed.starts_with(&format!("loadgen: {sentence}")), "{printed}");
    }
}

#[test]
fn readers_that_are_slow_are_no_more_than_the_others() {
    for (flag, other) in [("--slow", "--stuck=3"), ("--stuck", "--slow=3")] {
        let output = loadgen(&["slow", "--hypervisors=2", "--observers=1", other, flag, "4"]);
        let printed = String::from_utf8_lossy(&output.stderr);
        let expected = format!("loadgen: {flag} 4 is more than the 3 subscribers");
        assert!(!output.status.success() && printed.starts_with(&expected), "{printed}");
    }
}

#[test]
fn figures_are_written_as_json() {
    let file = std::env::temp_dir().join(format!("loadgen-{}.json", std::process::id()));
    let name = file.to_str().expect("a plain name");
    assert_good(&loadgen(&[&BRIEF[..], &["--spawn", "repeater", "--json", name]].concat()));
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::remove_file(&file).expect("it can be removed");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["scenario"], "fanout");
    assert_eq!(json["faults"]["missing"], 0);
    let figures = json["figures"].as_array().expect("figures");
    let cpu = figures.iter().find(|f| f["name"] == "server CPU per delivered update");
    assert!(cpu.expect("CPU time")["value"].as_f64() > Some(0.0));
}

#[test]
fn a_server_with_a_shorter_interval_keeps_its_sessions() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let shards = Some(2);
    let keepalive = metalbond::reflector::ShardConfig { keepalive: 1, ..Default::default() };
    let config = ReflectorConfig { listen: any, shards, settings: keepalive, ..Default::default() };
    let reflector = Reflector::start(&config).expect("a reflector starts");
    // Longer than the hold time of two and a half intervals, and shorter than that of loadgen's own interval.
    assert_good(&against(reflector, &["fanout", "--duration=4", "--warm-up=0.1", "-n5", "-w200"]));
}

#[test]
fn a_server_that_fails_says_why() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    // It is not beside the test's loadgen, so this program of the system takes its place.
    let arguments = ["--binary", "/bin/sh", "--server-arg=-c", "fanout", "--duration=0.1"];
    let output = command.args(arguments).output().expect("loadgen starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("the server ended before it listened; its last line: "), "{said}");
}

#[test]
fn settings_of_a_reflector_of_this_machine_are_not_passed_on() {
    let folder = std::env::temp_dir().join(format!("loadgen-environment-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("server");
    let script = "#!/bin/sh\nenv | grep -c ^METALBOND_ >&2\n";
    std::fs::write(&program, script).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.env("METALBOND_MAX_PEERS", "1").arg("--binary").arg(&program).args(BRIEF);
    let output = command.output().expect("loadgen starts");
    std::fs::remove_dir_all(folder).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("its last line: 0"), "{said}");
}
