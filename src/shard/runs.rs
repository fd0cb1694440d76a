//! Updates of one read, put together by VNI.
//!
//! Publishers announce in one VNI for a while, or in a few in turn. What is applied together costs less
//! than one after the other, so updates wait here until there are enough of their VNI, or until the read
//! is taken in. Updates of one VNI stay in order.

use crate::table::{Announcement, TOGETHER};
use crate::wire::Vni;

/// VNIs at most: those that fall into the place of another send that on its way.
const PLACES: usize = 16;

/// Updates that wait, for VNIs that this shard owns.
#[derive(Debug, Default)]
pub(super) struct Runs([Run; PLACES]);

/// Those of one VNI, and where they will go.
#[derive(Debug, Default)]
pub(super) struct Run {
    vni: Option<Vni>,
    pub(super) owned: u32,
    pub(super) member: u32,
    pub(super) updates: Vec<Announcement>,
}

impl Run {
    /// Whether it is this VNI's.
    pub(super) fn is_of(&self, vni: Vni) -> bool {
        self.vni == Some(vni)
    }

    /// Whose it is.
    pub(super) fn vni(&self) -> Option<Vni> {
        self.vni
    }

    /// Whether what waits should go.
    pub(super) fn is_full(&self) -> bool {
        self.updates.len() >= TOGETHER
    }

    /// Makes an empty run that of a VNI.
    pub(super) fn begin(&mut self, vni: Vni, owned: u32, member: u32) {
        debug_assert!(self.updates.is_empty(), "what waited has gone");
        (self.vni, self.owned, self.member) = (Some(vni), owned, member);
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
