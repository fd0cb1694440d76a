//! The time of parts of the reflector, from one table to a whole reflector on loopback.
//!
//! Names are paths: `cargo bench -- table/withdraw`, `cargo bench -- end-to-end/uring`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench ends where it meets what it does not expect"
)]

mod end_to_end;
mod io;
mod mesh;
mod outbox;
mod table;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// The allocator of the `metalbond` command.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Few samples with little time each: the benches here take from microseconds to a second.
fn settings() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = all;
    config = settings();
    targets = table::benches, outbox::benches, mesh::benches, end_to_end::benches
}
criterion_main!(all);
