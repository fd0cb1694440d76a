//! A round of requests: those under way, and those that wait for them.

use crate::netlink::model::Request;

/// The subject of a round's requests.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum WorkStage {
    #[default]
    Objects,
    Routes,
    Sweep,
}

/// A round of requests.
#[derive(Default, Debug)]
pub(crate) struct Work {
    pub(super) stage: WorkStage,
    /// The requests under way; `about` has the route or object of each.
    pub(crate) requests: Vec<Request>,
    pub(super) about: Vec<u32>,
    /// Requests of routes that wait for their objects; `routes_about` has the route of each.
    pub(super) routes: Vec<Request>,
    pub(super) routes_about: Vec<u32>,
}

impl Work {
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.routes.is_empty()
    }
}
