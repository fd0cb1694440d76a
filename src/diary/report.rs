//! The log lines about sessions: a bounded number per source and second.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::Diary;
use super::limiter::{LeftOut, Limiter, SourceLimiter};
use crate::ids::{Level, PeerId, ShardId};
use crate::policy::{Policy, Refusal};
use crate::session::{CloseReason, NoEvidence, Skipped};
use crate::shard::{Closed, LimitAction, NearLimit, Refused, VniNotice};
use crate::wire::Vni;

/// Logs and records the events of the sessions of one shard.
#[derive(Debug)]
pub(crate) struct Reporter {
    shard: ShardId,
    /// Records events, whatever the level of the log.
    pub(crate) diary: Arc<Diary>,
    limiter: SourceLimiter,
    /// For refusals by the policy: other lines of the same source do not displace them.
    audit: SourceLimiter,
    /// For lines about VNIs.
    vnis: Limiter,
    /// For lines of level debug.
    debug: SourceLimiter,
}

impl Reporter {
    pub(crate) fn new(shard: ShardId, diary: Arc<Diary>) -> Self {
        Self {
            shard,
            diary,
            limiter: SourceLimiter::new(),
            audit: SourceLimiter::new(),
            vnis: Limiter::new(),
            debug: SourceLimiter::new(),
        }
    }

    /// Called now and then: logs how many lines were left out.
    pub(crate) fn tick(&self) {
        let shard = self.shard;
        if let Some(LeftOut { lines, sources, most }) = self.limiter.left_out() {
            warn!(%shard, left_out = lines, sources, most_of = %most, "session events left out of the log");
        }
        if let Some(LeftOut { lines, sources, most }) = self.audit.left_out() {
            warn!(%shard, left_out = lines, sources, most_of = %most, "refusals of the policy left out of the log");
        }
        if let Some(LeftOut { lines, sources, most }) = self.debug.left_out() {
            debug!(%shard, left_out = lines, sources, most_of = %most, "connections left out of the log");
        }
    }

    /// The loop came round late, by `late`; its thread had a processor for `ran` of that time.
    pub(crate) fn late(&self, late: Duration, ran: Duration) {
        let (late_seconds, ran_seconds) = (late.as_secs_f64(), ran.as_secs_f64());
        let text = format_args!("shard {}, by {late_seconds:.3} s", self.shard);
        self.diary.note("late", (None, ""), text);
        warn!(
            shard = %self.shard,
            late_seconds,
            ran_seconds,
            "shard was late; if ran_seconds is less than late_seconds, find out what else runs on \
             its core, or what stopped the process"
        );
    }

    pub(crate) fn connected(&self, peer: PeerId, remote: SocketAddr) {
        if tracing::enabled!(tracing::Level::DEBUG) && self.debug.allows(remote) {
            debug!(%peer, %remote, shard = %self.shard, "connection accepted");
        }
    }

    /// A connection could not be taken over, mostly because its peer has reset it already.
    pub(crate) fn lost(&self, peer: PeerId, remote: SocketAddr, error: &std::io::Error) {
        if self.limiter.allows(remote) {
            warn!(%peer, %remote, shard = %self.shard, %error, "connection lost at once");
        }
    }

    /// A session has ended, or a connection before it became a session.
    pub(crate) fn closed(&self, closed: &Closed, remote: SocketAddr) {
        let Closed { peer, reason, node, had_begun, .. } = closed;
        if !had_begun && !is_wrong(reason) {
            return self.gone(*peer, remote, reason);
        }
        if !self.limiter.allows(remote) {
            return;
        }
        let shard = self.shard;
        self.diary.note("closed", (Some(*peer), node), format_args!("{remote}: {reason}"));
        let (name, why) = (reason.name(), reason);
        if !had_begun {
            warn!(%peer, %remote, %shard, reason = %name, %why, "connection closed before HELLO");
        } else if reason.is_ordinary() {
            info!(%peer, %remote, node, %shard, reason = %name, %why, "session closed");
        } else {
            warn!(%peer, %remote, node, %shard, reason = %name, %why, "session closed");
        }
    }

    /// The first message of a session that was skipped for this reason.
    pub(crate) fn skipped(&self, peer: PeerId, remote: SocketAddr, node: &str, skipped: Skipped) {
        if !self.limiter.allows(remote) {
            return;
        }
        let (shard, reason) = (self.shard, skipped.name());
        self.diary.note("skipped", (Some(peer), node), skipped);
        warn!(
            %peer, %remote, node, %shard, reason,
            "skipped a message that makes no sense ({skipped}); further messages like it of this \
             session are only counted"
        );
    }

    /// The policy refuses or reports something about a session: the first time for this reason.
    pub(crate) fn refused(&self, refused: &Refused, policy: &Policy, remote: SocketAddr) {
        if !self.audit.allows(remote) {
            return;
        }
        let Refused { peer, node, rights, refusal, vni, example } = refused;
        let Refusal { class, rule, reason, then } = refusal;
        let why = policy.explain(refusal, *rights, vni.unwrap_or(Vni(0)), example.as_ref());
        let (vni, route) = (vni.map(|vni| vni.0), example.map(|example| example.to_string()));
        let (class, reason, verdict) = (policy.name(*class), reason.name(), then.name());
        let of = route.as_deref().map(|route| format!("{route}: ")).unwrap_or_default();
        self.diary.note("refused", (Some(*peer), node), format_args!("{of}{why} ({verdict})"));
        warn!(
            %peer, %remote, node, class, rule, reason, verdict, vni, route,
            "policy refused a peer: {why}; further refusals of this session for this reason are only counted"
        );
    }

    /// A connection has ended without a message: most are health checks.
    fn gone(&self, peer: PeerId, remote: SocketAddr, reason: &CloseReason) {
        if tracing::enabled!(tracing::Level::DEBUG) && self.debug.allows(remote) {
            let shard = self.shard;
            let (name, why) = (reason.name(), reason);
            debug!(%peer, %remote, %shard, reason = %name, %why, "connection closed without HELLO");
        }
    }

    /// Large packets do not reach a peer.
    pub(crate) fn swallowed(&self, peer: PeerId, remote: SocketAddr, node: &str) {
        if self.limiter.allows(remote) {
            let shard = self.shard;
            self.diary.note("large_packets_lost", (Some(peer), node), remote);
            warn!(
                %peer, %remote, node, %shard,
                "large packets do not reach this peer: the peer has acknowledged nothing of its \
                 table, although it sends packets; compare the MTU of all links of the path, for \
                 example with ping -M do -s 1400"
            );
        }
    }

    /// A peer's window does not show whether it reads.
    pub(crate) fn unproven(&self, peer: PeerId, remote: SocketAddr, node: &str, why: NoEvidence) {
        if !self.limiter.allows(remote) {
            return;
        }
        let shard = self.shard;
        self.diary.note("fixed_pace", (Some(peer), node), why.reason());
        warn!(
            %peer, %remote, node, %shard,
            "the peer's TCP window does not show whether it reads: {}; the reflector sends to it \
             at the fixed rate of --pace",
            why.reason()
        );
    }

    /// A peer has come near its limit on routes, or to it.
    pub(crate) fn near_limit(&self, peer: PeerId, remote: SocketAddr, near: &NearLimit) {
        if !self.limiter.allows(remote) {
            return;
        }
        let (shard, NearLimit { node, routes, most, .. }) = (self.shard, near);
        let consequence = consequence(near.level, near.action, "the session ends");
        let text = format_args!("{routes} routes, of {most} that it may announce: {consequence}");
        self.diary.note("near_limit", (Some(peer), node), text);
        warn!(
            %peer, %remote, node, %shard, routes, max_routes_per_peer = most,
            "the peer announces nearly as many routes as it may, or more: {consequence}"
        );
    }

    /// A VNI has come near its limit on routes, or to it.
    pub(crate) fn vni_near_limit(&self, notice: &VniNotice) {
        let Some(left_out) = self.vnis.allow() else { return };
        let (shard, VniNotice { vni, routes, most, .. }) = (self.shard, notice);
        let consequence =
            consequence(notice.level, notice.action, "the session that announced the route ends");
        let text = format_args!(
            "VNI {vni} has {routes} routes, of {most} that it may have: {consequence}"
        );
        self.diary.note("near_limit", (None, ""), text);
        warn!(
            %vni, %shard, routes, max_routes_per_vni = most, left_out,
            "the VNI has nearly as many routes as it may have, or more: {consequence}"
        );
    }

    /// The first time that a session is not read for a while because its source has made too many changes.
    pub(crate) fn throttled(&self, remote: SocketAddr, rate: u32) {
        if self.limiter.allows(remote) {
            let text = format_args!("{remote} makes more changes than it may");
            self.diary.note("throttled", (None, ""), text);
            warn!(
                %remote, shard = %self.shard, change_rate_per_source = rate,
                "the source makes more changes than it may: the reflector reads its sessions more \
                 slowly, and counts this in metalbond_source_pauses_total"
            );
        }
    }

    /// A session is up.
    pub(crate) fn established(&self, peer: PeerId, remote: SocketAddr, node: &str, agent: &str) {
        if self.limiter.allows(remote) {
            self.diary.note("established", (Some(peer), node), format_args!("{remote} {agent}"));
            info!(%peer, %remote, node, agent, shard = %self.shard, "session established");
        }
    }
}

/// The effect of a limit on routes, present or coming.
fn consequence(level: Level, action: LimitAction, end: &str) -> String {
    match (level, action) {
        (Level::Reached, LimitAction::Ignore) => {
            "the reflector refuses further routes and counts them in metalbond_growth_refused_total"
                .to_owned()
        }
        (Level::Reached, LimitAction::Warn) => {
            "the action at the limit is warn, so the reflector accepts further routes".to_owned()
        }
        (Level::Reached, LimitAction::Close) => end.to_owned(),
        _ => format!("80 % of the limit are in use; the action at the limit is {action}"),
    }
}

/// Whether the peer sent something other than a HELLO.
fn is_wrong(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Invalid(_) | CloseReason::NotHello(_))
}
