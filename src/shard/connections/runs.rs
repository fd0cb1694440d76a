//! Updates of one read, put together by VNI.
//!
//! Publishers announce in one VNI for a while, or in a few in turn. Updates that are carried out together cost less
//! than single ones, and go to another shard as one message. So updates wait here until there are enough of their VNI,
//! or until the read is taken in. Updates of one VNI stay in order.

use crate::table::Announcement;
use crate::wire::Vni;

/// VNIs at most: those that fall into the place of another send that on its way.
const PLACES: usize = 16;

/// Updates that wait.
#[derive(Debug, Default)]
pub(super) struct Runs([Run; PLACES]);

/// Those of one VNI.
#[derive(Debug, Default)]
pub(super) struct Run {
    vni: Option<Vni>,
    pub(super) updates: Vec<Announcement>,
}

impl Run {
    /// Whether it is this VNI's.
    #[inline]
    pub(super) fn is_of(&self, vni: Vni) -> bool {
        self.vni == Some(vni)
    }

    /// Whose it is.
    pub(super) fn vni(&self) -> Option<Vni> {
        self.vni
    }

    /// Makes an empty run that of a VNI.
    pub(super) fn begin(&mut self, vni: Vni) {
        debug_assert!(self.updates.is_empty(), "what waited has gone");
        self.vni = Some(vni);
    }
}

impl Runs {
    /// The place of a VNI, which may be another's.
    #[inline]
    pub(super) fn place(&mut self, vni: Vni) -> &mut Run {
        &mut self.0[vni.0 as usize % PLACES]
    }

    /// All places.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Run> {
        self.0.iter_mut()
    }

    /// Forgets everything, also what waits.
    pub(super) fn clear(&mut self) {
        for run in &mut self.0 {
            run.vni = None;
            run.updates.clear();
        }
    }
}
