//! The data that waits to be written to one peer. Pure.
//!
//! State: control messages (HELLO, KEEPALIVE answers), which overtake all other data, and a queue of references to
//! shared batches. One write is in flight at a time, and the next is built when that one is done. So for a slow socket
//! several batches go into one write.
//!
//! [`OutboxBounds`]: above `budget` bytes the outbox refuses a batch, and the peer goes on in that VNI by a cursor
//! ([`Outbox::offer`]). Chunks that answer a cursor are asked for one or two at a time and only below `low_water`, so
//! they need no bound of their own.
//!
//! The outbox also refuses a batch that changes a destination which an unsent batch changes too: both changes must
//! reach the peer together, withdrawals first, and a cursor sends them so.
//!
//! Imports: ids, portable, session, table, wire.

mod buffer;
mod flight;
mod portable;
#[cfg(any(test, fuzzing))]
pub(crate) mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use buffer::{Gather, OutBuf, SLICES_MAX};
use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use self::flight::Flight;
use crate::ids::{Moment, PeerId};
use crate::session::Cut;
use crate::table::{Batch, Tally};
use crate::wire::{HEADER_LEN, Message, Vni, whole_frames};

/// The bounds of outboxes and of writes; the same for all peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutboxBounds {
    /// The bytes that may wait for one peer as references to shared batches.
    pub budget: usize,
    /// Below this number of bytes a peer that is behind asks for the next chunk.
    pub low_water: usize,
    /// Pieces up to this number of bytes are copied together. A write holds references to larger pieces: a copy would
    /// cost more than the slice that it saves.
    pub copy_max: usize,
    /// The bytes of one write of several pieces.
    pub write_max: usize,
}

impl Default for OutboxBounds {
    fn default() -> Self {
        Self { budget: 1 << 20, low_water: 64 * 1024, copy_max: 256, write_max: 128 * 1024 }
    }
}

/// The largest number of batches that may wait for one peer, however small: looks at all of them must stay cheap.
const ITEMS_MAX: usize = 1024;
/// With more control bytes than this, a further KEEPALIVE answer says nothing new. It is more than the longest HELLO,
/// whose first KEEPALIVE must be answered.
const CONTROL_MAX: usize = 1024;

#[derive(Debug)]
struct Item {
    vni: Vni,
    /// For a sealed batch of which nothing has been taken, the batch itself: it keeps the journal from forgetting the
    /// position at which a cursor would have to begin.
    sealed: Option<Arc<Batch>>,
    /// The journal position at which a sealed batch begins; `None` for an answer to a cursor.
    start: Option<u64>,
    /// The pieces that are left, the next one last.
    pieces: SmallVec<[Bytes; 1]>,
    /// Whether a part of it is on its way, so that the rest must follow.
    started: bool,
    /// The updates in it.
    tally: Tally,
}

impl Item {
    /// The updates that have been taken.
    fn begun(&self) -> Tally {
        if !self.started {
            return Tally::default();
        }
        let mut tally = self.tally;
        for piece in &self.pieces {
            tally -= Tally::of(piece);
        }
        tally
    }
}

/// The position from which a peer that refused a batch must go on.
#[derive(Debug)]
pub(crate) struct OfferRefusal {
    /// The first batch that the peer has not been sent: the peer knows everything before its start. Keeps
    /// the journal from forgetting that position until the VNI's owner has read this.
    pub(crate) from: Arc<Batch>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Boxed, since most peers are idle and there are many.
    flight: Option<Box<Flight>>,
    control: Vec<u8>,
    queue: VecDeque<Item>,
    /// Bits of the VNIs in the queue, and perhaps of VNIs that were in it: so most batches need no look at
    /// each item of the queue.
    vnis: u64,
    bytes: usize,
    /// Updates taken for writing since the last call of [`Outbox::take_taken`].
    taken: Taken,
    /// Batches that begin in the present write; see [`Outbox::finished`].
    finished: SmallVec<[Arc<Batch>; 2]>,
}

/// The messages of a VNI that have not been handed to the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Unsent {
    /// Batches that wait, sealed or not, and their bytes.
    pub(crate) batches: u64,
    pub(crate) bytes: u64,
    /// The journal position at which the first sealed batch begins: changes from there on are unsent.
    pub(crate) first: Option<u64>,
    /// Whether an answer to a cursor has a searched message.
    pub(crate) is_in_answer: bool,
}

/// Updates taken for writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) adds: u64,
    pub(crate) removes: u64,
}

impl Taken {
    fn add(&mut self, tally: Tally) {
        self.adds += u64::from(tally.adds);
        self.removes += u64::from(tally.removes);
    }
}

impl Outbox {
    /// The bytes that wait, without control messages.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.has_rest() && self.control.is_empty() && self.queue.is_empty()
    }

    /// Puts the rest of a write before everything else.
    pub(crate) fn put_back(&mut self, rest: Bytes) {
        debug_assert!(!self.has_rest(), "one write is in flight at a time");
        if !rest.is_empty() {
            self.flight.get_or_insert_default().rest = Some(rest);
        }
    }

    /// Queues a control message ahead of all updates.
    pub(crate) fn control(&mut self, message: &Message) {
        if *message == Message::Keepalive && self.control.len() >= CONTROL_MAX {
            return;
        }
        message.encode_into(&mut self.control);
    }

    /// Queues a sealed batch for `peer`. `Ok(false)` when the batch has nothing for it.
    ///
    /// # Errors
    /// An [`OfferRefusal`] when the peer has too much unsent, or when the batch must be merged with what
    /// is unsent. All unsent batches of that VNI are dropped then; the VNI's owner makes up for it.
    pub(crate) fn offer(
        &mut self,
        bounds: &OutboxBounds,
        peer: PeerId,
        batch: &Arc<Batch>,
    ) -> Result<bool, OfferRefusal> {
        let over_budget = self.queue.len() >= ITEMS_MAX
            || (self.bytes > 0 && self.bytes + batch.len() > bounds.budget);
        if over_budget || self.must_merge(batch) {
            let from = self.drop_sealed(batch.vni).unwrap_or_else(|| Arc::clone(batch));
            return Err(OfferRefusal { from });
        }
        let mut pieces = SmallVec::new();
        let tally = batch.for_each_piece(peer, |piece| pieces.push(piece));
        if pieces.is_empty() {
            return Ok(false);
        }
        self.push(batch.vni, Some(Arc::clone(batch)), pieces, tally);
        Ok(true)
    }

    /// Queues an answer to a cursor, with END_OF_TABLE if it completes the dump.
    pub(crate) fn catch_up(
        &mut self,
        peer: PeerId,
        vni: Vni,
        batch: Option<&Batch>,
        end_of_table: bool,
    ) {
        let mut pieces = SmallVec::new();
        let mut tally = Tally::default();
        if let Some(batch) = batch {
            tally = batch.for_each_piece(peer, |piece| pieces.push(piece));
        }
        if end_of_table {
            let mut frame = Vec::new();
            Message::EndOfTable(vni).encode_into(&mut frame);
            pieces.push(frame.into());
        }
        if !pieces.is_empty() {
            self.push(vni, None, pieces, tally);
        }
    }

    /// Drops the waiting messages of a VNI: its subscription is over. Also drops the rest of a batch that has begun to
    /// be sent. The cut is between messages; after the next SUBSCRIBE, the rest would look like news.
    pub(crate) fn forget(&mut self, vni: Vni) {
        let Self { bytes, taken, .. } = self;
        self.queue.retain(|item| {
            let keep = item.vni != vni;
            if !keep {
                *bytes -= item.pieces.iter().map(Bytes::len).sum::<usize>();
                taken.add(item.begun());
            }
            keep
        });
    }

    /// Whether the rest of a write that was begun elsewhere waits: take it before anything else.
    pub(crate) fn has_rest(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.rest.is_some())
    }

    /// The rest of a write that was begun elsewhere.
    pub(crate) fn take_rest(&mut self) -> Option<OutBuf> {
        let rest = self.flight.as_mut()?.rest.take()?;
        self.flight.get_or_insert_default().begin(true);
        Some(OutBuf::Shared(rest))
    }

    /// The next write, after the rest of another write has gone. For several pieces it uses
    /// `buffer`, which is empty. `None` when nothing waits.
    pub(crate) fn next_write(
        &mut self,
        bounds: &OutboxBounds,
        buffer: impl FnOnce() -> Gather,
    ) -> Option<OutBuf> {
        self.flight.get_or_insert_default().begin(false);
        if self.control.is_empty() {
            let is_lone = self.queue.len() == 1 && self.queue.front()?.pieces.len() == 1;
            if is_lone || self.queue.is_empty() {
                return self.next_piece(usize::MAX).map(OutBuf::Shared);
            }
        }
        let mut out = buffer();
        self.take_control(&mut out);
        while let Some(piece) = self.queue.front().and_then(|item| item.pieces.last())
            && (out.is_empty() || out.len() + piece.len() <= bounds.write_max)
            && !out.is_full()
        {
            let Some(piece) = self.next_piece(usize::MAX) else { break };
            if piece.len() <= bounds.copy_max {
                out.copy(&piece);
            } else {
                out.share(piece);
            }
        }
        Some(OutBuf::Gathered(out))
    }

    /// The next write of whole messages, as long as `cut` says; without a `cut` only control messages.
    pub(crate) fn next_record(
        &mut self,
        cut: Option<Cut>,
        buffer: impl FnOnce() -> Gather,
    ) -> Option<OutBuf> {
        if self.control.is_empty() && (cut.is_none() || self.queue.is_empty()) {
            return None;
        }
        self.flight.get_or_insert_default().begin(false);
        let mut out = buffer();
        self.take_control(&mut out);
        let length = cut.map_or(0, |cut| cut.choose(self.ends(out.len())));
        while out.len() < length
            && let Some(piece) = self.next_piece(length - out.len())
        {
            out.copy(&piece);
        }
        Some(OutBuf::Gathered(out))
    }

    /// The ends of the waiting messages, behind `first` bytes that go first, if there are any.
    fn ends(&self, first: usize) -> impl Iterator<Item = usize> {
        let mut end = first;
        let pieces = self.queue.iter().flat_map(|item| item.pieces.iter().rev());
        let frames = pieces.flat_map(|piece| frame_lengths(piece)).map(move |length| {
            end += length;
            end
        });
        (first > 0).then_some(first).into_iter().chain(frames)
    }

    /// Gives back memory that is needed only while messages wait.
    pub(crate) fn rest(&mut self) {
        if self.queue.is_empty() && self.queue.capacity() > 0 {
            self.queue = VecDeque::new();
        }
        if self.control.is_empty() && self.control.capacity() > 0 {
            self.control = Vec::new();
        }
        if !self.has_rest() {
            self.flight = None;
        }
    }

    /// Updates taken for writing since the last call.
    pub(crate) fn take_taken(&mut self) -> Taken {
        std::mem::take(&mut self.taken)
    }

    /// Updates taken for writing since that call, including the taken part of items that were begun.
    pub(crate) fn begun(&self) -> Taken {
        let mut taken = self.taken;
        self.queue.iter().for_each(|item| taken.add(item.begun()));
        taken
    }

    /// Counts the taken part of items that were begun. For an outbox that is given up.
    pub(crate) fn give_up(&mut self) -> Taken {
        self.taken = self.begun();
        self.take_taken()
    }

    /// Drops the batches of which the last writes have taken something, all or a part: the rest must follow, so no
    /// cursor will begin at such a batch. If this was the last reference to a batch, calls `last` with its
    /// `received`: no other peer needs it.
    pub(crate) fn finished(&mut self, mut last: impl FnMut(Moment)) {
        for batch in self.finished.drain(..) {
            if let Some(batch) = Arc::into_inner(batch) {
                last(batch.received);
            }
        }
        if self.finished.capacity() > 64 {
            self.finished = SmallVec::new();
        }
    }

    /// The waiting messages of a VNI, and whether answers to a cursor have a message that `is_meant`. Costs a look at
    /// every item, and at every message of such answers, which are a few chunks at most.
    pub(crate) fn waiting(&self, vni: Vni, is_meant: impl Fn(&Message) -> bool) -> Unsent {
        let mut unsent = Unsent { is_in_answer: self.has_rest(), ..Unsent::default() };
        for item in self.queue.iter().filter(|item| item.vni == vni) {
            unsent.batches += 1;
            unsent.bytes += item.pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
            match item.start {
                Some(start) => unsent.first = unsent.first.or(Some(start)),
                None => {
                    let frames = item.pieces.iter().flat_map(|piece| whole_frames(piece));
                    let mut messages = frames.filter_map(|frame| Message::decode(&frame).ok());
                    unsent.is_in_answer |= messages.any(|message| is_meant(&message));
                }
            }
        }
        unsent
    }

    /// The first journal position whose changes of a VNI the write built last holds; `None` when it holds none.
    pub(crate) fn in_flight(&self, vni: Vni) -> Option<u64> {
        self.flight.as_ref()?.first_of(vni)
    }

    /// Whether a control message waits.
    pub(crate) fn has_control(&self) -> bool {
        !self.control.is_empty()
    }

    /// Whether answers to a cursor, or the rest of a begun batch, wait beside another
    /// item: they are not merged with it.
    #[cfg(test)]
    pub(crate) fn is_mixed(&self) -> bool {
        self.queue.len() > 1 && self.queue.iter().any(|item| item.sealed.is_none() || item.started)
    }

    fn push(
        &mut self,
        vni: Vni,
        sealed: Option<Arc<Batch>>,
        mut pieces: SmallVec<[Bytes; 1]>,
        tally: Tally,
    ) {
        pieces.reverse();
        self.bytes += pieces.iter().map(Bytes::len).sum::<usize>();
        if self.queue.is_empty() {
            self.vnis = 0;
        }
        self.vnis |= bit(vni);
        let start = sealed.as_ref().map(|batch| batch.start);
        self.queue.push_back(Item { vni, sealed, start, pieces, started: false, tally });
    }

    /// Whether `batch` changes a route again that an unsent batch of its VNI changes.
    fn must_merge(&self, batch: &Batch) -> bool {
        let Some(latest_prev) = batch.latest_prev else { return false };
        if self.vnis & bit(batch.vni) == 0 {
            return false;
        }
        self.queue
            .iter()
            .filter(|item| item.vni == batch.vni && !item.started)
            .find_map(|item| item.sealed.as_ref())
            .is_some_and(|first| latest_prev >= first.start)
    }

    /// Drops the unsent batches of a VNI and returns the first of them.
    pub(crate) fn drop_sealed(&mut self, vni: Vni) -> Option<Arc<Batch>> {
        let mut first = None;
        let bytes = &mut self.bytes;
        self.queue.retain_mut(|item| {
            if item.vni != vni || item.started || item.sealed.is_none() {
                return true;
            }
            *bytes -= item.pieces.iter().map(Bytes::len).sum::<usize>();
            if first.is_none() {
                first = item.sealed.take();
            }
            false
        });
        first
    }

    fn take_control(&mut self, out: &mut Gather) {
        if self.control.is_empty() {
            return;
        }
        out.copy(&self.control);
        self.control.clear();
        if self.control.capacity() > CONTROL_MAX {
            self.control = Vec::new();
        }
    }

    /// Takes up to `limit` bytes of the first piece.
    fn next_piece(&mut self, limit: usize) -> Option<Bytes> {
        let item = self.queue.front_mut()?;
        let piece = item.pieces.last_mut()?;
        if let Some(flight) = &mut self.flight {
            flight.take_up(item.vni, || item.start.unwrap_or(0));
        }
        let taken = piece.split_to(limit.min(piece.remaining()));
        item.started = true;
        self.finished.extend(item.sealed.take());
        if piece.is_empty() {
            item.pieces.pop();
            if item.pieces.is_empty() {
                if let Some(item) = self.queue.pop_front() {
                    self.taken.add(item.tally);
                }
                if self.queue.is_empty() && self.queue.capacity() > 64 {
                    self.queue = VecDeque::new();
                }
            }
        }
        self.bytes -= taken.len();
        Some(taken)
    }
}

/// The bit of a VNI; other VNIs have the same bit.
fn bit(vni: Vni) -> u64 {
    1 << (vni.0 % u64::BITS)
}

/// The lengths of the messages in a piece of whole messages.
fn frame_lengths(mut piece: &[u8]) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let header = piece.get(..HEADER_LEN)?;
        let length = HEADER_LEN + usize::from(u16::from_be_bytes([header[1], header[2]]));
        piece = piece.get(length..)?;
        Some(length)
    })
}
