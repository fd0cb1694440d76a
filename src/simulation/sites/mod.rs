//! Reflectors of several sites, each with its shards, its clients and its [`Link`](crate::federation::link::Link), over
//! an engine that loses, repeats, delays and holds back messages, and is partitioned and restarted.
//!
//! ```text
//! SITES_SEED=17 cargo test sites_act_as_one -- --nocapture     one run, with every event
//! SITES_SEEDS=100000 cargo test --release sites_act_as_one     many
//! ```
//!
//! Each client keeps its view from its own byte stream, and every message must be exact: no ADD of a route that the
//! client has, no REMOVE of a route that it lacks. After a quiet time, the view of each client must equal the routes
//! that all other clients of all sites announce. Unless a site was out of reach for longer than its routes are kept, no
//! client may be sent a REMOVE of a route that was announced all the time.

mod client;
mod engine;
mod faults;
mod handover;
mod plan;
mod site;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::world::World;

fn run(seed: u64, is_verbose: bool) -> Result<u64, String> {
    let mut world = World::new(seed, is_verbose);
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let problem = match result {
        Ok(Ok(())) => return Ok(world.trace()),
        Ok(Err(problem)) => problem,
        Err(_) => "panicked (see above)".into(),
    };
    let now = world.now().0 as f64 / 1e6;
    let command = format!("SITES_SEED={seed} cargo test sites_act_as_one -- --nocapture");
    Err(format!("seed {seed} at {now:.3} s: {problem}\nreplay: {command}"))
}

#[test]
fn sites_act_as_one_whatever_happens() {
    if let Some(seed) = super::number("SITES_SEED") {
        run(seed, true).unwrap_or_else(|problem| panic!("{problem}"));
        return;
    }
    let seeds = super::number("SITES_SEEDS").unwrap_or(200);
    super::many(super::number("SITES_FIRST").unwrap_or(0), seeds, |seed| run(seed, false));
}

#[test]
fn a_seed_of_sites_always_runs_the_same() {
    for seed in 1000..1004 {
        assert_eq!(run(seed, false), run(seed, false));
    }
}
