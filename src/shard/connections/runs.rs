//! Updates of one read, put together by VNI.
//!
//! Publishers announce in one VNI for a while, or in a few in turn. Updates that are carried out together cost less
//! than single ones, and go to another shard as one message. So updates wait here until there are enough of their VNI,
//! or until the read is taken in. Updates of one VNI stay in order.

use crate::table::Announcement;
use crate::wire::Vni;

/// The number of VNIs with a run. A VNI that takes the place of another VNI first sends that VNI's updates.
const PLACES: usize = 16;

/// The waiting updates of all VNIs.
#[derive(Debug, Default)]
pub(super) struct Runs([Run; PLACES]);

/// The waiting updates of one VNI.
#[derive(Debug, Default)]
pub(super) struct Run {
    vni: Option<Vni>,
    pub(super) updates: Vec<Announcement>,
}

impl Run {
    /// Whether the run is of this VNI.
    #[inline]
    pub(super) fn is_of(&self, vni: Vni) -> bool {
        self.vni == Some(vni)
    }

    /// The VNI of the run.
    pub(super) fn vni(&self) -> Option<Vni> {
        self.vni
    }

    /// Gives an empty run to a VNI.
    pub(super) fn begin(&mut self, vni: Vni) {
        debug_assert!(self.updates.is_empty(), "what waited has gone");
        self.vni = Some(vni);
    }
}

impl Runs {
    /// The place of a VNI; the run there may be of another VNI.
    #[inline]
    pub(super) fn place(&mut self, vni: Vni) -> &mut Run {
        &mut self.0[vni.0 as usize % PLACES]
    }

    /// All places.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Run> {
        self.0.iter_mut()
    }

    /// Forgets everything, also waiting updates.
    pub(super) fn clear(&mut self) {
        for run in &mut self.0 {
            run.vni = None;
            run.updates.clear();
        }
    }
}
