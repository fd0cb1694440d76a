//! A snapshot that an earlier version has written is still read. It stays as it is: what this version writes
//! may have more in it, never less.

use ahash::RandomState;

use crate::portable::Pieces;
use crate::portable::form::piece::Kind;
use crate::shard::{Restorer, ShardConfig, snapshot};

/// Version 1.0, as 0.1.0 wrote it: a reflector with three VNIs, four hypervisors whose virtual machines come and
/// go, an observer, a slow reader and two that read nothing.
const GOLDEN: &[u8] = include_bytes!("golden-1.0.bin");

fn pieces(bytes: &[u8]) -> Vec<Kind> {
    let mut pieces = Pieces::default();
    pieces.feed(bytes);
    std::iter::from_fn(|| pieces.next().unwrap()).collect()
}

fn count(pieces: &[Kind], is: impl Fn(&Kind) -> bool) -> usize {
    pieces.iter().filter(|piece| is(piece)).count()
}

#[test]
fn a_snapshot_of_version_1_0_is_read_and_written_again() {
    let golden = pieces(GOLDEN);
    // It has something of everything.
    assert!(count(&golden, |it| matches!(it, Kind::Connection(_))) > 3);
    assert!(count(&golden, |it| matches!(it, Kind::Queued(_))) > 0);
    assert!(count(&golden, |it| matches!(it, Kind::Table(_))) > 1);
    assert!(count(&golden, |it| matches!(it, Kind::Changes(_))) > 0);
    for shards in [1, 3] {
        let bounds = ShardConfig::default().bounds.table;
        let mut restorer = Restorer::new(shards, bounds, RandomState::with_seeds(1, 2, 3, 4));
        golden.iter().for_each(|piece| restorer.take(piece.clone()).unwrap());
        let restored = restorer.finish().unwrap();
        let mut again = Vec::new();
        let connections = restored.connections.iter().map(|(_, connection)| connection);
        snapshot(restored.now, connections, &[], restored.tables.iter(), &mut |kind| {
            again.push(kind);
        });
        let is_same = |kind: &Kind| !matches!(kind, Kind::Header(_)) && golden.contains(kind);
        let differs: Vec<_> = again.iter().filter(|kind| !is_same(kind)).collect();
        assert!(matches!(differs[..], [Kind::Header(_)]), "{differs:#?}");
        assert_eq!(again.len(), golden.len());
    }
}
