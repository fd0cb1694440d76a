//! Snapshots that are asked for.

use std::time::Duration;

use ahash::{AHashMap, AHashSet, RandomState};

use super::form::control::Kind;
use super::form::{Credit, SnapshotRequest};
use super::import::{Import, ImportPeer};
use super::settings::{ANSWER_SILENT, ANSWER_STALLS, REPEATS, VNIS_PER_MESSAGE};
use super::{Link, map, vnis};
use crate::ids::Moment;
use crate::ids::link::SiteId;
use crate::wire::Vni;

/// Credit is given after so many chunks or bytes.
const CREDIT_CHUNKS: u64 = 8;
const CREDIT_BYTES: usize = 256 * 1024;

/// A request under way.
#[derive(Debug)]
struct Ask {
    site: SiteId,
    /// The VNIs whose snapshot is not complete.
    vnis: AHashSet<Vni>,
    /// The number of the next chunk.
    next: u64,
    /// When the last part of the answer came, or a note.
    heard: Moment,
    /// When the last part of the answer came that said anything of routes.
    progress: Moment,
    credited: u64,
    bytes_since: usize,
    credit_at: Moment,
    /// Whether the site had warmed up at the time of the request.
    is_warm: bool,
    /// The process that answers, by its epoch.
    epoch: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Asks {
    under_way: AHashMap<u64, Ask>,
    /// The number of the latest request.
    serial: u64,
    hasher: RandomState,
}

impl Asks {
    /// Numbers begin behind the process's epoch: no other process of this site has had them, so no answer to an
    /// earlier process and no request of one is taken for this process's.
    pub(super) fn new(hasher: RandomState, epoch: u64) -> Self {
        Self { under_way: map(&hasher), serial: epoch, hasher }
    }

    /// The number of the latest request.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// Continues the numbering of requests after `serial`.
    pub(super) fn begin_behind(&mut self, serial: u64) {
        self.serial = serial;
    }

    /// A number that no request or check has had.
    pub(super) fn next_number(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The number of requested VNIs.
    pub(super) fn vnis(&self) -> usize {
        self.under_way.values().map(|ask| ask.vnis.len()).sum()
    }
}

/// Which of a VNI's two peers takes a snapshot: a peer without routes; else, while routes of an earlier process are
/// kept, the peer with the present process's routes; else the peer that takes no deltas. `present` is the epoch of the
/// present process: it is the latest, even if a clock that was set back makes it the lowest.
fn target(import: &Import, present: u64) -> usize {
    let age = |half: &ImportPeer| (half.epoch == present, half.epoch);
    let (main, other) = (import.main, import.other());
    let [of_main, of_other] = [import.pair[main], import.pair[other]];
    let keeps_old = of_other.is_used && of_main.is_used && age(&of_other) < age(&of_main);
    if !of_main.is_used || (of_other.is_used && keeps_old) { main } else { other }
}

impl Link {
    /// Requests the needed snapshots, and gives up answers that have fallen silent or make no progress.
    pub(super) fn tick_asks(&mut self) {
        let now = self.now;
        let silent = |(number, ask): (&u64, &Ask)| {
            let is_silent = now.since(ask.heard) > ANSWER_SILENT;
            (is_silent || now.since(ask.progress) > ANSWER_STALLS).then_some(*number)
        };
        let mut silent: Vec<u64> = self.asks.under_way.iter().filter_map(silent).collect();
        silent.sort_unstable();
        silent.into_iter().for_each(|number| self.fail_ask(number));
        let owing = |(number, ask): (&u64, &Ask)| {
            (ask.next > 0 && now.since(ask.credit_at) >= REPEATS).then_some(*number)
        };
        let mut owing: Vec<u64> = self.asks.under_way.iter().filter_map(owing).collect();
        owing.sort_unstable();
        owing.into_iter().for_each(|number| self.give_credit(number));
        for site in self.sites.all() {
            self.ask(site);
        }
    }

    fn ask(&mut self, site: SiteId) {
        if !self.sites[site].answers() || !self.speaks() || !self.uplink.takes_control() {
            return;
        }
        let (now, entry) = (self.now, &mut self.sites[site]);
        let mut vnis = Vec::new();
        while vnis.len() < VNIS_PER_MESSAGE
            && let Some(&(then, vni)) = entry.needs.first()
            && then <= now
        {
            entry.needs.pop_first();
            vnis.push(vni);
        }
        if vnis.is_empty() {
            return;
        }
        let (epoch, is_warm) = (entry.epoch, !entry.is_warming());
        let inbox = self.asks.next_number();
        for vni in &vnis {
            let Some(import) = self.imports.get_mut(site, *vni) else { continue };
            import.need = None;
            import.ask = Some(inbox);
            let target = target(import, epoch);
            import.target = target;
            let half = &mut import.pair[target];
            half.is_dirty |= half.is_used;
            if !half.is_used {
                half.epoch = epoch;
            }
        }
        let vni_steps = vnis::steps(vnis.iter().copied());
        let mut under_way = AHashSet::with_hasher(self.asks.hasher.clone());
        under_way.extend(vnis);
        let ask = Ask {
            site,
            vnis: under_way,
            next: 0,
            heard: now,
            progress: now,
            credited: 0,
            bytes_since: 0,
            credit_at: now,
            is_warm,
            epoch,
        };
        self.asks.under_way.insert(inbox, ask);
        self.control(site, Kind::SnapshotRequest(SnapshotRequest { inbox, vni_steps }));
    }

    /// Takes a VNI out of its request.
    pub(super) fn asks_no_more(&mut self, site: SiteId, vni: Vni) {
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        let Some(number) = import.ask.take() else { return };
        if let Some(ask) = self.asks.under_way.get_mut(&number) {
            ask.vnis.remove(&vni);
            if ask.vnis.is_empty() {
                self.asks.under_way.remove(&number);
            }
        }
    }

    /// A request has failed: asks again.
    pub(super) fn fail_ask(&mut self, number: u64) {
        let Some(ask) = self.asks.under_way.remove(&number) else { return };
        self.sites[ask.site].counts.failed += 1;
        let mut vnis: Vec<Vni> = ask.vnis.into_iter().collect();
        vnis.sort_unstable();
        for vni in vnis {
            if let Some(import) = self.imports.get_mut(ask.site, vni) {
                import.ask = None;
            }
            self.need(ask.site, vni, Duration::ZERO);
        }
    }

    /// All requests to a site have failed.
    pub(super) fn fail_asks_of(&mut self, site: SiteId) {
        let of_site = |(number, ask): (&u64, &Ask)| (ask.site == site).then_some(*number);
        let mut numbers: Vec<u64> = self.asks.under_way.iter().filter_map(of_site).collect();
        numbers.sort_unstable();
        numbers.into_iter().for_each(|number| self.fail_ask(number));
    }

    /// A part of an answer.
    pub(super) fn got_chunk(
        &mut self,
        site: SiteId,
        epoch: u64,
        (inbox, sequence): (u64, u64),
        vni: Vni,
        end: Option<u64>,
        frames: &[u8],
    ) {
        if !self.is_epoch(site, epoch) {
            return;
        }
        let now = self.now;
        let Some(ask) = self.asks.under_way.get_mut(&inbox).filter(|ask| ask.site == site) else {
            return;
        };
        if sequence != ask.next {
            if sequence > ask.next {
                self.fail_ask(inbox); // a chunk was lost
            }
            return;
        }
        ask.next += 1;
        ask.heard = now;
        if end.is_some() || !frames.is_empty() {
            ask.progress = now;
        }
        ask.epoch = epoch;
        ask.bytes_since += frames.len();
        let (is_warm, has_vni) = (ask.is_warm, ask.vnis.contains(&vni));
        let owes = ask.next - ask.credited >= CREDIT_CHUNKS || ask.bytes_since >= CREDIT_BYTES;
        if has_vni {
            self.apply_chunk(site, (epoch, inbox), vni, end, is_warm, frames);
        }
        if owes {
            self.give_credit(inbox);
        }
    }

    fn apply_chunk(
        &mut self,
        site: SiteId,
        (epoch, inbox): (u64, u64),
        vni: Vni,
        end: Option<u64>,
        is_warm: bool,
        frames: &[u8],
    ) {
        let Some(target) = self.imports.get(site, vni).map(|import| import.target) else { return };
        if self.told(site, vni, target, frames).is_err() {
            return self.poisoned(site, Some(vni));
        }
        let Some(as_of) = end else { return };
        if let Some(ask) = self.asks.under_way.get_mut(&inbox) {
            ask.vnis.remove(&vni);
            if ask.vnis.is_empty() {
                self.asks.under_way.remove(&inbox);
            }
        }
        // The site may have been barred because of this chunk.
        if let Some(import) = self.imports.get_mut(site, vni).filter(|it| it.ask == Some(inbox)) {
            import.ask = None;
            self.complete(site, vni, (epoch, as_of), is_warm);
        }
    }

    fn give_credit(&mut self, inbox: u64) {
        let now = self.now;
        let Some(ask) = self.asks.under_way.get_mut(&inbox) else { return };
        (ask.credited, ask.bytes_since, ask.credit_at) = (ask.next, 0, now);
        let (site, chunks) = (ask.site, ask.next);
        self.control(site, Kind::Credit(Credit { inbox, chunks }));
    }

    /// A site says how many chunks of an answer it has sent. The request waits on, but not for ever: an answer must make
    /// progress.
    pub(super) fn got_note(&mut self, site: SiteId, inbox: u64, chunks: u64) {
        let now = self.now;
        let Some(ask) = self.asks.under_way.get_mut(&inbox).filter(|ask| ask.site == site) else {
            return;
        };
        ask.heard = now;
        if chunks > ask.next {
            self.fail_ask(inbox);
        }
    }
}
