//! From one shard to the other, between two threads on cores of their own.
//!
//! The time is one hop's: half a round trip of publisher's shard, owner, subscriber's shard. With
//! one update it is the wake that costs, with a thousand what is done with them.

use criterion::{Criterion, Throughput};
use metalbond::internals_for_benches::hops;

use crate::io::back_ends;

pub(crate) fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("mesh");
    for (choice, backend) in back_ends("mesh/hop") {
        for updates in [1, 1000] {
            group.throughput(Throughput::Elements(updates.into()));
            group.bench_function(format!("hop/{choice}/{updates}"), |b| {
                b.iter_custom(|count| hops(backend, updates, count).expect("two event loops"));
            });
        }
    }
    group.finish();
}
