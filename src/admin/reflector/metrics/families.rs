//! What the reflector counts beside its shards: [`Metrics`](crate::shard::inspect::Metrics) has the rest.

use crate::counts::Counters;
use crate::ids::ShardId;
use crate::io::Backend;
use crate::metrics::{Families, Row, Rows, Text, Value};
use crate::threads::Handovers;

pub(super) fn write(
    text: &mut Text,
    counters: &Counters,
    handovers: &Handovers,
    further: [Option<Rows>; 3],
    stuck: &[ShardId],
    backend: Backend,
) {
    let mut families = Families::default();
    families.add(process(counters.shards.len(), backend));
    families.add(counters.total.rows());
    families.add(counters.refused.rows());
    families.add(counters.tls.rows());
    families.add(handovers.rows());
    further.into_iter().flatten().for_each(|rows| families.add(rows));
    for (shard, metrics) in (0..).map(ShardId).zip(&counters.shards) {
        let is_stuck = stuck.contains(&shard);
        let shard = shard.to_string();
        families.add_shard(&shard, liveness(is_stuck));
        families.add_shard(&shard, metrics.rows());
    }
    families.write(text);
}

/// Metrics of the process as a whole.
fn process(shards: usize, backend: Backend) -> Rows {
    let one = |label: String, number| Value::Labelled(vec![(vec![label], number)]);
    vec![
        (
            Row::new()
                .gauge(
                    "metalbond_build_info",
                    "Always 1; the label has the version of the program.",
                )
                .by(&["version"]),
            one(env!("CARGO_PKG_VERSION").to_owned(), 1),
        ),
        (
            Row::new()
                .gauge("metalbond_shards", "Shards by I/O back end (uring or epoll).")
                .by(&["io"]),
            one(backend.to_string(), shards as u64),
        ),
    ]
}

/// Metrics of a shard, seen from outside.
fn liveness(is_stuck: bool) -> Rows {
    let row = Row::new()
        .gauge(
            "metalbond_shard_stuck",
            "1 while a shard has stood still for 2 s; its other metrics keep their last values.",
        )
        .per_shard();
    vec![(row, Value::Switch(is_stuck))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::reflector::verifier::Verified;
    use crate::counts::{Refused, TlsCounts};
    use crate::federation::FederationStatus;
    use crate::metrics::documented;
    use crate::proxy::ProxyStatus;
    use crate::shard::inspect::Metrics;

    /// docs/http.md has a line for each metric of all peers together, with its labels and its type, and no
    /// other lines.
    #[test]
    fn every_metric_is_documented_with_its_labels() {
        let page = include_str!("../../../../docs/http.md");
        let (_, section) = page.split_once("\n## Metrics\n").unwrap();
        let (section, _) = section.split_once("With `?peers=1`").unwrap();
        let lines: Vec<_> =
            section.lines().filter(|line| line.starts_with("| `metalbond_")).collect();
        let rows = [
            process(1, Backend::Epoll),
            Metrics::default().rows(),
            Refused::default().rows(),
            TlsCounts::default().rows(),
            Handovers::default().rows(),
            FederationStatus::default().rows(),
            ProxyStatus::default().rows(),
            liveness(false),
            Verified::default().rows(),
        ];
        let expected = documented(rows.concat());
        for (name, kind) in &expected {
            let start = format!("| `{name}` | {kind} | ");
            assert!(lines.iter().any(|line| line.starts_with(&start)), "no line {start}");
        }
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    }
}
