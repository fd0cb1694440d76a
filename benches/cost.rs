//! Instructions and cache misses of an update from read to write, counted by valgrind, and a guard against more of
//! them.
//!
//! The counts do not depend on other programs, and hardly on the machine: caches have fixed sizes, hashes have fixed
//! seeds, and the C library copies memory with instructions that every x86-64 processor has. `cargo bench --bench cost`
//! counts all workloads and fails if one costs more than `benches/cost.limits` allows. `cargo bench --bench cost --
//! cold/` counts those with that in their names, `--quick` leaves out the cold ones, and `--set-limits` writes new
//! limits: 5 % above the counts, or 0.05 misses. Needs `valgrind`.
//!
//! A workload's name is `cache/VNIs/subscribers of each/updates per read`. Hot tables have 1,000 routes. Cold ones have
//! 400,000, and the updates are spread over the whole table. `new` stands for routes that were not in the table. Each
//! route has a next hop of its own. `+policy` is the same workload with the policy `benches/policy.toml`, ten classes
//! with a hundred rules each; it may cost 3 % more than without.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench ends where it meets what it does not expect"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::process::{Command, ExitCode, Stdio};

use metalbond::internals_for_benches::{Fleet, Shape};

/// The allocator of the `metalbond` command.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The nearest caches, and a core's part of a shared last cache: 4 MiB. The machine's own sizes would change
/// the counts.
const CACHES: [&str; 3] = ["--I1=32768,8,64", "--D1=32768,8,64", "--LL=4194304,16,64"];
/// The ways to copy memory that the C library must not choose: they have other counts.
const COPIES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX512F,-ERMS,-FSRM";
/// The path of the file with the limits, then its text.
const LIMITS_AT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cost.limits");
const LIMITS: &str = include_str!("cost.limits");
/// How far above the counts the limits are set.
const MARGIN: f64 = 1.05;
/// The same for misses of the last cache, of which there are next to none: one in twenty updates.
const MISSES_MARGIN: f64 = 0.05;
/// The least number of updates counted.
const UPDATES: u64 = 100_000;

const PLAIN: Shape = Shape {
    vnis: 1,
    subscribers: 0,
    routes: 0,
    updates: 0,
    is_scattered: false,
    is_new: false,
    policy: None,
};

const fn hot(vnis: u32, subscribers: u32, updates: u32) -> Shape {
    Shape { vnis, subscribers, routes: 1000, updates, ..PLAIN }
}

const fn cold(subscribers: u32, updates: u32) -> Shape {
    Shape { vnis: 1, subscribers, routes: 400_000, updates, is_scattered: true, ..PLAIN }
}

const fn new(subscribers: u32, updates: u32) -> Shape {
    Shape { vnis: 1, subscribers, routes: 200_000, updates, is_new: true, ..PLAIN }
}

const fn judged(shape: Shape) -> Shape {
    Shape { policy: Some(include_str!("policy.toml")), ..shape }
}

const WORKLOADS: [Shape; 13] = [
    hot(1, 2, 1000),
    hot(1, 50, 1000),
    hot(1, 10, 100),
    hot(16, 4, 1000),
    hot(16, 4, 100),
    cold(10, 1000),
    cold(50, 1000),
    cold(2, 100),
    new(2, 1000),
    judged(hot(1, 50, 1000)),
    judged(hot(16, 4, 1000)),
    judged(cold(10, 1000)),
    judged(new(2, 1000)),
];

/// The greatest factor by which a policy may raise the cost of a workload.
const POLICY: f64 = 1.03;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [flag, number] = &arguments[..]
        && flag == "--count"
        && let Some(shape) = number.parse().ok().and_then(|at: usize| WORKLOADS.get(at))
    {
        let mut fleet = Fleet::new(*shape);
        fleet.round();
        println!("updates {}", counted_rounds(&mut fleet));
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED cost: no valgrind (Debian package valgrind)");
        let is_strict = std::env::var_os("METALBOND_TEST_STRICT").is_some_and(|it| !it.is_empty());
        return if is_strict { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let has = |flag: &str| arguments.iter().any(|word| word == flag);
    let wanted: Vec<_> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
    println!("{:21} {:>9} {:>14}   limits", "workload", "instructions", "misses (LL)");
    let (mut limits, mut has_failed) = (String::new(), false);
    let mut counted = HashMap::new();
    for (at, shape) in WORKLOADS.iter().enumerate() {
        let name = name(shape);
        let is_wanted = wanted.is_empty() || wanted.iter().any(|part| name.contains(*part));
        // Cold tables take a minute each to load under valgrind.
        let is_left_out = !is_wanted || has("--quick") && shape.is_scattered;
        if is_left_out && !has("--set-limits") {
            continue;
        }
        let (instructions, misses) = count(at);
        let (most_instructions, most_misses) = limit(&name);
        println!(
            "{name:21} {instructions:9.0} {misses:14.2}   {most_instructions:.0} {most_misses:.2}"
        );
        // The limits are of x86-64 code.
        let is_too_much = instructions > most_instructions || misses > most_misses;
        let plain = name.strip_suffix("+policy").and_then(|plain| counted.get(plain));
        if let Some(plain) = plain {
            let ratio = instructions / plain;
            println!("{:21} {ratio:9.3} of that without a policy", "");
            has_failed |= ratio > POLICY && cfg!(target_arch = "x86_64");
        }
        counted.insert(name.clone(), instructions);
        has_failed |= is_too_much && cfg!(target_arch = "x86_64");
        let most_misses = (misses * MARGIN).max(misses + MISSES_MARGIN);
        let set = (instructions * MARGIN, most_misses);
        limits += &format!("{name:16} {:14.0} {:14.2}\n", set.0, set.1);
    }
    if has("--set-limits") {
        let text = format!("{}{limits}", head());
        std::fs::write(LIMITS_AT, text).expect("the limits can be written");
    } else if has_failed {
        eprintln!(
            "An update costs more than benches/cost.limits allows. Find out why. If the cost has to be, \
             run `cargo bench --bench cost -- --set-limits` and say in the commit what it buys."
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The comment at the beginning of the limits.
fn head() -> String {
    let comment = LIMITS.lines().take_while(|line| line.starts_with('#'));
    comment.flat_map(|line| [line, "\n"]).collect()
}

/// The most instructions and misses that a workload may cost; any number if it has no limits.
fn limit(workload: &str) -> (f64, f64) {
    let mut lines = LIMITS.lines().map(|line| line.split_whitespace());
    let numbers = lines.find_map(|mut words| (words.next() == Some(workload)).then_some(words));
    let mut numbers = numbers.into_iter().flatten().filter_map(|word| word.parse().ok());
    let mut next = || numbers.next().unwrap_or(f64::INFINITY);
    (next(), next())
}

fn name(shape: &Shape) -> String {
    let Shape { vnis, subscribers, updates, is_scattered, is_new, policy, .. } = shape;
    let cache = match (is_scattered, is_new) {
        (_, true) => "new",
        (true, _) => "cold",
        _ => "hot",
    };
    let policy = if policy.is_some() { "+policy" } else { "" };
    format!("{cache}/{vnis}/{subscribers}/{updates}{policy}")
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
        .env("GLIBC_TUNABLES", COPIES)
        .args(["--tool=callgrind", "--collect-atstart=no", "--cache-sim=yes"])
        .args(CACHES)
        .args(["--toggle-collect=*counted_rounds*", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("a name of this program"))
        .args(["--count", &workload.to_string()])
        .output()
        .expect("valgrind");
    let printed = String::from_utf8_lossy(&output.stdout);
    let counts = String::from_utf8_lossy(&output.stderr);
    let number = |text: &str| text.trim().replace(',', "").parse::<f64>();
    let updates = printed.trim().strip_prefix("updates ").and_then(|text| number(text).ok());
    // `==7== Collected : ` with instructions first, then reads, writes and misses.
    let collected = counts.lines().find_map(|line| line.split_once("Collected : "));
    let numbers: Vec<f64> = collected
        .map(|(_, rest)| rest.split_whitespace().filter_map(|word| number(word).ok()).collect())
        .unwrap_or_default();
    let (Some(updates), [instructions, .., read_misses, write_misses]) = (updates, &numbers[..])
    else {
        panic!("{}: {printed}{counts}", output.status);
    };
    (instructions / updates, (read_misses + write_misses) / updates)
}
