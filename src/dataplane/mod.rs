//! What a leaf hands routes to: the kernel, a hardware table, a test.
//!
//! The leaf (`client`) calls it, `netlink` is one; neither has to know the other. `route` is a route as both name
//! it. Applications find all of it in [`crate::client`].
//!
//! Imports: wire.

mod route;

use std::fmt;

pub use route::Route;

use crate::wire::{Update, Vni};

/// A dataplane. One task owns it and calls one method at a time, in the order of events.
///
/// What it is handed is exact: a route is added once and removed once, whatever the number of
/// servers that announce it; within one destination, removals come first. While a call is under
/// way further changes coalesce, so a slow dataplane gets fewer and larger batches.
pub trait NetworkClient: Send + 'static {
    /// Applies `changes`, in order, and says of each what became of it: as many results as changes.
    ///
    /// A change that is refused counts as made until it is offered again, so a removal of a route
    /// whose addition failed does come.
    fn apply(
        &mut self,
        changes: &[Update],
    ) -> impl Future<Output = Vec<Result<(), RouteError>>> + Send;

    /// The routes of `vni` handed over so far are all there are: whatever else the dataplane holds
    /// of it, for example from before a restart, nobody announces any more.
    ///
    /// Comes once for each time a VNI is subscribed to: when its servers have sent their tables and
    /// one of them must know all routes, or when the stale time is over without that. A server must
    /// know them once it has had sessions for 35 s, in which every announcer has come back to it: it
    /// may have been restarted together with this leaf. Comes again when the VNI is handed over after
    /// it was withheld.
    fn complete(&mut self, vni: Vni) -> impl Future<Output = ()> + Send {
        let _ = vni;
        async {}
    }

    /// The leaf ends and hands over nothing more.
    fn stop(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Why a change was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteError {
    /// One sentence for the log.
    pub reason: String,
    /// Who sees to it.
    pub retry: Retry,
}

/// What happens to a change that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// It should be offered again after a while.
    Offer,
    /// The dataplane sees to it by itself, and tells the log what there is to tell.
    Own,
    /// It can't ever be made.
    Never,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for RouteError {}
