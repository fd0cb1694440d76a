//! Snapshots that other sites ask for.
//!
//! For each VNI a peer of its own subscribes and pulls chunks by the cursor that every subscriber has: first
//! the dump, then what has changed meanwhile. It goes on until it and [`EXPORTER`](crate::ids::link::EXPORTER) are
//! both in sync. At that moment both know the same, so the number of the exporter's latest delta says exactly
//! what the answer holds.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::envelope::{Content, FRAMES_MAX};
use super::export::ExportState;
use super::form::control::Kind;
use super::form::{Note, SnapshotRequest};
use super::settings::{
    ANSWER_WAITS, ANSWERS_AT_ONCE, CREDIT_SILENT, REPEATS, VNIS_AT_ONCE, VNIS_PER_SITE, WINDOW,
};
use super::uplink::Address;
use super::{Link, frames, vnis};
use crate::ids::link::{self as peers, SiteId};
use crate::ids::{Moment, PeerId};
use crate::shard::Request;
use crate::table::{Batch, Chunk};
use crate::wire::Vni;

/// The most bytes, and the most chunks, that may be under way without credit.
const WINDOW_BYTES: usize = WINDOW * FRAMES_MAX;
const WINDOW_CHUNKS: usize = 4096;
/// How many answers are remembered, so that a request that comes twice is answered once.
const SERVED: usize = 64;

/// A VNI of an answer under way.
#[derive(Debug)]
struct Job {
    vni: Vni,
    /// The peer that subscribes to the VNI, once it does.
    peer: Option<PeerId>,
    is_pulling: bool,
    is_in_sync: bool,
}

/// The answer to one request.
#[derive(Debug)]
struct Answer {
    asker: SiteId,
    inbox: u64,
    todo: VecDeque<Vni>,
    jobs: Vec<Job>,
    /// The numbers of chunks sent, and of chunks that the asker has confirmed as applied.
    sent: u64,
    credited: u64,
    /// The bytes of each unconfirmed chunk, oldest first.
    under_way: VecDeque<usize>,
    bytes_under_way: usize,
    has_begun: bool,
    /// When credit last rose.
    credit_at: Moment,
    noted_at: Moment,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Answers {
    list: Vec<Answer>,
    served: VecDeque<(SiteId, u64)>,
    /// The number of the latest peer.
    serial: u64,
    /// The number of jobs that are in sync while the exporter is not.
    in_sync: usize,
    /// Whether an event has come for which an answer may wait.
    pub(super) is_stirred: bool,
}

impl Answers {
    /// The number of the latest peer.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// Continues the numbering of peers after `serial`.
    pub(super) fn begin_behind(&mut self, serial: u64) {
        self.serial = serial;
    }

    /// Whether an answer holds a VNI.
    pub(super) fn hold(&self, vni: Vni) -> bool {
        let holds = |answer: &Answer| {
            answer.jobs.iter().any(|job| job.vni == vni) || answer.todo.contains(&vni)
        };
        self.list.iter().any(holds)
    }

    /// The number of answers under way or waiting.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    fn find(&self, peer: PeerId) -> Option<(usize, usize)> {
        self.list.iter().enumerate().find_map(|(at, answer)| {
            Some((at, answer.jobs.iter().position(|job| job.peer == Some(peer))?))
        })
    }
}

impl Answer {
    fn has_window(&self) -> bool {
        let pulling = self.jobs.iter().filter(|job| job.is_pulling).count();
        self.bytes_under_way + pulling * FRAMES_MAX < WINDOW_BYTES
            && self.under_way.len() + pulling < WINDOW_CHUNKS
    }

    /// The VNIs that the answer holds.
    fn vnis(&self) -> impl Iterator<Item = Vni> + '_ {
        self.todo.iter().copied().chain(self.jobs.iter().map(|job| job.vni))
    }
}

impl Link {
    /// A site requests snapshots of VNIs.
    pub(super) fn got_snapshot_request(&mut self, asker: SiteId, request: &SnapshotRequest) {
        let key = (asker, request.inbox);
        if !self.exports.is_open() || self.answers.served.contains(&key) {
            return;
        }
        if self.answers.served.len() >= SERVED {
            self.answers.served.pop_front();
        }
        self.answers.served.push_back(key);
        let vnis: Vec<Vni> =
            vnis::from_steps(&request.vni_steps).take(super::settings::VNIS_PER_MESSAGE).collect();
        // A newer request of a site replaces an older one for the same VNIs.
        while let Some(at) = self.answers.list.iter().position(|answer| {
            answer.asker == asker && answer.vnis().any(|vni| vnis.binary_search(&vni).is_ok())
        }) {
            self.end_answer(at);
        }
        let of_asker = self.answers.list.iter().filter(|answer| answer.asker == asker);
        let named: usize = of_asker.map(|answer| answer.vnis().count()).sum();
        if vnis.is_empty() || named + vnis.len() > VNIS_PER_SITE {
            return; // the site asks again
        }
        for vni in &vnis {
            self.wanted_by(asker, *vni);
        }
        self.answers.list.push(Answer {
            asker,
            inbox: request.inbox,
            todo: vnis.into(),
            jobs: Vec::new(),
            sent: 0,
            credited: 0,
            under_way: VecDeque::new(),
            bytes_under_way: 0,
            has_begun: false,
            credit_at: self.now,
            noted_at: self.now,
        });
        self.answers.is_stirred = true;
    }

    /// A site has confirmed chunks as applied.
    pub(super) fn got_credit(&mut self, asker: SiteId, inbox: u64, chunks: u64) {
        let now = self.now;
        let Some(answer) = self
            .answers
            .list
            .iter_mut()
            .find(|answer| answer.asker == asker && answer.inbox == inbox)
        else {
            return;
        };
        let chunks = chunks.min(answer.sent);
        // Only rising credit keeps an answer alive, or credit for all chunks sent.
        if chunks > answer.credited || chunks == answer.sent {
            answer.credit_at = now;
        }
        while answer.credited < chunks {
            answer.credited += 1;
            answer.bytes_under_way -= answer.under_way.pop_front().unwrap_or(0);
        }
        self.answers.is_stirred = true;
    }

    /// Continues answers, if an event has come for which one may wait.
    pub(super) fn go_on_answering(&mut self) {
        if !std::mem::take(&mut self.answers.is_stirred) {
            return;
        }
        // One answer of each asker at a time: a slow asker takes no places of others.
        let mut askers: SmallVec<[SiteId; ANSWERS_AT_ONCE]> = SmallVec::new();
        let mut at = 0;
        while at < self.answers.list.len() && askers.len() < ANSWERS_AT_ONCE {
            let asker = self.answers.list[at].asker;
            if askers.contains(&asker) {
                at += 1;
                continue;
            }
            self.go_on_with(at);
            let answer = &self.answers.list[at];
            if answer.todo.is_empty() && answer.jobs.is_empty() {
                self.answers.list.remove(at);
            } else {
                askers.push(asker);
                at += 1;
            }
        }
    }

    fn go_on_with(&mut self, at: usize) {
        let now = self.now;
        let answer = &mut self.answers.list[at];
        if !std::mem::replace(&mut answer.has_begun, true) {
            answer.credit_at = now;
        }
        while answer.jobs.len() < VNIS_AT_ONCE
            && let Some(vni) = answer.todo.pop_front()
        {
            answer.jobs.push(Job { vni, peer: None, is_pulling: false, is_in_sync: false });
        }
        let mut place = 0;
        while let Some(job) = self.answers.list[at].jobs.get(place) {
            let &Job { vni, peer, is_pulling, is_in_sync } = job;
            let (state, _) = self.exports.state(vni);
            let is_full = self.uplink.is_full();
            match (state, peer) {
                (ExportState::InSync, None) => self.begin_job(at, place),
                (ExportState::InSync, Some(_)) if is_in_sync && !is_full => {
                    self.end_job(at, place, Bytes::new());
                    continue;
                }
                (_, Some(_)) if !is_in_sync && !is_pulling => self.pull_job(at, place),
                (ExportState::Off, None) => {
                    let asker = self.answers.list[at].asker;
                    self.wanted_by(asker, vni);
                }
                _ => {}
            }
            place += 1;
        }
    }

    fn begin_job(&mut self, at: usize, place: usize) {
        self.answers.serial += 1;
        let peer = peers::answerer(self.answers.serial);
        let job = &mut self.answers.list[at].jobs[place];
        job.peer = Some(peer);
        let (vni, origin, received) = (job.vni, self.origin(peer), self.now);
        self.request(Request::Subscribe { origin, vni, received, is_retry: false });
        self.pull_job(at, place);
    }

    fn pull_job(&mut self, at: usize, place: usize) {
        let answer = &mut self.answers.list[at];
        if !answer.has_window() || !self.uplink.has_room() {
            return;
        }
        let job = &mut answer.jobs[place];
        let Some(peer) = job.peer else { return };
        job.is_pulling = true;
        let vni = job.vni;
        let shard = self.shard;
        self.request(Request::Pull { peer, shard, vni, subscription: 0 });
    }

    /// Sends the last chunk of a VNI of an answer.
    fn end_job(&mut self, at: usize, place: usize, frames: Bytes) {
        let job = self.answers.list[at].jobs.swap_remove(place);
        self.flush(job.vni); // the answer holds these changes
        let (_, sequence) = self.exports.state(job.vni);
        self.answers.in_sync -= usize::from(job.is_in_sync);
        self.counts.answers += 1;
        self.send_chunk(at, job.vni, Some(sequence), frames);
        if let Some(peer) = job.peer {
            self.request(Request::Leave { peer, vni: job.vni });
        }
    }

    fn send_chunk(&mut self, at: usize, vni: Vni, end: Option<u64>, frames: Bytes) {
        let mut pieces: Vec<Bytes> = frames::pieces(frames, FRAMES_MAX).collect();
        let last = pieces.pop().unwrap_or_default();
        let parts = pieces.into_iter().map(|frames| (frames, None)).chain([(last, end)]);
        for (frames, end) in parts {
            let answer = &mut self.answers.list[at];
            let (inbox, sequence) = (answer.inbox, answer.sent);
            answer.sent += 1;
            answer.under_way.push_back(frames.len());
            answer.bytes_under_way += frames.len();
            let to = Address::Site(Arc::clone(&self.sites[answer.asker].name));
            let payload = self.envelope(Content::Chunk { vni, sequence, inbox, end, frames });
            self.uplink.push(to, payload);
        }
    }

    /// The answer to a pull.
    pub(super) fn chunk_for_job(&mut self, peer: PeerId, vni: Vni, chunk: &Chunk) {
        let Some((at, place)) = self.answers.find(peer) else { return };
        let (state, _) = self.exports.state(vni);
        let job = &mut self.answers.list[at].jobs[place];
        job.is_pulling = false;
        job.is_in_sync = chunk.in_sync;
        self.answers.in_sync += usize::from(chunk.in_sync);
        let frames = chunk.batch.as_ref().map(|batch| batch.bytes().clone()).unwrap_or_default();
        if chunk.in_sync && state == ExportState::InSync {
            self.end_job(at, place, frames);
        } else if !frames.is_empty() {
            self.send_chunk(at, vni, None, frames);
        }
        self.answers.is_stirred = true;
    }

    /// Sends a sealed batch to jobs that are in sync while the exporter is not.
    pub(super) fn batch_for_jobs(&mut self, batch: &Arc<Batch>) {
        if self.answers.in_sync == 0 {
            return;
        }
        for at in 0..self.answers.list.len() {
            for place in 0..self.answers.list[at].jobs.len() {
                let answer = &self.answers.list[at];
                let job = &answer.jobs[place];
                let Some(peer) = job.peer.filter(|_| job.is_in_sync && job.vni == batch.vni) else {
                    continue;
                };
                if answer.has_window() && !self.uplink.is_full() {
                    self.send_chunk(at, batch.vni, None, batch.bytes().clone());
                    continue;
                }
                self.answers.list[at].jobs[place].is_in_sync = false;
                self.answers.in_sync -= 1;
                let (vni, from) = (batch.vni, Arc::clone(batch));
                self.request(Request::FellBehind { peer, vni, from });
            }
        }
    }

    /// Ends an answer whose peer is too far behind. The site asks again.
    pub(super) fn end_answer_of(&mut self, peer: PeerId) {
        if let Some((at, _)) = self.answers.find(peer) {
            self.end_answer(at);
        }
    }

    fn end_answer(&mut self, at: usize) {
        let answer = self.answers.list.remove(at);
        for Job { vni, peer, is_in_sync, .. } in answer.jobs {
            self.answers.in_sync -= usize::from(is_in_sync);
            if let Some(peer) = peer {
                self.request(Request::Leave { peer, vni });
            }
        }
        self.answers.is_stirred = true;
    }

    pub(super) fn end_answers(&mut self) {
        while !self.answers.list.is_empty() {
            self.end_answer(0);
        }
    }

    /// Ends all answers to a site.
    pub(super) fn end_answers_to(&mut self, asker: SiteId) {
        while let Some(at) = self.answers.list.iter().position(|answer| answer.asker == asker) {
            self.end_answer(at);
        }
    }

    /// Ends answers without credit, and tells askers how many chunks were sent.
    pub(super) fn tick_answers(&mut self) {
        let now = self.now;
        let is_over = |answer: &Answer| {
            let patience = if answer.has_begun { CREDIT_SILENT } else { ANSWER_WAITS };
            now.since(answer.credit_at) > patience
        };
        while let Some(at) = self.answers.list.iter().position(is_over) {
            self.end_answer(at);
        }
        for at in 0..self.answers.list.len() {
            let answer = &mut self.answers.list[at];
            if now.since(answer.noted_at) < REPEATS {
                continue;
            }
            answer.noted_at = now;
            let (asker, inbox, chunks) = (answer.asker, answer.inbox, answer.sent);
            self.control(asker, Kind::Note(Note { inbox, chunks }));
        }
        // There may be room again, which no event tells.
        self.answers.is_stirred = true;
    }
}
