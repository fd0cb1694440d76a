//! Replaces a proxy in a build without the feature `client`: values of these types never exist.

use std::convert::Infallible;

use crate::metrics::Rows;

/// The upstream side of a proxy, for a reflector's pages.
#[derive(Clone, Debug)]
pub(super) struct ProxyUpstream(Infallible);

impl ProxyUpstream {
    /// The numbers of routes and changes that pass through.
    pub(super) fn status(&self) -> &Self {
        self
    }

    /// The same as rows.
    pub(super) fn rows(&self) -> Rows {
        match self.0 {}
    }

    /// Why the proxy cannot yet serve complete tables of reflectors; `None` if it can.
    pub(super) async fn missing(&self) -> Option<String> {
        match self.0 {}
    }

    /// Whether the leaf answers.
    pub(super) async fn is_alive(&self) -> bool {
        match self.0 {}
    }
}
