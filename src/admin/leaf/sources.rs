//! The parts of the program that the leaf's endpoint asks.

use std::time::Duration;

pub(in crate::admin) use super::kernel::Kernel;
use crate::client::MetalBond;

/// How long the leaf may take to answer before it counts as stuck.
pub(super) const STUCK: Duration = Duration::from_secs(2);

/// The handles that the pages read.
#[derive(Clone, Debug)]
pub(in crate::admin) struct Sources {
    pub(in crate::admin) leaf: MetalBond,
    pub(in crate::admin) kernel: Option<Kernel>,
}
