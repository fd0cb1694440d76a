//! A round of requests: those under way, and those that wait for them.

use crate::netlink::model::Request;

/// What the requests of a round are about.
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
    /// What is under way, and the route or object that each is about.
    pub(crate) requests: Vec<Request>,
    pub(super) about: Vec<u32>,
    /// Routes that wait for their objects.
    pub(super) routes: Vec<Request>,
    pub(super) routes_about: Vec<u32>,
}

impl Work {
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.routes.is_empty()
    }
}
