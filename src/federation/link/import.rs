//! What other sites say of the VNIs that clients here want.
//!
//! For each site and VNI there are two peers, used in turn: a snapshot goes to the one that holds nothing, and
//! when it is complete the other one leaves. So routes that both hold never change for a subscriber, and what
//! only the older one held is withdrawn in portions. Deltas that come meanwhile are kept, and those that the
//! snapshot does not hold yet are applied behind it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ahash::{AHashMap, RandomState};
use bytes::Bytes;

use super::settings::{KEPT, KEPT_EACH, KEPT_IN_ALL};
use super::sites::Scope;
use super::{Link, LinkEvent, map};
use crate::ids::Moment;
use crate::ids::link::SiteId;
use crate::wire::{Digest, Vni};

/// The state of a VNI of a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ImportState {
    /// Nothing is known of the VNI.
    Absent,
    /// A snapshot is needed or under way.
    Filling,
    /// The next delta can be applied.
    InSync,
}

/// One of the two peers that announce a site's routes in a VNI.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ImportPeer {
    /// Whether it may hold routes.
    pub(super) is_used: bool,
    /// Whether it holds more than the latest snapshot, because a snapshot was written over another.
    pub(super) is_dirty: bool,
    /// The oldest process of the site from which it holds routes.
    pub(super) epoch: u64,
    /// The digest of its routes, unless it is dirty.
    pub(super) digest: Digest,
    /// The number of its routes, as the owner of the VNI counts them.
    pub(super) held: u64,
}

/// The number that a check told for a VNI, and by when its deltas must have come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confirm {
    pub(super) sequence: u64,
    pub(super) until: Moment,
    /// Whether the site had warmed up at the time of the check.
    pub(super) is_warm: bool,
}

/// A VNI of a site.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) state: ImportState,
    pub(super) epoch: u64,
    /// The number of the next delta.
    pub(super) next: u64,
    /// Which of the two peers takes deltas.
    pub(super) main: usize,
    pub(super) pair: [ImportPeer; 2],
    /// Deltas of one process that came during a snapshot.
    kept: VecDeque<(u64, Bytes)>,
    kept_bytes: usize,
    kept_epoch: u64,
    /// When to request a snapshot.
    pub(super) need: Option<Moment>,
    /// The request under way; its chunks go to `target`.
    pub(super) ask: Option<u64>,
    pub(super) target: usize,
    pub(super) confirm: Option<Confirm>,
    /// Since when routes of an earlier process are kept.
    pub(super) old_since: Option<Moment>,
    /// Whether they were kept for too long and have been withdrawn.
    pub(super) is_forced: bool,
    /// The mark after which the peer that takes no deltas leaves.
    pub(super) retires: Option<u64>,
}

impl Import {
    fn new(main: usize) -> Self {
        Self {
            state: ImportState::Absent,
            epoch: 0,
            next: 0,
            main,
            pair: [ImportPeer::default(); 2],
            kept: VecDeque::new(),
            kept_bytes: 0,
            kept_epoch: 0,
            need: None,
            ask: None,
            target: 0,
            confirm: None,
            old_since: None,
            is_forced: false,
            retires: None,
        }
    }

    /// Forgets all state. The next snapshot goes to the peer that has had longer to leave.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.other());
    }

    /// The number of the site's routes here, whichever of the two peers holds them.
    pub(super) fn routes(&self) -> u64 {
        let [one, other] = &self.pair;
        one.held.max(other.held)
    }

    /// The peer that takes no deltas.
    pub(super) fn other(&self) -> usize {
        1 - self.main
    }

    /// Whether nothing is left of an earlier process or of a failed snapshot.
    pub(super) fn is_clean(&self) -> bool {
        !self.pair[self.other()].is_used && !self.pair[self.main].is_dirty
    }
}

/// A VNI that clients here want.
#[derive(Debug, Default)]
struct Joined {
    /// When it ends, if no client wants it any more.
    grace: Option<Moment>,
    by_site: Vec<Option<Box<Import>>>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Imports {
    vnis: AHashMap<Vni, Joined>,
    kept_bytes: usize,
    /// The confirmations that have not come yet, by their latest time.
    pub(super) confirms: BTreeSet<(Moment, SiteId, Vni)>,
    /// VNIs with routes of an earlier process.
    pub(super) old: BTreeSet<(SiteId, Vni)>,
}

impl Imports {
    pub(super) fn new(hasher: RandomState) -> Self {
        let (confirms, old) = (BTreeSet::new(), BTreeSet::new());
        Self { vnis: map(&hasher), kept_bytes: 0, confirms, old }
    }

    /// The end of a joined VNI, to read or set.
    pub(super) fn grace(&mut self, vni: Vni) -> Option<&mut Option<Moment>> {
        self.vnis.get_mut(&vni).map(|joined| &mut joined.grace)
    }

    /// Joins a VNI; `false` when it is joined already.
    pub(super) fn join(&mut self, vni: Vni) -> bool {
        let is_new = !self.vnis.contains_key(&vni);
        self.vnis.entry(vni).or_default();
        is_new
    }

    /// Forgets a VNI that has been left.
    pub(super) fn part(&mut self, vni: Vni) {
        self.vnis.remove(&vni);
        self.old.retain(|(_, other)| *other != vni);
        self.confirms.retain(|(_, _, other)| *other != vni);
    }

    /// The VNIs that clients here want, in ascending order.
    pub(super) fn joined(&self) -> Vec<Vni> {
        let mut vnis: Vec<Vni> = self.vnis.keys().copied().collect();
        vnis.sort_unstable();
        vnis
    }

    /// The number of joined VNIs.
    pub(super) fn len(&self) -> usize {
        self.vnis.len()
    }

    /// A VNI of a site, if anything is known of it.
    pub(super) fn get(&self, site: SiteId, vni: Vni) -> Option<&Import> {
        self.vnis.get(&vni)?.by_site.get(site.index())?.as_deref()
    }

    pub(super) fn get_mut(&mut self, site: SiteId, vni: Vni) -> Option<&mut Import> {
        self.vnis.get_mut(&vni)?.by_site.get_mut(site.index())?.as_deref_mut()
    }

    /// A VNI of a site, created if needed. `None` when no client wants it.
    pub(super) fn made(&mut self, site: SiteId, vni: Vni) -> Option<&mut Import> {
        let by_site = &mut self.vnis.get_mut(&vni)?.by_site;
        if by_site.len() <= site.index() {
            by_site.resize_with(site.index() + 1, || None);
        }
        Some(by_site[site.index()].get_or_insert_with(|| Box::new(Import::new(0))))
    }

    pub(super) fn forget_kept(&mut self, site: SiteId, vni: Vni) {
        let Some(import) = self.get_mut(site, vni) else { return };
        let bytes = std::mem::take(&mut import.kept_bytes);
        import.kept.clear();
        self.kept_bytes -= bytes;
    }

    /// Drops the kept deltas unless they are of this process of the site.
    fn begin_epoch(&mut self, site: SiteId, vni: Vni, epoch: u64) {
        let Some(import) = self.get_mut(site, vni) else { return };
        if std::mem::replace(&mut import.kept_epoch, epoch) != epoch {
            self.forget_kept(site, vni);
        }
    }

    /// Keeps a delta. Drops the oldest when there are too many.
    fn keep(&mut self, site: SiteId, vni: Vni, sequence: u64, frames: &[u8]) {
        let mut total = self.kept_bytes;
        let Some(import) = self.get_mut(site, vni) else { return };
        if import.kept.back().is_some_and(|(last, _)| *last >= sequence) {
            return;
        }
        // A copy: the engine's buffer may hold much more memory.
        import.kept.push_back((sequence, Bytes::copy_from_slice(frames)));
        import.kept_bytes += weight(frames);
        total += weight(frames);
        while (import.kept_bytes > KEPT || total > KEPT_IN_ALL)
            && let Some((_, oldest)) = import.kept.pop_front()
        {
            import.kept_bytes -= weight(&oldest);
            total -= weight(&oldest);
        }
        self.kept_bytes = total;
    }

    /// The number of kept deltas of a VNI of a site.
    #[cfg(test)]
    pub(super) fn kept(&self, site: SiteId, vni: Vni) -> usize {
        self.get(site, vni).map_or(0, |import| import.kept.len())
    }

    /// Takes out the kept deltas after a number. `None` when they do not begin with the next number.
    fn take_kept(
        &mut self,
        site: SiteId,
        vni: Vni,
        (epoch, as_of): (u64, u64),
    ) -> Option<VecDeque<(u64, Bytes)>> {
        let import = self.get_mut(site, vni)?;
        let mut kept = std::mem::take(&mut import.kept);
        let bytes = std::mem::take(&mut import.kept_bytes);
        if import.kept_epoch != epoch {
            kept.clear();
        }
        self.kept_bytes -= bytes;
        kept.retain(|(sequence, _)| *sequence > as_of);
        kept.front().is_none_or(|(first, _)| *first == as_of + 1).then_some(kept)
    }
}

/// The memory of a kept delta. One without frames takes some too.
fn weight(frames: &[u8]) -> usize {
    frames.len() + KEPT_EACH
}

impl Link {
    /// Changes the state of a VNI of a site.
    pub(super) fn set_state(&mut self, site: SiteId, vni: Vni, state: ImportState) {
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        let was = std::mem::replace(&mut import.state, state);
        let entry = &mut self.sites[site];
        entry.in_sync += u64::from(state == ImportState::InSync);
        entry.in_sync -= u64::from(was == ImportState::InSync);
    }

    /// Requests a snapshot after a while.
    pub(super) fn need(&mut self, site: SiteId, vni: Vni, after: Duration) {
        let Some(import) = self.imports.made(site, vni) else { return };
        let was_in_sync = import.state == ImportState::InSync;
        import.confirm = None;
        import.retires = None; // a snapshot may go to that peer
        let then = self.now + after;
        let due = import.need.map_or(then, |other| other.min(then));
        let earlier = import.need.replace(due);
        let needs = &mut self.sites[site].needs;
        if let Some(earlier) = earlier {
            needs.remove(&(earlier, vni));
        }
        needs.insert((due, vni));
        self.set_state(site, vni, ImportState::Filling);
        if was_in_sync {
            self.imports.forget_kept(site, vni);
        }
        self.asks_no_more(site, vni);
    }

    /// A change of a VNI has come.
    pub(super) fn got_delta(
        &mut self,
        site: SiteId,
        epoch: u64,
        vni: Vni,
        sequence: u64,
        frames: &[u8],
    ) {
        if !self.takes_from(site, epoch, vni) {
            return;
        }
        let Some(import) = self.imports.get(site, vni) else { return };
        match import.state {
            ImportState::Absent => {}
            ImportState::Filling => self.imports.keep(site, vni, sequence, frames),
            ImportState::InSync if import.epoch != epoch => self.need(site, vni, Duration::ZERO),
            ImportState::InSync => self.apply(site, vni, sequence, frames),
        }
    }

    /// A tail has come: nothing has changed in a VNI for a while.
    pub(super) fn got_tail(
        &mut self,
        site: SiteId,
        epoch: u64,
        vni: Vni,
        sequence: u64,
        digest: Digest,
    ) {
        if !self.takes_from(site, epoch, vni) {
            return;
        }
        let Some(import) = self.imports.get(site, vni) else { return };
        if import.state != ImportState::InSync {
            return;
        }
        let half = &import.pair[import.main];
        if import.epoch != epoch {
            self.need(site, vni, Duration::ZERO);
        } else if sequence >= import.next {
            self.sites[site].counts.gaps += 1;
            self.need(site, vni, Duration::ZERO);
        } else if sequence + 1 == import.next && !half.is_dirty && half.digest != digest {
            self.sites[site].counts.mismatches += 1;
            let name = std::sync::Arc::clone(&self.sites[site].name);
            self.event(LinkEvent::Mismatch { site: name, vni });
            self.need(site, vni, Duration::ZERO);
        }
    }

    /// Whether a site's message about a VNI counts.
    fn takes_from(&mut self, site: SiteId, epoch: u64, vni: Vni) -> bool {
        if !self.imports.vnis.contains_key(&vni) || !self.is_epoch(site, epoch) {
            return false;
        }
        let entry = &self.sites[site];
        if entry.is_draining || entry.barred_until.is_some() {
            return false;
        }
        self.imports.begin_epoch(site, vni, epoch);
        true
    }

    /// Applies a delta to a VNI in sync, if it is the next one.
    pub(super) fn apply(&mut self, site: SiteId, vni: Vni, sequence: u64, frames: &[u8]) {
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        if sequence < import.next {
            return;
        }
        if import.state != ImportState::InSync {
            return self.imports.keep(site, vni, sequence, frames);
        }
        if sequence > import.next {
            self.sites[site].counts.gaps += 1;
            self.need(site, vni, Duration::ZERO);
            return self.imports.keep(site, vni, sequence, frames);
        }
        import.next += 1;
        let main = import.main;
        if self.told(site, vni, main, frames).is_err() {
            return self.poisoned(site, Some(vni));
        }
        self.confirmed(site, vni);
    }

    /// A snapshot of a VNI is complete, up to a delta.
    pub(super) fn complete(
        &mut self,
        site: SiteId,
        vni: Vni,
        (epoch, as_of): (u64, u64),
        was_warm: bool,
    ) {
        let Some(kept) = self.imports.take_kept(site, vni, (epoch, as_of)) else {
            self.sites[site].counts.failed += 1;
            return self.need(site, vni, Duration::ZERO);
        };
        self.sites[site].counts.snapshots += 1;
        let is_warming = self.sites[site].is_warming();
        self.set_state(site, vni, ImportState::InSync);
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        import.epoch = epoch;
        import.next = as_of + 1;
        import.ask = None;
        import.main = import.target;
        let other = import.pair[import.other()];
        let holds_old = other.is_used && other.epoch != epoch;
        for (sequence, frames) in kept {
            self.apply(site, vni, sequence, &frames);
        }
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        if import.state != ImportState::InSync {
            return;
        }
        // Routes of an earlier process stay until this process's clients are back.
        if !holds_old || import.is_forced || (!is_warming && was_warm) {
            self.retire(site, vni);
        } else if !is_warming {
            // The site has warmed up meanwhile, and the check made then left this VNI out.
            let now = self.now;
            self.sites[site].check_at(now, Scope::Some(vec![vni]));
        }
        self.tidy_import(site, vni);
    }

    /// Notes when nothing old is left, and asks once more when a snapshot was written over another.
    pub(super) fn tidy_import(&mut self, site: SiteId, vni: Vni) {
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        if import.is_clean() {
            import.old_since = None;
            import.is_forced = false;
            self.imports.old.remove(&(site, vni));
        } else if import.state == ImportState::InSync
            && import.retires.is_none()
            && !import.pair[import.other()].is_used
        {
            self.need(site, vni, Duration::ZERO);
        }
    }
}
