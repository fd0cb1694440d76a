//! The numbers that tell how things stand.

use std::time::Duration;

use super::config::Mode;
use super::fib::{Summary, UNUSABLE_KINDS};

/// How things stand with the routes in the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Status {
    /// How routes lead to their next hops: not always as asked for.
    pub mode: Mode,
    /// Whether the tunnel device is there, up, and of a sort that serves.
    pub device_up: bool,
    /// Destinations that should have a route.
    pub desired: usize,
    /// Routes of ours in the kernel, as far as is known.
    pub installed: usize,
    /// Nexthop objects of ours in the kernel.
    pub objects: usize,
    /// Routes that the kernel refuses now, or that others keep changing.
    pub refused: usize,
    /// Routes that can't be installed now because another protocol's are in the way.
    pub conflicts: usize,
    /// Routes that are announced and can't be installed because of their next hop, by why: one word
    /// each, such as `ipv4`, and how many. None of them is among the others here.
    pub unusable: [(&'static str, usize); UNUSABLE_KINDS],
    /// Requests made of the kernel since the start.
    pub requests: u64,
    /// Requests that it refused.
    pub refusals: u64,
    /// Times that a route was found not to be as it was installed.
    pub repairs: u64,
    /// Times that everything was compared with the kernel.
    pub reconciles: u64,
    /// For how long the kernel has not answered the request that is under way; zero while there is
    /// none. All other numbers are as old as this.
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
