//! Whether there can be as many sessions as there may be: each takes a descriptor.

use tracing::{info, warn};

use crate::io;

/// What the process has open beside sessions: its log, listeners, event loops of its own.
const OWN: u64 = 32;
/// What a shard has open: its event loop, rings, and ways to wake it.
const PER_SHARD: u64 = 8;

/// Raises the limit as far as it goes and says what it is; as a warning, when sessions would be
/// refused before there are `max_peers`.
pub(super) fn allow(max_peers: u64, shards: usize) {
    match io::raise_nofile() {
        Ok(limit) => tell(limit, max_peers, shards),
        Err(error) => warn!(%error, "cannot raise the limit on descriptors"),
    }
}

fn tell(limit: u64, max_peers: u64, shards: usize) {
    let needed = needed(max_peers, shards);
    if limit < needed {
        warn!(
            limit,
            needed,
            max_peers,
            "fewer descriptors allowed than --max-peers needs, further sessions would not be \
             accepted: raise the limit (LimitNOFILE of the unit, ulimit -n) or lower --max-peers"
        );
    } else {
        info!(limit, "descriptors allowed");
    }
}

/// Descriptors that so many sessions take, with all else. Readers of HTTP are not counted: they are
/// few, and come and go.
fn needed(max_peers: u64, shards: usize) -> u64 {
    let shards = u64::try_from(shards).unwrap_or(u64::MAX);
    max_peers.saturating_add(OWN).saturating_add(shards.saturating_mul(PER_SHARD))
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn each_session_takes_one_and_any_number_may_be_asked_for() {
        assert_eq!(needed(65_537, 2) - needed(65_536, 2), 1);
        assert_eq!(needed(u64::MAX, usize::MAX), u64::MAX);
    }
}
