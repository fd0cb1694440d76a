//! The last minutes, where requests see them.

use tokio::sync::watch;

use super::ring::Ring;
use crate::admin::reflector::streams::Streams;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(in crate::admin::reflector) struct History {
    pub(super) ring: watch::Receiver<Ring>,
    pub(super) streams: Streams,
}
