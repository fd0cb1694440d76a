//! The whole reflector, without sockets, threads and clocks, in a simulated data centre.
//!
//! Every run follows from one number, the seed: the numbers of shards, peers and VNIs, the bounds, the faults and how
//! often they happen, and the order of all events. So a failure can be run again:
//!
//! ```text
//! SIM_SEED=17 cargo test simulation -- --nocapture        one run, with every step
//! SIM_SEEDS=100000 cargo test --release simulation        many
//! ```
//!
//! The simulation runs the real code of `shard` and of all folders below it. It drives the shards as the real driver
//! does, through pipes that cut anywhere, fill up and break ([`sockets`]), and through channels that are full or slow
//! ([`cluster`]). Meanwhile VNIs and connections move from shard to shard, shards are emptied ([`moves`]), all state
//! goes through the portable form to other shards ([`handover`]), and the policy changes at any step ([`policy`]).
//!
//! The result is compared with a model that is too naive to be wrong ([`model`]). Each client keeps its view from its
//! own byte stream ([`client`]), and every message must be exact, not merely harmless. When nothing is under way, views
//! must equal the model's. `checks` lists the other rules that hold at any step.
//!
//! Imports: federation, ids, outbox, policy, portable, relaxed, session, shard, table, wire.

mod actions;
mod checks;
mod choices;
mod client;
mod cluster;
mod handover;
mod model;
mod moves;
mod orders;
mod plan;
mod policy;
mod questions;
mod rng;
mod sites;
mod sockets;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) use rng::Rng;
use world::World;

use crate::relaxed::Relaxed;

/// Runs one seed. Returns the hash of everything that happened.
fn run(seed: u64, is_verbose: bool) -> Result<u64, String> {
    let mut world = World::new(seed, is_verbose);
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let problem = match result {
        Ok(Ok(())) => return Ok(world.trace),
        Ok(Err(problem)) => problem,
        Err(_) => "panicked (see above)".into(),
    };
    let now = world.now.0;
    let command = format!("SIM_SEED={seed} cargo test simulation -- --nocapture");
    Err(format!("seed {seed} at {now} us: {problem}\nreplay: {command}"))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn views_are_exact_whatever_happens() {
    if let Some(seed) = number("SIM_SEED") {
        run(seed, true).unwrap_or_else(|problem| panic!("{problem}"));
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(300);
    let first = number("SIM_FIRST").unwrap_or(0);
    many(first, seeds, |seed| run(seed, false));
}

/// Runs many seeds, on all cores, and panics with the first that fails.
fn many(first: u64, seeds: u64, run: impl Fn(u64) -> Result<u64, String> + Sync) {
    let next = Relaxed::new(first);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut failures: Vec<(u64, String)> = std::thread::scope(|scope| {
        let work = || {
            loop {
                let seed = next.add(1);
                if seed >= first + seeds {
                    return None;
                }
                if let Err(problem) = run(seed) {
                    next.set(first + seeds);
                    return Some((seed, problem));
                }
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
    });
    failures.sort();
    assert!(failures.is_empty(), "{}", failures[0].1);
}

#[test]
fn a_seed_always_runs_the_same() {
    for seed in 1000..1010 {
        assert_eq!(run(seed, false), run(seed, false));
    }
}
