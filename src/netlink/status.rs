//! The state of the routes in the kernel.

use std::time::Duration;

use super::config::Mode;
use super::fib::{Summary, UNUSABLE_KINDS};

/// The state of a leaf's routes in the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Status {
    /// How routes refer to their next hops; [`Mode::Inline`] on an old kernel even if the configuration says
    /// [`Mode::Objects`].
    pub mode: Mode,
    /// Whether the tunnel device exists, is up, and is of a usable kind.
    pub device_up: bool,
    /// The number of destinations that should have a route.
    pub desired: usize,
    /// The number of own routes in the kernel, as far as known.
    pub installed: usize,
    /// The number of own nexthop objects in the kernel.
    pub objects: usize,
    /// The number of routes that the kernel refuses now, or that others keep changing.
    pub refused: usize,
    /// The number of routes that cannot be installed now because a route of another protocol is in the way.
    pub conflicts: usize,
    /// The numbers of announced routes that cannot be installed because of their next hop, by the reason: one word,
    /// such as `ipv4`. The other numbers do not include them.
    pub unusable: [(&'static str, usize); UNUSABLE_KINDS],
    /// The number of requests to the kernel since the start.
    pub requests: u64,
    /// The number of requests that the kernel refused.
    pub refusals: u64,
    /// The number of times that a route was not as it had been installed.
    pub repairs: u64,
    /// The number of times that all routes were compared with the kernel.
    pub reconciles: u64,
    /// For how long the kernel has not answered the request under way; zero if there is no such request. All other
    /// numbers are as old as this.
    pub silent: Duration,
}

impl Status {
    pub(super) fn new(mode: Mode, summary: &Summary) -> Self {
        Self {
            mode,
            device_up: summary.device_up,
            desired: summary.wanted,
            installed: summary.installed,
            objects: summary.objects,
            refused: summary.refused,
            conflicts: summary.conflicts,
            unusable: summary.unusable,
            requests: summary.counts.requests,
            refusals: summary.counts.refusals,
            repairs: summary.counts.repairs,
            reconciles: summary.counts.reconciles,
            silent: Duration::ZERO,
        }
    }
}
