//! One VNI's table, with one subscriber in sync: changes are sealed as they are in a reflector.

use criterion::{BatchSize, Criterion, Throughput};
use metalbond::internals_for_benches::{Route, Table, routes};
use metalbond::wire::Action;

const SIZES: [(&str, u32); 2] = [("10k", 10_000), ("1M", 1_000_000)];
/// Routes that come and go beside the routes that stay.
const CHURN: u32 = 1000;

pub(crate) fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("table");
    for (name, count) in SIZES {
        let all = routes(count + CHURN);
        let (routes, further) = all.split_at(all.len() - CHURN as usize);
        let full = || full(routes);

        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(format!("insert/{name}"), |b| {
            let insert = |table: &mut Table| table.update(Action::Add, routes);
            b.iter_batched_ref(|| Table::new(1), insert, BatchSize::PerIteration);
        });
        group.bench_function(format!("withdraw/{name}"), |b| {
            let withdraw = |table: &mut Table| table.update(Action::Remove, routes);
            b.iter_batched_ref(full, withdraw, BatchSize::PerIteration);
        });
        group.bench_function(format!("withdraw-peer/{name}"), |b| {
            b.iter_batched_ref(full, Table::lose_publisher, BatchSize::PerIteration);
        });

        // These benches leave the table unchanged, so they share one, made for the first of them.
        let mut table = None;
        group.bench_function(format!("dump/{name}"), |b| {
            let table = table.get_or_insert_with(full);
            b.iter(|| table.dump());
        });
        group.throughput(Throughput::Elements((2 * CHURN).into()));
        group.bench_function(format!("churn/{name}"), |b| {
            let table = table.get_or_insert_with(full);
            b.iter(|| {
                table.update(Action::Add, further);
                table.update(Action::Remove, further);
            });
        });
    }
    group.finish();
}

fn full(routes: &[Route]) -> Table {
    let mut table = Table::new(1);
    table.update(Action::Add, routes);
    assert_eq!(table.routes(), routes.len(), "all routes are announced");
    table
}
