//! Whether there can be as many sessions as there may be: each takes a descriptor, and over TLS that is carried
//! in this process two more.

use tracing::{info, warn};

use crate::config::ReflectorConfig;
use crate::io;
use crate::threads::Lobby;

/// Descriptors of the process beside sessions: its log, listeners, event loops of its own.
const OWN: u64 = 32;
/// Descriptors of a shard: its event loop, rings, and ways to wake it.
const PER_SHARD: u64 = 8;

/// Raises the limit as far as possible and logs it. Returns how many sessions there may be: by default as many as there
/// are descriptors for. If the configuration sets a number, returns that, with a warning if there are too few
/// descriptors for it.
pub(super) fn allow(config: &ReflectorConfig, shards: usize) -> u64 {
    let max_peers = config.max_peers;
    // All sessions may come over TLS, with the other end of a socket pair and the peer's socket.
    let each = if config.tls.listen.is_some() { 3 } else { 1 };
    match io::raise_nofile() {
        Ok(limit) => {
            let allowed = allowed(limit, max_peers, shards, each);
            warn_of_limit(limit, max_peers, allowed, needed(max_peers, shards, each));
            allowed
        }
        Err(error) => {
            warn!(%error, "cannot raise the limit on descriptors");
            max_peers
        }
    }
}

fn allowed(limit: u64, max_peers: u64, shards: usize, each: u64) -> u64 {
    if max_peers == ReflectorConfig::MAX_PEERS {
        // Connections before their HELLO have places of their own: as many as sessions, up to a bound.
        let left = limit.saturating_sub(needed(0, shards, each)) / each;
        (left / 2).max(left.saturating_sub(Lobby::ROOM_MAX)).clamp(1, max_peers)
    } else {
        max_peers
    }
}

fn warn_of_limit(limit: u64, max_peers: u64, allowed: u64, needed: u64) {
    if allowed < max_peers {
        info!(
            limit,
            max_peers = allowed,
            "descriptors allowed: this limit sets max_peers; for more peers raise it \
             (LimitNOFILE of the unit, ulimit -n)"
        );
    } else if limit < needed {
        warn!(
            limit,
            needed,
            max_peers,
            "fewer descriptors allowed than --max-peers needs, so the reflector cannot accept so \
             many sessions: raise the limit (LimitNOFILE of the unit, ulimit -n) or lower \
             --max-peers"
        );
    } else {
        info!(limit, "descriptors allowed");
    }
}

/// The descriptors for this number of sessions and all else. Readers of HTTP are not counted: they are
/// few, and come and go.
fn needed(max_peers: u64, shards: usize, each: u64) -> u64 {
    let shards = u64::try_from(shards).unwrap_or(u64::MAX);
    max_peers
        .saturating_mul(each)
        .saturating_add(OWN)
        .saturating_add(shards.saturating_mul(PER_SHARD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_takes_one_and_any_number_may_be_asked_for() {
        assert_eq!(needed(65_537, 2, 1) - needed(65_536, 2, 1), 1);
        assert_eq!(needed(65_537, 2, 3) - needed(65_536, 2, 3), 3);
        assert_eq!(needed(u64::MAX, usize::MAX, 3), u64::MAX);
    }

    #[test]
    fn the_default_goes_by_the_limit_and_what_was_asked_for_stays() {
        let default = ReflectorConfig::MAX_PEERS;
        for (limit, max_peers, expected) in [
            (64, default, 8),
            (1024, default, 488),
            (20_000, default, 15_856),
            (1 << 20, default, default),
            (u64::MAX, default, default),
            (0, default, 1),
            (64, 17, 17),
            (64, 100_000, 100_000),
        ] {
            assert_eq!(allowed(limit, max_peers, 2, 1), expected, "{limit} {max_peers}");
        }
        // Each session takes three descriptors: 976 of 1024 are left.
        assert_eq!(allowed(1024, default, 2, 3), 162);
    }
}
