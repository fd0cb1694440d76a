//! The dataplane to which a leaf hands routes: the kernel, a hardware table, a test.
//!
//! The leaf (`client`) calls a dataplane, and `netlink` is a dataplane; neither has to know the other. `route` is the
//! type that both use for a route. Applications find all of it in [`crate::client`].
//!
//! Imports: wire.

mod route;

use std::fmt;

pub use route::Route;

use crate::wire::{Update, Vni};

/// A dataplane. One task owns it and calls one method at a time, in the order of events.
///
/// The changes are exact: a route is added once and removed once, whatever the number of
/// servers that announce it; within one destination, removals come first. During a call,
/// further changes are merged, so a slow dataplane gets fewer and larger batches.
pub trait NetworkClient: Send + 'static {
    /// Applies `changes` in order, and returns one result for each change.
    ///
    /// If the dataplane refuses a change, the leaf treats the change as made until it offers the change again. So it
    /// also asks for the removal of a route whose addition failed.
    fn apply(
        &mut self,
        changes: &[Update],
    ) -> impl Future<Output = Vec<Result<(), RouteError>>> + Send;

    /// The leaf has handed over all routes of `vni`. Remove any other route of the VNI that the dataplane
    /// holds, for example from before a restart: no server has it.
    ///
    /// Called once per subscription: when the servers have sent their tables of the VNI and at least one server
    /// has had sessions for 35 s, or when the stale time ends without that. (Within 35 s all announcers have
    /// connected again to a server that restarted, perhaps together with this leaf.) Called again after
    /// [`hand_over`](crate::client::MetalBond::hand_over).
    fn complete(&mut self, vni: Vni) -> impl Future<Output = ()> + Send {
        let _ = vni;
        async {}
    }

    /// The leaf ends; no further call follows.
    fn stop(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Why a change was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteError {
    /// One sentence for the log.
    pub reason: String,
    /// Which side tries again.
    pub retry: Retry,
}

/// What happens to a change that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// The leaf offers the change again, after 1 s at first and after at most 60 s.
    Offer,
    /// The dataplane tries again by itself and writes its own log lines.
    Own,
    /// Neither side: the change can never be made.
    Never,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for RouteError {}
