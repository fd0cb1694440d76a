//! What leaves say of the routes that they have: the last report of each VNI, and nothing of those before.

use crate::ids::Moment;
use crate::wire::{Digest, Installed, Report};

/// The last report of one peer and VNI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reported {
    pub(crate) routes: Digest,
    pub(crate) installed: Option<Installed>,
    /// When it came.
    pub(crate) at: Moment,
    /// The time since which the peer's kernel has lacked routes in every report; `None` if it lacks none.
    pub(crate) short_since: Option<Moment>,
}

impl Reported {
    /// Takes the place of the earlier report, if there was one.
    pub(super) fn new(report: &Report, before: Option<&Self>, at: Moment) -> Self {
        let Report { routes, installed, .. } = *report;
        let is_short = installed.is_some_and(|it| {
            it.accepted < it.wanted || it.wanted.saturating_add(it.left_out) < routes.routes
        });
        let short_since = before.and_then(|before| before.short_since).unwrap_or(at);
        Self { routes, installed, at, short_since: is_short.then_some(short_since) }
    }
}
