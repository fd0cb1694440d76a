//! [`LinkSettings`]: the settings of a link.

use std::sync::Arc;
use std::time::Duration;

/// What a link goes by. Times but [`LinkSettings::stale_time`] are parts of the protocol: all sites must use
/// the same.
#[derive(Clone, Debug)]
pub(crate) struct LinkSettings {
    /// The name of this site.
    pub(crate) site: Arc<str>,
    /// For how long the routes of a site that is silent are kept.
    pub(crate) stale_time: Duration,
    /// Routes that one site may have here.
    pub(crate) routes_per_site: u64,
    /// For how long this process counts as one whose clients are not all back.
    pub(crate) warming: Duration,
    /// Batches and messages in 10 ms above which changes are gathered.
    pub(crate) gathers_above: u32,
    /// For how long this process listens for another one of its name before it speaks.
    pub(crate) listening: Duration,
}

/// A site is stale when nothing has come from it for so long.
pub(super) const SILENT: Duration = Duration::from_secs(3);
/// Between two heartbeats.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// Between two [`Interest`](super::form::Interest)s of which nothing has changed.
pub(super) const INTEREST: Duration = Duration::from_secs(20);
/// A change of interest is gathered for so long.
pub(super) const INTEREST_GATHERS: Duration = Duration::from_millis(20);
/// For how long an interest counts.
pub(super) const INTEREST_COUNTS: Duration = Duration::from_secs(70);
/// For how long a VNI that no client wants any more stays wanted.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// How long the engine may take to carry an interest to all servers.
pub(super) const INTEREST_TRAVELS: Duration = Duration::from_millis(100);
/// A tail follows so long after the last change, if none came since.
pub(super) const TAILS: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];
/// And then one each.
pub(super) const TAIL_REPEATS: Duration = Duration::from_secs(300);
/// An answer of which nothing comes for so long is given up by the site that asked.
pub(super) const ANSWER_SILENT: Duration = Duration::from_secs(3);
/// An answer for which no credit comes for so long ends.
pub(super) const CREDIT_SILENT: Duration = Duration::from_secs(10);
/// An answer that has waited for its turn for so long ends.
pub(super) const ANSWER_WAITS: Duration = Duration::from_secs(60);
/// Notes, and credits that repeat, come so often.
pub(super) const REPEATS: Duration = Duration::from_secs(1);
/// A check is repeated after so long without an answer.
pub(super) const CHECK_REPEATS: Duration = Duration::from_secs(2);
/// Checks that wait for their VNIs to be in sync are forgotten after so long.
pub(super) const CHECK_WAITS: Duration = Duration::from_secs(10);
/// What a check has told must have come after so long.
pub(super) const CONFIRMS: Duration = Duration::from_secs(1);
/// After poisoned frames the VNI is asked for after so long.
pub(super) const POISON: Duration = Duration::from_secs(10);

/// Chunks of an answer that may be under way without credit.
pub(super) const WINDOW: usize = 16;
/// VNIs of one answer of which chunks are asked at once.
pub(super) const VNIS_AT_ONCE: usize = 32;
/// Answers that are under way at once.
pub(super) const ANSWERS_AT_ONCE: usize = 4;
/// VNIs that one request or check names.
pub(super) const VNIS_PER_MESSAGE: usize = 20_000;
/// VNIs that one site may want here, and that its requests may name at once.
pub(super) const VNIS_PER_SITE: usize = 65_536;
/// Bytes of deltas of one VNI of one site that are kept while a snapshot of it is under way.
pub(super) const KEPT: usize = 1 << 20;
/// And of all VNIs of all sites.
pub(super) const KEPT_IN_ALL: usize = 64 << 20;
/// Sites that are known at once.
pub(super) const SITES: usize = 1024;

impl LinkSettings {
    /// For a site of this name.
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
