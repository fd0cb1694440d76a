//! What a peer's window proves about the bytes that the peer has not read.
//!
//! The right edge of the window is the number of acknowledged bytes plus the window. Even if the peer reads nothing,
//! the edge moves, but by less than what is sent. There are two reasons. Bytes may take less room in the buffer than
//! the window counts for them (the code assumes at least a quarter of their length). And windows are rounded up, so
//! each segment can move the edge by its length modulo the window's unit. If the edge moves further than that, by a
//! *surplus*, the peer has read: a client that reads takes all available bytes. So all bytes that were acknowledged
//! before the surplus began have been read, and bytes sent since then count as unread.
//!
//! While the window is smaller than the room in the buffer, the edge proves nothing: Linux raises it by two segment
//! sizes for each segment of 128 bytes or more. That is so at first, and each time the buffer has grown. So a window
//! that is larger than ever before proves something only after [`SETTLED`] further bytes that have not made it larger.
//!
//! If the window is as large as its largest so far, the peer does not have much unread. This requires that the largest
//! was seen while little was unread, and that the window's share of the buffer has not shrunk since.

use std::collections::VecDeque;

use super::cut::COAX;
use crate::session::TcpInfo;

/// A window that this many bytes have not made larger has no more room to grow into.
const SETTLED: u64 = 3 * 1024;
/// If more bytes than this may be unread when the window settles, it has more room once they are read.
const CROWDED: u64 = 12 * 1024;
/// By how much the edge may exceed the expected one, besides the window's unit.
const SLACK: u64 = 512;
/// A settled window may grow by this much besides its unit: its largest value was not seen at the
/// moment when everything had been read.
const CREEP: u64 = 2 * 1024;
/// Under memory pressure the window is a few segments, read or not: if a window that was larger than [`LARGE`]
/// falls below this fraction, it proves nothing.
const PRESSED: u64 = 8;
const LARGE: u64 = 48 * 1024;
/// The window has shrunk for good if it stays below the largest by this much, and this often in a row.
const SHRUNK: u64 = 8 * 1024;
const SHRUNK_TIMES: u32 = 3;

/// A segment that is not acknowledged yet.
#[derive(Debug)]
pub(super) struct Segment {
    /// The number of bytes sent up to its end.
    pub(super) end: u64,
    pub(super) length: u64,
}

/// The result of a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// Bytes that are not acknowledged.
    pub(super) unacked: u64,
    /// Whether further bytes are acknowledged, and whether they made the window larger than ever.
    pub(super) has_moved: bool,
    pub(super) grew: bool,
    /// Whether the edge proves that the peer has read.
    pub(super) is_proof: bool,
}

/// One look at the window.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct WindowSample {
    pub(super) edge: u64,
    /// The number of sent bytes that are acknowledged.
    pub(super) acked: u64,
    /// Of these, bytes in segments shorter than the window's unit.
    pub(super) short: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// An upper bound of the bytes that the peer has not read.
    pub(super) unread: u64,
    /// Bytes sent in all; bytes sent in segments shorter than the unit; and the segments that are not acknowledged.
    pub(super) sent: u64,
    pub(super) short: u64,
    pub(super) flight: VecDeque<Segment>,
    /// The bytes that the kernel had counted as acknowledged before the first byte was sent here.
    pub(super) offset: Option<u64>,
    pub(super) last: WindowSample,
    /// The surplus (see the module's documentation), and the last look before it began.
    pub(super) surplus: u64,
    pub(super) begin: WindowSample,
    /// The largest window; by how much it has crept up; whether it was seen while next to nothing was unread; the
    /// largest since the last proof; and how often in a row that was much smaller.
    pub(super) full: u64,
    pub(super) crept: u64,
    pub(super) is_sure: bool,
    pub(super) recent: u64,
    pub(super) shrunk: u32,
    /// Bytes of segments that can make the window grow, since it last grew.
    pub(super) tested: u64,
    pub(super) is_settled: bool,
    pub(super) is_fresh: bool,
    /// Whether much may have been unread when the window settled.
    pub(super) is_crowded: bool,
    /// Bytes in segments shorter than the unit that have certainly been read.
    pub(super) short_read: u64,
    pub(super) unit: u64,
}

impl Evidence {
    pub(super) fn unread(&self) -> u64 {
        self.unread
    }

    pub(super) fn sent_in_all(&self) -> u64 {
        self.sent
    }

    pub(super) fn largest_window(&self) -> u64 {
        self.full
    }

    /// Whether nothing has been proven since the window grew.
    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Whether the window has stopped growing.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    pub(super) fn sent(&mut self, bytes: u64) {
        self.unread += bytes;
        self.sent += bytes;
        if bytes < self.unit {
            self.short += bytes;
        }
        if bytes > 0 {
            self.flight.push_back(Segment { end: self.sent, length: bytes });
        }
    }

    /// Notes that everything that was sent has been read.
    pub(super) fn all_is_read(&mut self) {
        self.unread = 0;
        (self.surplus, self.short_read) = (0, self.short);
    }

    /// Takes in a look at a window in steps of `unit` bytes.
    pub(super) fn update(&mut self, tcp_info: TcpInfo, window: u64, unit: u64) -> Seen {
        self.unit = unit;
        let is_first = self.offset.is_none();
        let before = (tcp_info.acked + tcp_info.unacked).saturating_sub(self.sent);
        let mut is_proof = false;
        let offset = *self.offset.get_or_insert(before);
        let acked = tcp_info.acked.saturating_sub(offset).min(self.sent).max(self.last.acked);
        let unacked = self.sent - acked;
        let (expected, short) = self.acknowledged(acked);
        let look = WindowSample {
            edge: tcp_info.acked + window.min(self.full),
            acked,
            short: self.last.short + short,
        };
        let has_moved = acked > self.last.acked;
        let larger = window.saturating_sub(self.full);
        self.crept += larger;
        if is_first || (larger > 0 && !self.is_settled) || self.crept > CREEP + unit {
            if self.is_settled {
                // There was no more room, so the peer has read since the last look.
                self.unread = self.unread.min(self.sent - self.last.acked);
            }
            // The first look is at a peer to which nothing has been sent.
            (self.full, self.is_sure) = (window, is_first);
            (self.is_settled, self.is_fresh, self.tested, self.crept) = (false, true, 0, 0);
        } else if !self.is_settled && self.tested >= SETTLED {
            (self.is_settled, self.surplus, self.recent) = (true, 0, 0);
            self.is_crowded = self.unread > CROWDED;
        } else if self.is_settled {
            is_proof = self.weigh(look, window - larger, expected, unacked);
        }
        self.full = self.full.max(window);
        self.last = look;
        Seen { unacked, has_moved, grew: larger > 0 && !is_first, is_proof }
    }

    /// Forgets the segments that have been acknowledged. Returns by how much they can move the edge of a
    /// peer that reads nothing, and the bytes of the short ones.
    fn acknowledged(&mut self, acked: u64) -> (u64, u64) {
        let (mut expected, mut short) = (0, 0);
        while let Some(segment) = self.flight.pop_front_if(|segment| segment.end <= acked) {
            let length = segment.length;
            expected += (length - length / 4).max(length % self.unit);
            short += if length < self.unit { length } else { 0 };
            self.tested += if length >= COAX as u64 { length } else { 0 };
        }
        (expected, short)
    }

    fn weigh(&mut self, look: WindowSample, window: u64, expected: u64, unacked: u64) -> bool {
        if self.full > LARGE && window < self.full / PRESSED {
            self.surplus = 0;
            return false;
        }
        self.recent = self.recent.max(window);
        if self.surplus == 0 {
            self.begin = self.last;
        }
        let moved = look.edge.checked_sub(self.last.edge);
        self.surplus = moved.map_or(0, |moved| (self.surplus + moved).saturating_sub(expected));
        let is_proof = self.surplus > SLACK + self.unit;
        if is_proof {
            self.unread = self.unread.min(self.sent - self.begin.acked);
            self.short_read = self.begin.short;
            self.surplus = 0;
            self.is_sure |= window + self.unit + CREEP >= self.full;
            (self.crept, self.is_fresh) = (0, false);
            if self.is_crowded {
                (self.is_settled, self.is_sure, self.tested) = (false, false, 0);
                self.is_fresh = true;
            }
            self.note_shrinking();
        }
        if self.is_sure {
            let dip = 4 * (self.full.saturating_sub(window) + self.unit);
            self.unread = self.unread.min(dip + (self.short - self.short_read) + unacked);
        }
        is_proof
    }

    /// After a proof: the window was, for a moment, as large as it gets. Checks whether it has shrunk for good.
    fn note_shrinking(&mut self) {
        if self.recent + SHRUNK >= self.full {
            self.shrunk = 0;
        } else {
            self.shrunk += 1;
            if self.shrunk >= SHRUNK_TIMES {
                (self.full, self.is_sure, self.shrunk) = (self.recent, false, 0);
            }
        }
        self.recent = 0;
    }
}
