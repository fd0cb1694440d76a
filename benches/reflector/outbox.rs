//! One sealed batch to the outboxes of many, and out of them as writes. No sockets.

use criterion::{Criterion, Throughput};
use metalbond::internals_for_benches::FanOut;

const UPDATES: u32 = 1000;

pub(crate) fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("outbox");
    for subscribers in [1, 100, 10_000] {
        let mut fan_out = None;
        // Counts subscribers, not updates: a subscriber costs a reference, whatever the size of the batch.
        group.throughput(Throughput::Elements(subscribers));
        group.bench_function(format!("fan-out/{subscribers}"), |b| {
            let fan_out = fan_out.get_or_insert_with(|| FanOut::new(subscribers, UPDATES));
            b.iter(|| fan_out.round());
        });
    }
    group.finish();
}
