//! Replaces a proxy in a build without the feature `client`: values of these types never exist.

use std::convert::Infallible;

use crate::metrics::Rows;

/// What a reflector's pages tell of a proxy that it is in.
#[derive(Clone, Debug)]
pub(super) struct ProxyUpstream(Infallible);

impl ProxyUpstream {
    /// What goes through.
    pub(super) fn status(&self) -> &Self {
        self
    }

    /// The same as rows.
    pub(super) fn rows(&self) -> Rows {
        match self.0 {}
    }

    /// What is missing until agents are served the tables of reflectors.
    pub(super) async fn missing(&self) -> Option<String> {
        match self.0 {}
    }

    /// Whether the leaf answers.
    pub(super) async fn is_alive(&self) -> bool {
        match self.0 {}
    }
}
