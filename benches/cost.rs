//! Instructions and cache misses of an update from read to write, counted by valgrind.
//!
//! Counts do not depend on what else the machine does. `cargo bench --bench cost` counts all workloads,
//! `cargo bench --bench cost -- cold/` those with that in their names, and `--quick` leaves the cold ones out.
//! Needs `valgrind`.
//!
//! A workload's name is `cache/VNIs/subscribers of each/updates per read`. Hot tables have 1,000 routes, cold
//! ones 400,000 that are taken from all over the table. Each route has a next hop of its own.

use std::hint::black_box;
use std::process::{Command, Stdio};

use metalbond::internals_for_benches::{Fleet, Shape};

/// As the `metalbond` command has it.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a core has of a last cache that it shares: 4 MiB. The machine's own would make counts differ.
const LAST_CACHE: &str = "--LL=4194304,16,64";
/// Updates that are counted, at least.
const UPDATES: u64 = 100_000;

const fn hot(vnis: u32, subscribers: u32, updates: u32) -> Shape {
    Shape { vnis, subscribers, routes: 1000, updates, is_scattered: false }
}

const fn cold(subscribers: u32, updates: u32) -> Shape {
    Shape { vnis: 1, subscribers, routes: 400_000, updates, is_scattered: true }
}

const WORKLOADS: [Shape; 8] = [
    hot(1, 2, 1000),
    hot(1, 50, 1000),
    hot(1, 10, 100),
    hot(16, 4, 1000),
    hot(16, 4, 100),
    cold(10, 1000),
    cold(50, 1000),
    cold(2, 100),
];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [flag, number] = &arguments[..]
        && flag == "--count"
        && let Some(shape) = number.parse().ok().and_then(|at: usize| WORKLOADS.get(at))
    {
        let mut fleet = Fleet::new(*shape);
        fleet.round();
        println!("updates {}", counted_rounds(&mut fleet));
        return;
    }
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: no valgrind (Debian package valgrind)");
        return;
    }
    let is_quick = arguments.iter().any(|word| word == "--quick");
    let wanted: Vec<_> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
    println!("{:24} {:>14} {:>14}", "workload", "instructions", "misses (LL)");
    for (at, shape) in WORKLOADS.iter().enumerate() {
        let name = name(shape);
        // Cold tables take minutes to load under valgrind.
        if is_quick && shape.is_scattered {
            continue;
        }
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(*part)) {
            let (instructions, misses) = count(at);
            println!("{name:24} {instructions:14.0} {misses:14.2}");
        }
    }
}

fn name(shape: &Shape) -> String {
    let Shape { vnis, subscribers, updates, is_scattered, .. } = shape;
    let cache = if *is_scattered { "cold" } else { "hot" };
    format!("{cache}/{vnis}/{subscribers}/{updates}")
}

/// The rounds that valgrind counts. `count` tells valgrind this function's name.
#[inline(never)]
fn counted_rounds(fleet: &mut Fleet) -> u64 {
    let mut updates = 0;
    while updates < UPDATES {
        updates += black_box(fleet.round());
    }
    updates
}

/// Instructions and misses of the last cache per update of a workload.
fn count(workload: usize) -> (f64, f64) {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--cache-sim=yes", LAST_CACHE])
        .args(["--toggle-collect=*counted_rounds*", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("a name of this program"))
        .args(["--count", &workload.to_string()])
        .output()
        .expect("valgrind");
    let said = String::from_utf8_lossy(&output.stdout);
    let counts = String::from_utf8_lossy(&output.stderr);
    let number = |text: &str| text.trim().replace(',', "").parse::<f64>();
    let updates = said.trim().strip_prefix("updates ").and_then(|text| number(text).ok());
    // `==7== Collected : ` with instructions first, then reads, writes and misses.
    let collected = counts.lines().find_map(|line| line.split_once("Collected : "));
    let numbers: Vec<f64> = collected
        .map(|(_, rest)| rest.split_whitespace().filter_map(|word| number(word).ok()).collect())
        .unwrap_or_default();
    let (Some(updates), [instructions, .., read_misses, write_misses]) = (updates, &numbers[..])
    else {
        panic!("{}: {said}{counts}", output.status);
    };
    (instructions / updates, (read_misses + write_misses) / updates)
}
