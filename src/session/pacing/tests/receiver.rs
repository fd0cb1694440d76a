//! A receiver as Linux's was seen to be: its buffer, the window it advertises, and when it says so.
//!
//! Kept close to `tcp_input.c` and `tcp_output.c` of Linux 6.18, so that what depends on the lengths
//! of segments does here as well.

use crate::simulation::Rng;

/// `TCP_MSS_DEFAULT`, and the least length of a segment that lowers the measured one.
const MEASURED_MIN: u64 = 524;
const MSS_DEFAULT: u64 = 536;
/// How long an acknowledgement is delayed, in microseconds.
const DELAY: u64 = 40_000;

/// The traits in which receivers differ.
#[derive(Clone, Debug)]
pub(super) struct Traits {
    pub(super) mss: u64,
    /// The size of the buffer at first, and its largest size.
    pub(super) buffer: u64,
    pub(super) buffer_max: u64,
    /// The step of the window.
    pub(super) unit: u64,
    /// The cost of a segment beside its bytes; whether only the first of many costs it; the least room that
    /// its bytes take.
    pub(super) overhead: u64,
    pub(super) coalesces: bool,
    pub(super) least: u64,
    /// The constant value of a window that never moves.
    pub(super) fixed: Option<u64>,
    /// How many of a thousand reads let the buffer grow, and by how many bytes at most.
    pub(super) grows: (usize, usize),
    /// How many of 100,000 segments let the window shrink, and to how many hundredths at least.
    pub(super) shrinks: (usize, usize),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Receiver {
    traits: Traits,
    rng: Rng,
    pub(super) received: u64,
    pub(super) read: u64,
    /// The memory that unread bytes take.
    memory: u64,
    buffer: u64,
    /// The advertised share of the buffer, in 256ths: as the kernel has it, and as a
    /// shrinking has left it.
    ratio: u64,
    shrunk: u64,
    threshold: u64,
    segment: u64,
    last_segment: u64,
    /// The content of the last acknowledgement.
    acked: u64,
    window: u64,
    quick: u32,
    ack_due: Option<u64>,
    was_pushed: bool,
    last_arrival: u64,
    /// Autotuning: the most bytes read in a round trip, the bytes read in this one, and when it began.
    space: u64,
    copied: u64,
    round: u64,
    /// By how much the window has shrunk in all.
    pub(super) lost: u64,
}

/// An acknowledgement on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ack {
    pub(super) acked: u64,
    pub(super) window: u64,
}

impl Receiver {
    pub(super) fn new(traits: Traits, rng: Rng) -> Self {
        let threshold = (traits.buffer / 2).min(65_535);
        let window = traits.fixed.unwrap_or_else(|| threshold.next_multiple_of(traits.unit));
        Self {
            rng,
            received: 0,
            read: 0,
            memory: 0,
            buffer: traits.buffer,
            ratio: 128,
            shrunk: 256,
            threshold,
            segment: MSS_DEFAULT.min(traits.mss),
            last_segment: 0,
            acked: 0,
            window,
            quick: 16,
            ack_due: None,
            was_pushed: false,
            last_arrival: 0,
            space: threshold.min(10 * traits.mss),
            copied: 0,
            round: 0,
            lost: 0,
            traits,
        }
    }

    pub(super) fn unread(&self) -> u64 {
        self.received - self.read
    }

    /// The sender's knowledge before any byte was acknowledged.
    pub(super) fn first_ack(&self) -> Ack {
        Ack { acked: 0, window: self.window }
    }

    /// When the delayed acknowledgement goes.
    pub(super) fn ack_due(&self) -> Option<u64> {
        self.ack_due
    }

    /// Takes a segment. Returns the acknowledgement if one goes at once.
    pub(super) fn receive(&mut self, now: u64, length: u64) -> Option<Ack> {
        let alone = self.traits.overhead + length.max(self.traits.least);
        let together = self.traits.coalesces && self.unread() > 0;
        let cost = if together { length.max(self.traits.least) } else { alone };
        self.received += length;
        self.memory += cost;
        self.measure(length, alone);
        if length >= 128 {
            self.grow(length);
        }
        let (often, hundredths) = self.traits.shrinks;
        if self.rng.below(100_000) < often {
            let before = self.room();
            self.shrunk = self.shrunk * self.rng.between(hundredths, 99) as u64 / 100;
            self.lost += before - self.room();
        }
        if now - self.last_arrival > 200_000 {
            self.quick = 16;
        }
        self.last_arrival = now;
        if self.received - self.acked > self.segment || self.quick > 0 {
            self.quick = self.quick.saturating_sub(1);
            return Some(self.acknowledge());
        }
        self.was_pushed = true;
        self.ack_due.get_or_insert(now + DELAY);
        None
    }

    /// The program reads up to `most` bytes. Returns the acknowledgement if one goes at once.
    pub(super) fn read(&mut self, now: u64, most: u64, round_trip: u64) -> (u64, Option<Ack>) {
        let length = self.unread().min(most);
        if length == self.unread() {
            self.memory = 0;
        } else {
            self.memory -= self.memory * length / self.unread();
        }
        self.read += length;
        self.copied += length;
        self.tune(now, round_trip);
        let left = (self.acked + self.window).saturating_sub(self.received);
        let is_wide = 2 * left <= self.room() && self.select() >= 2 * left;
        let is_due = self.ack_due.is_some()
            && ((self.was_pushed && self.unread() == 0)
                || self.received - self.acked > self.segment);
        (length, (is_due || is_wide).then(|| self.acknowledge()))
    }

    /// Acknowledges the received bytes, with the window (`tcp_select_window`).
    pub(super) fn acknowledge(&mut self) -> Ack {
        let left = (self.acked + self.window).saturating_sub(self.received);
        let new = self.select();
        let window = if new < left { left.next_multiple_of(self.traits.unit) } else { new };
        self.window = self.traits.fixed.unwrap_or(window);
        self.acked = self.received;
        (self.ack_due, self.was_pushed) = (None, false);
        Ack { acked: self.acked, window: self.window }
    }

    fn full(&self) -> u64 {
        self.buffer * self.ratio / 256 * self.shrunk / 256
    }

    /// `tcp_space`.
    fn room(&self) -> u64 {
        self.buffer.saturating_sub(self.memory) * self.ratio / 256 * self.shrunk / 256
    }

    /// `__tcp_select_window`.
    fn select(&self) -> u64 {
        let room = self.room();
        if room < self.full() / 16 || room < self.segment {
            return 0;
        }
        room.min(self.threshold).next_multiple_of(self.traits.unit)
    }

    /// `tcp_measure_rcv_mss`.
    fn measure(&mut self, length: u64, cost: u64) {
        let last = std::mem::take(&mut self.last_segment);
        if length > self.segment {
            let before = self.room();
            self.ratio = (length * 256 / cost).max(1);
            self.lost += before.saturating_sub(self.room());
            self.segment = length.min(self.traits.mss);
        } else if length < self.segment && length >= MEASURED_MIN {
            self.last_segment = length;
            if length == last {
                self.segment = length;
            }
        }
    }

    /// `tcp_grow_window`.
    fn grow(&mut self, length: u64) {
        let room = self.room();
        if room > self.threshold {
            let step = (2 * self.segment).max(2 * length);
            self.threshold = room.min(self.threshold + step);
            self.quick = self.quick.max(1);
        }
    }

    /// `tcp_rcv_space_adjust`, and growth that has other reasons.
    fn tune(&mut self, now: u64, round_trip: u64) {
        let (often, most) = self.traits.grows;
        if self.rng.chance(often) {
            let grown = self.buffer + self.rng.below(most) as u64;
            self.buffer = grown.min(self.traits.buffer_max).max(self.buffer);
        }
        if now < self.round + round_trip {
            return;
        }
        let (copied, space) = (self.copied, self.space);
        if copied > space {
            let window = 2 * copied + 4 * copied * (copied - space) / space;
            let grown = (window * 256 / self.ratio).min(self.traits.buffer_max);
            self.buffer = self.buffer.max(grown);
            self.space = copied;
        }
        (self.copied, self.round) = (0, now);
    }
}
