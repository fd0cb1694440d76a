//! What runs and comparisons are told as: text, JSON and pages.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};

use metalbond::io::IoChoice;
use metalbond::reflector::{Reflector, ReflectorConfig};
use serde_json::Value;

const BRIEF: [&str; 5] = ["fanout", "--duration=0.2", "--warm-up=0.1", "-n5", "-w200"];

/// Runs loadgen.
fn loadgen(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments).output().expect("loadgen starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs something with the address of a reflector in this process.
fn with_reflector<T>(run: impl FnOnce(&str) -> T) -> T {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = ReflectorConfig {
        listen,
        io: IoChoice::Epoll,
        shards: Some(1),
        ..ReflectorConfig::default()
    };
    let reflector = Reflector::start(&config).expect("a reflector starts");
    let result = run(&reflector.listen_addr().to_string());
    reflector.stop();
    result
}

/// A file of a test; dropping it removes it.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("loadgen-output-{}-{name}", std::process::id())))
    }

    fn name(&self) -> &str {
        self.0.to_str().expect("a plain name")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).expect("a file")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// The numbers under a name in each of a list.
fn numbers(list: &Value, name: &str) -> Vec<f64> {
    let list = list.as_array().expect("a list");
    list.iter().map(|each| each[name].as_f64().expect("a number")).collect()
}

#[test]
fn flags_of_a_scenario_come_before_those_that_all_have() {
    for (scenario, own) in
        [("slow", "--slow-rate"), ("fanout", "--window"), ("compare", "--rounds")]
    {
        let output = loadgen(&[scenario, "--help"]);
        let help = stdout(&output);
        let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("no {text} in:\n{help}"));
        let heading = at("\nServer and output:\n");
        assert!(at("\nOptions:\n") < at(own) && at(own) < heading, "{help}");
        for common in ["--target", "--spawn", "--json", "--report", "--verbose"] {
            // Descriptions also name some.
            let flag = format!("  {common}");
            let last = help.rfind(&flag).or_else(|| help.rfind(&format!(", {common}")));
            assert!(last > Some(heading), "{common} in:\n{help}");
        }
    }
}

#[test]
fn json_has_everything() {
    let file = File::new("all.json");
    let output = loadgen(&[&BRIEF[..], &["--spawn", "repeater", "--json", file.name()]].concat());
    assert!(output.status.success(), "{output:?}");
    let json = file.json();
    assert_eq!((&json["kind"], &json["verified"]), (&"run".into(), &true.into()));
    // Flags that were given and those that were not.
    assert_eq!(json["parameters"]["window"], "200");
    assert_eq!(json["parameters"]["publishers"], "1");
    assert_eq!(json["parameters"]["spawn"], "repeater");
    assert!(json["machine"]["cores"].as_u64() > Some(0), "{}", json["machine"]);
    let percentiles = &json["latency"]["percentiles"];
    let quantiles = numbers(percentiles, "quantile");
    assert_eq!((quantiles[0], quantiles[quantiles.len() - 1]), (0.0, 1.0));
    assert!(quantiles.is_sorted() && numbers(percentiles, "us").is_sorted());
    let samples = &json["timeline"]["samples"];
    assert!(numbers(samples, "s").is_sorted() && numbers(samples, "delivered").is_sorted());
    assert!(numbers(samples, "server_cpu_s").last() > Some(&0.0));
    assert!(numbers(samples, "server_memory_bytes").last() > Some(&0.0));
    assert!(json["timeline"]["phases"][0]["text"].as_str().is_some());
    let figures = json["figures"].as_array().expect("figures");
    let is_key = |name: &str| figures.iter().any(|f| f["name"] == name && f["key"] == true);
    for name in ["server CPU per delivered update", "server memory, peak", "latency, p99.9"] {
        assert!(is_key(name), "{name}: {figures:?}");
    }
    assert!(!is_key("windows"));
}

#[test]
fn a_page_needs_nothing_and_takes_no_markup() {
    let file = File::new("<script>a&b.html");
    let output = loadgen(&[&BRIEF[..], &["--spawn", "repeater", "--report", file.name()]].concat());
    assert!(output.status.success(), "{output:?}");
    let page = file.text();
    for word in ["http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains(r"\u003cscript>a&b.html") && !page.contains("<script>a&b.html"));
    assert!(!page.contains("loadgen-data"), "the data are in it");
}

#[test]
fn a_file_that_cannot_be_written_is_said_before_the_run() {
    for flag in ["--json", "--report"] {
        for run in [&["compare", "--against=repeater", "--rounds=1"][..], &["--spawn=repeater"]] {
            let output = loadgen(&[&[flag, "/nonexistent/file"], run, &BRIEF].concat());
            assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
            let printed = stderr(&output);
            assert!(printed.starts_with("loadgen: cannot write /nonexistent/file"), "{printed}");
        }
    }
}

#[test]
fn a_run_that_fails_leaves_no_file() {
    let file = File::new("failed.json");
    let output = loadgen(&["--json", file.name(), "--spawn", "repeater", "table", "-r10"]);
    assert!(!output.status.success(), "{output:?}");
    assert!(!file.0.exists());
}

#[test]
fn a_reader_that_goes_does_not_stop_a_run() {
    let file = File::new("unread.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(BRIEF).args(["--spawn", "repeater", "--json", file.name()]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut run = command.spawn().expect("loadgen starts");
    drop((run.stdout.take(), run.stderr.take()));
    assert!(run.wait().expect("it ends").success());
    assert_eq!(file.json()["kind"], "run");
}

/// On another machine there is no process to look at.
#[test]
fn a_server_without_a_process_has_no_figures() {
    let file = File::new("far.json");
    let output = with_reflector(|address| {
        loadgen(&[&BRIEF[..], &["--target", address, "--json", file.name()]].concat())
    });
    assert!(output.status.success(), "{output:?}");
    let printed = stdout(&output);
    assert!(printed.contains("delivered updates per second"), "{printed}");
    assert!(printed.contains("process is not known"), "{printed}");
    assert!(!printed.contains("server CPU") && !printed.contains("server memory"), "{printed}");
    assert!(file.json()["timeline"]["samples"][0]["server_cpu_s"].is_null());
}

#[test]
fn servers_take_turns_and_are_divided() {
    let (json, page) = (File::new("turns.json"), File::new("turns.html"));
    let (output, reflector) = with_reflector(|address| {
        let reflector = format!("{address}@{}", std::process::id());
        let flags = ["compare", "--rounds=2", "--json", json.name(), "--report", page.name()];
        let against = ["--against", &reflector, "--against", "repeater"];
        let expect = ["--expect", "server CPU per delivered update <= 1e6 x repeater"];
        (loadgen(&[&flags[..], &against, &expect, &BRIEF].concat()), reflector)
    });
    assert!(output.status.success(), "{output:?}");
    let printed = stdout(&output);
    assert!(printed.contains("/ repeater") && printed.contains("yes server CPU"), "{printed}");
    let json = json.json();
    assert_eq!(json["order"], serde_json::json!([reflector, "repeater", reflector, "repeater"]));
    let figure = |target: usize| {
        let figures = json["targets"][target]["figures"].as_array().expect("figures");
        let found = figures.iter().find(|f| f["name"] == "server CPU per delivered update");
        found.expect("CPU time")
    };
    let ratio = figure(0)["median"].as_f64().unwrap() / figure(1)["median"].as_f64().unwrap();
    let printed = figure(0)["ratios"]["repeater"].as_f64().unwrap();
    assert!((printed / ratio - 1.0).abs() < 1e-9, "{printed}, not {ratio}");
    assert_eq!(figure(1)["ratios"]["repeater"], 1.0);
    assert_eq!(figure(0)["values"].as_array().map(Vec::len), Some(2));
    let quantiles = numbers(&json["targets"][0]["latency"]["percentiles"], "quantile");
    assert_eq!(quantiles.last(), Some(&1.0));
    assert!(page.text().contains(r#""kind":"compare""#));
}

/// A program that takes the flags of a reflector and is the repeater.
fn stand_in() -> File {
    use std::os::unix::fs::PermissionsExt as _;
    let file = File::new("stand-in");
    let own = env!("CARGO_BIN_EXE_loadgen");
    let script = format!("#!/bin/sh\nexec '{own}' repeater --listen 127.0.0.1:0\n");
    std::fs::write(&file.0, script).expect("a script");
    let may_run = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&file.0, may_run).expect("it may run");
    file
}

const SUITE: [&str; 4] = ["suite", "--rounds=1", "--duration=0.2", "--warm-up=0.1"];

#[test]
fn a_suite_tells_new_and_old_beside_the_limit() {
    let (json, reflector) = (File::new("suite.json"), stand_in());
    let only = ["--only=64 over 16 x 100", "--only=updates/s", "--json", json.name()];
    let binaries = ["--binary", reflector.name(), "--old", reflector.name()];
    let output = loadgen(&[&SUITE[..], &only, &binaries].concat());
    assert!(output.status.success(), "{output:?}");
    let printed = stdout(&output);
    assert!(printed.contains("old, 2 shards") && printed.contains("16 shards"), "{printed}");
    let json = json.json();
    let workloads = json["workloads"].as_array().expect("a list");
    let names: Vec<_> = workloads.iter().map(|workload| &workload["name"]).collect();
    assert_eq!(names, ["64 over 16 x 100", "50 over 1, 1,000 updates/s"]);
    let measure = &workloads[0]["measures"][0];
    let servers = measure["servers"].as_array().expect("a list");
    let names: Vec<_> = servers.iter().map(|server| &server["name"]).collect();
    let expected = ["repeater", "1 shard", "2 shards", "old, 1 shard", "old, 2 shards"];
    assert_eq!(names, expected);
    assert!(servers[3]["limit"].is_null() && servers[1]["limit"] == 1.6, "{servers:?}");
    let medians = numbers(&measure["servers"], "median");
    let ratios = numbers(&measure["servers"], "ratio");
    assert!((ratios[4] * medians[0] / medians[4] - 1.0).abs() < 1e-9, "{servers:?}");
    let figures = workloads[1]["measures"].as_array().expect("a list");
    let figures: Vec<_> = figures.iter().map(|measure| &measure["figure"]).collect();
    let switches = "server context switches per update";
    assert_eq!(figures, ["server CPU used", switches, "latency, p99"]);
}

#[test]
fn a_suite_that_fails_tells_what_it_has() {
    let json = File::new("suite-failed.json");
    let flags = ["--binary=/nonexistent/metalbond", "--json", json.name()];
    let output = loadgen(&[&SUITE[..], &flags].concat());
    assert!(!output.status.success());
    assert!(stderr(&output).contains("1 shard failed in round 1: cannot start"), "{output:?}");
    assert_eq!(json.json()["verified"], false);
    let output = loadgen(&[&SUITE[..], &["--only=nonsense"]].concat());
    assert!(stderr(&output).contains("--only matches none of '50 over 1"), "{output:?}");
}

#[test]
fn a_limit_that_is_not_kept_fails() {
    let file = File::new("limit.json");
    let flags = ["compare", "--rounds=1", "--against=repeater", "--json", file.name()];
    let limit = "delivered updates per second >= 1e15";
    let output = loadgen(&[&flags[..], &["--expect", limit], &BRIEF].concat());
    assert!(!output.status.success());
    assert!(stderr(&output).contains(&format!("not as expected: {limit}")), "{output:?}");
    assert_eq!(file.json()["expectations"][0]["holds"], false);
}

#[test]
fn what_cannot_be_compared_is_reported() {
    let cases: [(&[&str], &str); 5] = [
        (&["fanout", "--nonsense"], "unexpected argument '--nonsense'"),
        (&["--expect=speed <= 1"], "there is no figure 'speed'"),
        (&["--expect=speed <= 2 x rustbond"], "names no server of --against"),
        (&["--against=nonsense"], "does not know `nonsense`"),
        (&["--server-arg=x"], "by --against"),
    ];
    for (flags, printed) in cases {
        let flags = [&["compare", "--rounds=1", "--against=repeater"], flags].concat();
        let output = loadgen(&[&flags[..], &BRIEF].concat());
        assert!(!output.status.success() && stderr(&output).contains(printed), "{output:?}");
    }
    for flags in [["--spawn=repeater", "compare"], ["compare", "--spawn=repeater"]] {
        let output = loadgen(&[&flags[..], &BRIEF].concat());
        assert!(stderr(&output).contains("not by --spawn"), "{output:?}");
    }
    let flags = ["compare", "--rounds=1", "--against=repeater", "table", "-r10"];
    let output = loadgen(&flags);
    assert!(stderr(&output).contains("repeater failed in round 1"), "{output:?}");
}

#[test]
fn rustbond_runs_or_says_how_to_build_it() {
    let storm = ["storm", "-p20", "-r3", "--group=5"];
    for scenario in [&BRIEF[..], &storm] {
        let output = loadgen(&[scenario, &["--spawn", "rustbond"]].concat());
        if cfg!(feature = "peers") {
            assert!(output.status.success(), "{output:?}");
        } else {
            assert!(stderr(&output).contains("--features peers"), "{output:?}");
        }
    }
}
