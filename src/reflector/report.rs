//! What is said about sessions, and how often.
//!
//! A peer can cause any number of session events, so lines about them are limited per shard; what
//! was left out is counted and said with the next line that is let through.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use crate::ids::{PeerId, ShardId};
use crate::session::{CloseReason, Skipped};
use crate::shard::Closed;

/// Lines let through in one period.
const LINES: u32 = 20;
const PERIOD: Duration = Duration::from_secs(1);

/// Lets so many lines through in each second.
#[derive(Debug)]
pub(super) struct Limiter {
    most: u32,
    began: Cell<Instant>,
    lines: Cell<u32>,
    left_out: Cell<u64>,
}

impl Limiter {
    pub(super) fn new() -> Self {
        Self::of(LINES)
    }

    /// One that lets so many lines through.
    pub(super) fn of(most: u32) -> Self {
        let (lines, left_out) = (Cell::new(0), Cell::new(0));
        Self { most, began: Cell::new(Instant::now()), lines, left_out }
    }

    /// `Some` when a line may be written: with how many were left out before it.
    pub(super) fn allow(&self) -> Option<u64> {
        let now = Instant::now();
        if now - self.began.get() > PERIOD {
            self.began.set(now);
            self.lines.set(0);
        }
        if self.lines.get() >= self.most {
            self.left_out.set(self.left_out.get() + 1);
            return None;
        }
        self.lines.set(self.lines.get() + 1);
        Some(self.left_out.take())
    }
}

/// Says what happens to the sessions of one shard.
#[derive(Debug)]
pub(super) struct Reporter {
    shard: ShardId,
    limiter: Limiter,
    /// For what is only said when asked for.
    debug: Limiter,
}

impl Reporter {
    pub(super) fn new(shard: ShardId) -> Self {
        Self { shard, limiter: Limiter::new(), debug: Limiter::new() }
    }

    pub(super) fn connected(&self, peer: PeerId, remote: SocketAddr) {
        if tracing::enabled!(tracing::Level::DEBUG)
            && let Some(left_out) = self.debug.allow()
        {
            debug!(%peer, %remote, shard = %self.shard, left_out, "connection accepted");
        }
    }

    /// A connection could not be taken over: mostly, its peer has reset it already.
    pub(super) fn lost(&self, peer: PeerId, remote: SocketAddr, error: &std::io::Error) {
        if let Some(left_out) = self.limiter.allow() {
            warn!(%peer, %remote, shard = %self.shard, %error, left_out, "connection lost at once");
        }
    }

    /// A session has ended, or a connection that was none yet.
    pub(super) fn closed(&self, closed: &Closed, remote: SocketAddr) {
        let Closed { peer, reason, node, had_begun, .. } = closed;
        if !had_begun && !is_wrong(reason) {
            return self.gone(*peer, remote, reason);
        }
        let Some(left_out) = self.limiter.allow() else { return };
        let shard = self.shard;
        if left_out > 0 {
            warn!(%shard, left_out, "session events left out of the log");
        }
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
        let Some(left_out) = self.limiter.allow() else { return };
        let (shard, reason) = (self.shard, skipped.name());
        if left_out > 0 {
            warn!(%shard, left_out, "session events left out of the log");
        }
        warn!(
            %peer, %remote, node, %shard, reason,
            "skipped a message that makes no sense ({skipped}); further ones of this session are only counted"
        );
    }

    /// A connection has ended on which nothing was said: most are checks of health.
    fn gone(&self, peer: PeerId, remote: SocketAddr, reason: &CloseReason) {
        if tracing::enabled!(tracing::Level::DEBUG)
            && let Some(left_out) = self.debug.allow()
        {
            let shard = self.shard;
            debug!(%peer, %remote, %shard, %reason, left_out, "connection closed without HELLO");
        }
    }

    /// Large packets do not reach a peer.
    pub(super) fn swallowed(&self, peer: PeerId, remote: SocketAddr, node: &str) {
        if let Some(left_out) = self.limiter.allow() {
            let shard = self.shard;
            warn!(
                %peer, %remote, node, %shard, left_out,
                "large packets do not reach this peer: nothing of its table has been acknowledged, \
                 although packets come from it; compare the MTU of all links of the path, for example \
                 by ping -M do -s 1400"
            );
        }
    }

    /// A session is up.
    pub(super) fn established(&self, peer: PeerId, remote: SocketAddr, node: &str, agent: &str) {
        let Some(left_out) = self.limiter.allow() else { return };
        let shard = self.shard;
        if left_out > 0 {
            warn!(%shard, left_out, "session events left out of the log");
        }
        info!(%peer, %remote, node, agent, %shard, "session established");
    }
}

/// Whether something other than a HELLO was said.
fn is_wrong(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Invalid(_) | CloseReason::NotHello(_))
}
