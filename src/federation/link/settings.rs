//! [`LinkSettings`]: the settings of a link.

use std::sync::Arc;
use std::time::Duration;

/// The settings of a link. All times except [`LinkSettings::stale_time`] are part of the protocol: all sites must use
/// the same.
#[derive(Clone, Debug)]
pub(crate) struct LinkSettings {
    /// The name of this site.
    pub(crate) site: Arc<str>,
    /// How long the routes of a silent site are kept.
    pub(crate) stale_time: Duration,
    /// The most routes that one site may have here.
    pub(crate) routes_per_site: u64,
    /// How long this process counts as warming: some of its clients may not be back.
    pub(crate) warming: Duration,
    /// Batches and messages in 10 ms above which changes are gathered.
    pub(crate) gathers_above: u32,
    /// How long this process listens for another one of its name before it speaks.
    pub(crate) listening: Duration,
}

/// A site without a message for this time is stale.
pub(super) const SILENT: Duration = Duration::from_secs(3);
/// The time between two heartbeats.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// The time between two unchanged [`Interest`](super::form::Interest)s.
pub(super) const INTEREST: Duration = Duration::from_secs(20);
/// How long changes of interest are gathered.
pub(super) const INTEREST_GATHERS: Duration = Duration::from_millis(20);
/// How long an interest counts.
pub(super) const INTEREST_COUNTS: Duration = Duration::from_secs(70);
/// How long a VNI stays wanted after its last client.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// How long the engine may take to carry an interest to all servers.
pub(super) const INTEREST_TRAVELS: Duration = Duration::from_millis(100);
/// When tails follow the last change, if no other change comes.
pub(super) const TAILS: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];
/// The time between further tails.
pub(super) const TAIL_REPEATS: Duration = Duration::from_secs(300);
/// The asker gives up an answer after this time without a part of it.
pub(super) const ANSWER_SILENT: Duration = Duration::from_secs(3);
/// An answer without credit for this time ends.
pub(super) const CREDIT_SILENT: Duration = Duration::from_secs(10);
/// An answer that has waited for its turn for this time ends.
pub(super) const ANSWER_WAITS: Duration = Duration::from_secs(60);
/// The asker gives up an answer that makes no progress for this time, whatever notes say: an honest answer waits for its
/// turn no longer than [`ANSWER_WAITS`], and begins within [`CREDIT_SILENT`].
pub(super) const ANSWER_STALLS: Duration = Duration::from_secs(70);
/// The time between notes, and between repeated credits.
pub(super) const REPEATS: Duration = Duration::from_secs(1);
/// A check without an answer is repeated after this time.
pub(super) const CHECK_REPEATS: Duration = Duration::from_secs(2);
/// Received checks whose VNIs are not in sync are forgotten after this time.
pub(super) const CHECK_WAITS: Duration = Duration::from_secs(10);
/// How long deltas that a check told of may take to come.
pub(super) const CONFIRMS: Duration = Duration::from_secs(1);
/// How long a site may be above its limit: owners count one after the other, so the sum is too high while routes change
/// their VNI.
pub(super) const ABOVE: Duration = Duration::from_millis(200);
/// How long after poisoned frames the VNI is requested again.
pub(super) const POISON: Duration = Duration::from_secs(10);

/// The most chunks of an answer that may be under way without credit.
pub(super) const WINDOW: usize = 16;
/// The most VNIs of one answer whose chunks are requested at once.
pub(super) const VNIS_AT_ONCE: usize = 32;
/// The most sites that are answered at once.
pub(super) const ANSWERS_AT_ONCE: usize = 4;
/// The most VNIs that one request or check names.
pub(super) const VNIS_PER_MESSAGE: usize = 20_000;
/// The most VNIs that one site may want here, and that its requests may name at once.
pub(super) const VNIS_PER_SITE: usize = 65_536;
/// The most bytes of deltas that are kept of one VNI of one site during a snapshot.
pub(super) const KEPT: usize = 1 << 20;
/// The same of all VNIs of all sites.
pub(super) const KEPT_IN_ALL: usize = 64 << 20;
/// The bytes that a kept delta takes beside its frames.
pub(super) const KEPT_EACH: usize = 64;
/// The most sites known at once.
pub(super) const SITES: usize = 1024;

impl LinkSettings {
    /// The default settings of a site with this name.
    pub(crate) fn new(site: &str) -> Self {
        Self {
            site: site.into(),
            stale_time: Duration::from_secs(120),
            routes_per_site: u64::MAX,
            warming: Duration::from_secs(36),
            gathers_above: 30,
            listening: Duration::from_secs(3),
        }
    }
}
