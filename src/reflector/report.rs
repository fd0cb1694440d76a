//! What is said about sessions, a bounded number of lines per source and second.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::limiter::{LeftOut, SourceLimiter};
use crate::ids::{PeerId, ShardId};
use crate::session::{CloseReason, NoEvidence, Skipped};
use crate::shard::Closed;

/// Says what happens to the sessions of one shard.
#[derive(Debug)]
pub(super) struct Reporter {
    shard: ShardId,
    limiter: SourceLimiter,
    /// For what is only said when asked for.
    debug: SourceLimiter,
}

impl Reporter {
    pub(super) fn new(shard: ShardId) -> Self {
        Self { shard, limiter: SourceLimiter::new(), debug: SourceLimiter::new() }
    }

    /// Now and then: says how many lines were left out.
    pub(super) fn tick(&self) {
        let shard = self.shard;
        if let Some(LeftOut { lines, sources, most }) = self.limiter.left_out() {
            warn!(%shard, left_out = lines, sources, most_of = %most, "session events left out of the log");
        }
        if let Some(LeftOut { lines, sources, most }) = self.debug.left_out() {
            debug!(%shard, left_out = lines, sources, most_of = %most, "connections left out of the log");
        }
    }

    /// The loop came round late: by so much, in which its thread had a processor for so long.
    pub(super) fn late(&self, late: Duration, ran: Duration) {
        let (late_seconds, ran_seconds) = (late.as_secs_f64(), ran.as_secs_f64());
        warn!(
            shard = %self.shard,
            late_seconds,
            ran_seconds,
            "shard was late; if it ran for less than it was late, see what else runs on its core, \
             or what stopped the process"
        );
    }

    pub(super) fn connected(&self, peer: PeerId, remote: SocketAddr) {
        if tracing::enabled!(tracing::Level::DEBUG) && self.debug.allows(remote) {
            debug!(%peer, %remote, shard = %self.shard, "connection accepted");
        }
    }

    /// A connection could not be taken over: mostly, its peer has reset it already.
    pub(super) fn lost(&self, peer: PeerId, remote: SocketAddr, error: &std::io::Error) {
        if self.limiter.allows(remote) {
            warn!(%peer, %remote, shard = %self.shard, %error, "connection lost at once");
        }
    }

    /// A session has ended, or a connection that was none yet.
    pub(super) fn closed(&self, closed: &Closed, remote: SocketAddr) {
        let Closed { peer, reason, node, had_begun, .. } = closed;
        if !had_begun && !is_wrong(reason) {
            return self.gone(*peer, remote, reason);
        }
        if !self.limiter.allows(remote) {
            return;
        }
        let shard = self.shard;
        if !had_begun {
            warn!(%peer, %remote, %shard, %reason, "connection closed before HELLO");
        } else if reason.is_ordinary() {
            info!(%peer, %remote, node, %shard, %reason, "session closed");
        } else {
            warn!(%peer, %remote, node, %shard, %reason, "session closed");
        }
    }

    /// The first message of a session that was skipped for this reason.
    pub(super) fn skipped(&self, peer: PeerId, remote: SocketAddr, node: &str, skipped: Skipped) {
        if !self.limiter.allows(remote) {
            return;
        }
        let (shard, reason) = (self.shard, skipped.name());
        warn!(
            %peer, %remote, node, %shard, reason,
            "skipped a message that makes no sense ({skipped}); further ones of this session are only counted"
        );
    }

    /// A connection has ended on which nothing was said: most are checks of health.
    fn gone(&self, peer: PeerId, remote: SocketAddr, reason: &CloseReason) {
        if tracing::enabled!(tracing::Level::DEBUG) && self.debug.allows(remote) {
            let shard = self.shard;
            debug!(%peer, %remote, %shard, %reason, "connection closed without HELLO");
        }
    }

    /// Large packets do not reach a peer.
    pub(super) fn swallowed(&self, peer: PeerId, remote: SocketAddr, node: &str) {
        if self.limiter.allows(remote) {
            let shard = self.shard;
            warn!(
                %peer, %remote, node, %shard,
                "large packets do not reach this peer: nothing of its table has been acknowledged, \
                 although packets come from it; compare the MTU of all links of the path, for example \
                 by ping -M do -s 1400"
            );
        }
    }

    /// A peer's window does not show whether it reads.
    pub(super) fn unproven(&self, peer: PeerId, remote: SocketAddr, node: &str, why: NoEvidence) {
        if !self.limiter.allows(remote) {
            return;
        }
        let shard = self.shard;
        warn!(
            %peer, %remote, node, %shard,
            "the peer's TCP window does not show whether it reads: {}; it is sent to at the fixed rate of --pace",
            why.reason()
        );
    }

    /// A session is up.
    pub(super) fn established(&self, peer: PeerId, remote: SocketAddr, node: &str, agent: &str) {
        if self.limiter.allows(remote) {
            info!(%peer, %remote, node, agent, shard = %self.shard, "session established");
        }
    }
}

/// Whether something other than a HELLO was said.
fn is_wrong(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Invalid(_) | CloseReason::NotHello(_))
}
