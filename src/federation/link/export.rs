//! Sends the announcements of clients here to the sites that want them.
//!
//! [`EXPORTER`] subscribes to a VNI while another site wants it, even if no client announces a route there. Otherwise
//! the first route would arrive in the dump, which the exporter throws away. Sealed batches go out as deltas, numbered
//! per VNI. If the engine is slow, the exporter refuses a batch as a slow peer does, and gets the missing changes as
//! chunks. A chunk goes out as a delta as well: it contains the difference from the routes that have been sent.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use ahash::{AHashMap, RandomState};
use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::envelope::{Content, FRAMES_MAX};
use super::gather::Gathered;
use super::settings::{INTEREST_COUNTS, TAIL_REPEATS, TAILS, VNIS_PER_SITE};
use super::uplink::Address;
use super::{Link, frames, map};
use crate::ids::Moment;
use crate::ids::link::{EXPORTER, SiteId};
use crate::portable::form::LinkExport;
use crate::shard::Request;
use crate::table::{Batch, Chunk};
use crate::wire::{Action, Digest, Vni};

/// The most chunks requested at once.
const PULLS: usize = 8;
/// The time between two sweeps for VNIs that no site wants any more.
const SWEEP: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ExportState {
    /// No subscription.
    Off,
    /// The dump is on its way, and will be dropped.
    Joining,
    /// Sealed batches go out directly.
    InSync,
    /// A batch was refused.
    Behind,
}

/// A VNI that another site wants or wanted.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) state: ExportState,
    /// The number of the latest delta.
    pub(super) sequence: u64,
    /// The digest of all deltas up to `sequence`.
    known: Digest,
    changed: Moment,
    /// Changes not sent yet, and not in `known`.
    pub(super) gathered: BytesMut,
    /// The number of tails since the latest change, and whether the next one is listed.
    tails: usize,
    is_listed: bool,
    is_pulling: bool,
    subscription: u32,
    /// The sites that want it, and until when each does.
    wanted: SmallVec<[(SiteId, Moment); 2]>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Exports {
    pub(super) vnis: AHashMap<Vni, Export>,
    /// The highest number of any dropped VNI: new VNIs begin above it.
    floor: u64,
    /// VNIs that are behind, in the order in which they request chunks.
    behind: VecDeque<Vni>,
    pulls: usize,
    pub(super) gathered: Gathered,
    tails: BTreeSet<(Moment, Vni)>,
    sweep_at: Moment,
    /// Whether changes may go to other sites.
    is_open: bool,
}

impl Exports {
    pub(super) fn new(hasher: RandomState, now: Moment) -> Self {
        Self {
            vnis: map(&hasher),
            floor: 0,
            behind: VecDeque::new(),
            pulls: 0,
            gathered: Gathered::new(now),
            tails: BTreeSet::new(),
            sweep_at: now + SWEEP,
            is_open: false,
        }
    }

    /// The state of a VNI, and the number of its latest delta.
    pub(super) fn state(&self, vni: Vni) -> (ExportState, u64) {
        self.vnis.get(&vni).map_or((ExportState::Off, self.floor), |it| (it.state, it.sequence))
    }

    /// The highest number of any dropped VNI.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// New VNIs begin above this number; opens the exports.
    pub(super) fn begin_above(&mut self, floor: u64) {
        self.floor = floor;
        self.is_open = true;
    }

    /// All VNIs, in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Vni, &Export)> {
        let mut all: Vec<_> = self.vnis.iter().map(|(vni, export)| (*vni, export)).collect();
        all.sort_unstable_by_key(|(vni, _)| *vni);
        all.into_iter()
    }

    /// Continues a VNI of another process. The exporter requests the changes that it lacks.
    pub(super) fn restore(&mut self, vni: Vni, export: Export) {
        self.vnis.insert(vni, export);
        self.behind.push_back(vni);
    }

    /// Whether changes may go to other sites.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The number of VNIs that other sites want.
    pub(super) fn len(&self) -> usize {
        self.vnis.len()
    }

    /// The number of VNIs that are behind.
    pub(super) fn behind(&self) -> usize {
        self.behind.len() + self.pulls
    }
}

impl Link {
    /// A site wants a VNI for a while; ignored when it wants too many.
    pub(super) fn wanted_by(&mut self, site: SiteId, vni: Vni) {
        let until = self.now + INTEREST_COUNTS;
        let Exports { vnis, floor, .. } = &mut self.exports;
        let known = vnis.get_mut(&vni).and_then(|export| {
            export.wanted.iter_mut().find(|(by, _)| *by == site).map(|(_, then)| then)
        });
        if let Some(then) = known {
            *then = until;
        } else {
            let wants = &mut self.sites[site].wants;
            if *wants >= VNIS_PER_SITE {
                return;
            }
            *wants += 1;
            let floor = *floor;
            let export = vnis.entry(vni).or_insert_with(|| Export::new(floor));
            export.wanted.push((site, until));
        }
        if self.exports.vnis.get(&vni).is_some_and(|export| export.state == ExportState::Off) {
            self.begin_export(vni);
        }
    }

    /// Subscribes to a VNI. Skips a number, so that a site that was away sees a gap.
    fn begin_export(&mut self, vni: Vni) {
        let Exports { vnis, is_open: true, .. } = &mut self.exports else { return };
        let Some(export) = vnis.get_mut(&vni) else { return };
        export.state = ExportState::Joining;
        export.sequence += 1;
        export.subscription += 1;
        export.known = Digest::default();
        export.is_pulling = false;
        let origin = self.origin(EXPORTER);
        self.request(Request::Subscribe { origin, vni, received: self.now, is_retry: false });
        self.exports.behind.push_back(vni);
    }

    /// The subscription can't continue: begins a new one.
    pub(super) fn restart_export(&mut self, vni: Vni) {
        self.end_export(vni);
        self.begin_export(vni);
    }

    fn end_export(&mut self, vni: Vni) {
        self.flush(vni);
        let Exports { vnis, pulls, .. } = &mut self.exports;
        let Some(export) = vnis.get_mut(&vni).filter(|it| it.state != ExportState::Off) else {
            return;
        };
        export.state = ExportState::Off;
        *pulls -= usize::from(std::mem::take(&mut export.is_pulling));
        self.request(Request::Leave { peer: EXPORTER, vni });
    }

    /// Starts sending changes to other sites, or stops.
    pub(super) fn open_exports(&mut self, is_open: bool) {
        if std::mem::replace(&mut self.exports.is_open, is_open) == is_open {
            return;
        }
        let mut vnis: Vec<Vni> = self.exports.vnis.keys().copied().collect();
        vnis.sort_unstable();
        if is_open {
            return vnis.into_iter().for_each(|vni| self.begin_export(vni));
        }
        vnis.into_iter().for_each(|vni| self.end_export(vni));
        self.end_answers();
    }

    /// Takes a sealed batch.
    pub(super) fn batch_for_export(&mut self, batch: &Arc<Batch>) {
        let vni = batch.vni;
        let is_full = self.uplink.is_full();
        let Some(export) = self.exports.vnis.get_mut(&vni) else { return };
        if export.state != ExportState::InSync {
            return;
        }
        if !is_full {
            self.rate.count(self.now);
            return self.gather(vni, batch.bytes());
        }
        export.state = ExportState::Behind;
        self.flush(vni); // its gathered changes will not grow any more
        if let Some(missed) = &mut self.frozen {
            return missed.push(vni);
        }
        self.counts.fell_behind += 1;
        self.exports.behind.push_back(vni);
        self.request(Request::FellBehind { peer: EXPORTER, vni, from: Arc::clone(batch) });
    }

    /// Requests missing changes, while the engine can take them.
    pub(super) fn pull_exports(&mut self) {
        for _ in 0..self.exports.behind.len() {
            if self.exports.pulls >= PULLS {
                return;
            }
            let Some(vni) = self.exports.behind.pop_front() else { return };
            let has_room = self.uplink.has_room();
            let Exports { vnis, pulls, behind, .. } = &mut self.exports;
            let Some(export) = vnis.get_mut(&vni).filter(|it| !it.is_pulling) else { continue };
            // A dump that will be dropped needs no room.
            match export.state {
                ExportState::Joining => {}
                ExportState::Behind if has_room => {}
                ExportState::Behind => {
                    behind.push_back(vni);
                    continue;
                }
                ExportState::Off | ExportState::InSync => continue,
            }
            export.is_pulling = true;
            *pulls += 1;
            let subscription = export.subscription;
            let shard = self.shard;
            self.request(Request::Pull { peer: EXPORTER, shard, vni, subscription });
        }
    }

    /// The answer to a pull.
    pub(super) fn chunk_for_export(&mut self, vni: Vni, subscription: u32, chunk: &Chunk) {
        let Exports { vnis, pulls, .. } = &mut self.exports;
        let Some(export) = vnis.get_mut(&vni) else { return };
        if export.subscription != subscription || !std::mem::take(&mut export.is_pulling) {
            return; // the answer belongs to an earlier subscription
        }
        *pulls -= 1;
        let frames = chunk.batch.as_ref().map(|batch| batch.bytes().clone());
        match (export.state, frames) {
            (ExportState::Joining, Some(bytes)) => {
                learn(&mut export.known, vni, &bytes);
            }
            (ExportState::Behind, Some(frames)) => self.send_deltas(vni, frames),
            _ => {}
        }
        let now = self.now;
        let Some(export) = self.exports.vnis.get_mut(&vni) else { return };
        if !chunk.in_sync {
            return self.exports.behind.push_back(vni);
        }
        let was = std::mem::replace(&mut export.state, ExportState::InSync);
        // A VNI of another process has no tail listed yet.
        if was == ExportState::Joining || !export.is_listed {
            (export.changed, export.tails) = (now, 0);
            self.list_tail(vni);
        }
        if was == ExportState::Joining {
            self.send_tail(vni);
        }
        self.answers.is_stirred = true;
        self.checks.is_stirred = true;
    }

    pub(super) fn send_deltas(&mut self, vni: Vni, frames: Bytes) {
        for frames in frames::pieces(frames, FRAMES_MAX) {
            let Some(export) = self.exports.vnis.get_mut(&vni) else { return };
            export.sequence += 1;
            (export.changed, export.tails) = (self.now, 0);
            self.counts.changes_sent += learn(&mut export.known, vni, &frames);
            let sequence = export.sequence;
            let payload = self.envelope(Content::Delta { vni, sequence, frames });
            self.uplink.push(Address::Vni(vni), payload);
        }
        self.list_tail(vni);
    }

    /// Lists the next tail of a VNI, unless one is listed.
    fn list_tail(&mut self, vni: Vni) {
        let Exports { vnis, tails, .. } = &mut self.exports;
        let Some(export) = vnis.get_mut(&vni).filter(|it| !it.is_listed) else { return };
        export.is_listed = true;
        tails.insert((export.tail_at(), vni));
    }

    fn send_tail(&mut self, vni: Vni) {
        self.flush(vni);
        let Some(export) = self.exports.vnis.get(&vni) else { return };
        let content = Content::Tail { vni, sequence: export.sequence, digest: export.known };
        if self.uplink.takes_control() && self.speaks() {
            let payload = self.envelope(content);
            self.uplink.push(Address::Vni(vni), payload);
        }
    }

    /// Sends due tails, and ends subscriptions to VNIs that no site wants.
    pub(super) fn tick_exports(&mut self) {
        self.open_exports(!self.is_draining && self.twin.lets_speak(self.now));
        while let Some(&(then, vni)) = self.exports.tails.first()
            && then <= self.now
        {
            self.exports.tails.pop_first();
            let Some(export) = self.exports.vnis.get_mut(&vni) else { continue };
            export.is_listed = false;
            match export.state {
                ExportState::Off => continue,
                ExportState::InSync if export.tail_at() <= self.now => {
                    export.tails += 1;
                    self.send_tail(vni);
                }
                ExportState::Joining | ExportState::InSync | ExportState::Behind => {}
            }
            self.list_tail_after(vni);
        }
        if self.now >= self.exports.sweep_at {
            self.exports.sweep_at = self.now + SWEEP;
            self.sweep_exports();
        }
    }

    /// As [`Link::list_tail`], but never for the present moment.
    fn list_tail_after(&mut self, vni: Vni) {
        let soon = self.now + TAILS[0];
        let Exports { vnis, tails, .. } = &mut self.exports;
        let Some(export) = vnis.get_mut(&vni) else { return };
        export.is_listed = true;
        let then = if export.state == ExportState::InSync { export.tail_at() } else { soon };
        tails.insert((then.max(Moment(self.now.0 + 1)), vni));
    }

    fn sweep_exports(&mut self) {
        let now = self.now;
        let answers = &self.answers;
        let sites = &mut self.sites;
        let is_over = |(vni, export): (&Vni, &mut Export)| {
            export.wanted.retain(|(site, until)| {
                let is_wanted = *until > now;
                sites[*site].wants -= usize::from(!is_wanted);
                is_wanted
            });
            (export.wanted.is_empty() && !answers.hold(*vni)).then_some(*vni)
        };
        let over: Vec<Vni> = self.exports.vnis.iter_mut().filter_map(is_over).collect();
        for vni in over {
            self.end_export(vni);
            if let Some(export) = self.exports.vnis.remove(&vni) {
                self.exports.floor = self.exports.floor.max(export.sequence);
            }
        }
    }
}

impl Export {
    /// A VNI that no site wants yet, with numbers after `sequence`.
    fn new(sequence: u64) -> Self {
        Self {
            state: ExportState::Off,
            sequence,
            known: Digest::default(),
            changed: Moment(0),
            gathered: BytesMut::new(),
            tails: 0,
            is_listed: false,
            is_pulling: false,
            subscription: 0,
            wanted: SmallVec::new(),
        }
    }

    /// The VNI in the portable form.
    pub(super) fn form(&self, vni: Vni) -> LinkExport {
        LinkExport {
            vni: vni.0,
            sequence: self.sequence,
            routes: self.known.routes,
            sum: self.known.sum,
            is_in_sync: self.state == ExportState::InSync,
            subscription: self.subscription,
            wanted_by: self.wanted.iter().map(|(site, _)| site.0.into()).collect(),
        }
    }

    /// A VNI from the portable form: its cursor is in the table, and it requests the changes since.
    pub(super) fn of(form: &LinkExport) -> Self {
        Self {
            state: ExportState::Behind,
            known: Digest { routes: form.routes, sum: form.sum },
            subscription: form.subscription,
            ..Self::new(form.sequence)
        }
    }

    /// When the next tail is due.
    fn tail_at(&self) -> Moment {
        match TAILS.get(self.tails) {
            Some(after) => self.changed + *after,
            None => {
                let more = u32::try_from(self.tails - TAILS.len()).unwrap_or(u32::MAX - 1) + 1;
                self.changed + TAILS[TAILS.len() - 1] + TAIL_REPEATS * more
            }
        }
    }
}

/// Adds the changes in our own frames to a digest. Returns their number.
pub(super) fn learn(known: &mut Digest, vni: Vni, bytes: &[u8]) -> u64 {
    let mut count = 0;
    let result = frames::read(bytes, vni, |update| {
        count += 1;
        match update.action {
            Action::Add => known.add(&update.destination, &update.next_hop),
            Action::Remove => known.remove(&update.destination, &update.next_hop),
        }
    });
    debug_assert!(result.is_ok(), "a table seals what it can read");
    count
}
