//! How fast a deployed client may be sent to (protocol.md, section 5).
//!
//! The reference client takes each read for a run of whole messages and dies when one read returns
//! 65,535 bytes. So a peer that does not say it reads a stream gets whole messages, one segment at
//! a time, and few KiB that it has not been seen to have read. Where its window can't be seen, a
//! fixed pace is the floor that is safe.
//!
//! What can be seen is the right edge of its window: bytes acknowledged plus the window advertised.
//! While the window is what the receive buffer has room for, the edge rises only when the client
//! reads, and a client that reads takes all there is. So an edge that has risen since an earlier
//! look proves that all that was acknowledged then has been read. All that was sent since is taken
//! for unread.
//!
//! While the window is less than there is room for, the edge proves nothing: Linux raises the window
//! by two segment sizes for each segment that comes, whatever its length, read or not, until it has
//! told all the room. That is so at first, and each time the buffer has grown, which it does, by any
//! amount, when its owner reads much at once. So a window that is larger than ever is coaxed up by
//! small segments, which make it grow by ten times their length, then tried with whole ones, and not
//! relied on before it no longer grows. All that is sent meanwhile counts as unread, and the more
//! that is, the slower it goes.
//!
//! What remains: a buffer that grows by more than about 400 KiB at once, where 250 KiB in all were
//! seen, makes even a client that reads wait for seconds, and is not safe when it then stops for long.
//!
//! A client that reads says so only in its next acknowledgement. So when nothing moves, single
//! messages are sent as probes, ever more rarely.
//!
//! Cost: the kernel is asked ([`Sight`]) only once in [`ROUND`], but for each send while the window
//! grows.

use std::time::Duration;

use crate::ids::Moment;
use crate::wire::MAX_FRAME;

/// Bytes that a peer may have unread as far as is known, before it gets no more than probes.
const UNREAD_MAX: u64 = 2 * ROUND;
/// Bytes after which to look; as much is sent while the last round is not yet proven to be read.
const ROUND: u64 = 8 * 1024;
/// The window no longer grows when so many bytes were acknowledged and it has not grown.
const SETTLED: u64 = 6 * 1024;
/// How far the edge may rise without a read: one last growth and the rounding of windows.
const EDGE_SLACK: u64 = 3 * 1024;
/// Bytes in a segment that is to make the window grow; Linux ignores those shorter than 128.
const COAX_BYTES: usize = 256;
/// Such segments at once, and whole ones: a single one is acknowledged late.
const COAXING: u32 = 4;
const TRYING: u32 = 2;
/// Bytes in one send, besides the segment size: small, so that an estimate is rarely far off.
const CHUNK_MAX: u64 = 8 * 1024;
/// Where the window is not known: so many bytes each so often.
const BLIND_BYTES: u64 = 1400;
const BLIND_EVERY: Duration = Duration::from_millis(2);
/// The pause while the window grows; twice as long for each [`GROW_STEP`] above [`UNREAD_MAX`].
const GROW_EVERY: Duration = Duration::from_millis(1);
const GROW_STEP: u64 = 4 * 1024;
const GROW_DOUBLINGS: u64 = 7;
/// How soon to look again whether a peer has read; grows while it has not.
const LOOK_MIN: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(20);
/// After so long without room one message finds out whether the peer has read. It doubles each
/// time, so that a client which really reads nothing is never sent too much.
const PROBE_AFTER: Duration = Duration::from_millis(4);

/// What the kernel says of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sight {
    /// The largest segment that is not split on the way, in bytes.
    pub(crate) mss: u32,
    /// The window the peer advertises now, in bytes, if the kernel tells.
    pub(crate) window: Option<u32>,
    /// Bytes written but not acknowledged.
    pub(crate) unacked: u64,
    /// Bytes acknowledged so far.
    pub(crate) acked: u64,
}

/// What may be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Allowance {
    /// At most so many bytes, whole messages only, as one record; in any case one message.
    Send(usize),
    /// Nothing before this moment.
    WaitUntil(Moment),
}

/// The pace of one peer.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// Upper bound of what the peer has not read.
    unread: u64,
    /// The edge at an earlier look, and how much of what was sent was not acknowledged at it: once
    /// the edge has risen, no more than that is unread.
    edge: u64,
    since: u64,
    /// Largest window it ever advertised, and bytes sent since it grew last.
    window_max: u64,
    steady: u64,
    settled: bool,
    /// Segments of so many bytes that may follow at once.
    follow: (u32, usize),
    /// Zero while the window is not known.
    mss: u64,
    /// When the peer was last seen to have read, or had room.
    taken: Moment,
    /// When something was last sent or proven.
    progress: Moment,
    probe_after: Duration,
    next: Moment,
}

impl Pacer {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            unread: 0,
            edge: 0,
            since: 0,
            window_max: 0,
            steady: 0,
            settled: false,
            follow: (0, 0),
            mss: 0,
            taken: now,
            progress: now,
            probe_after: PROBE_AFTER,
            next: now,
        }
    }

    /// What may be sent at `now`. Asks `look` only when it must.
    pub(crate) fn allow(
        &mut self,
        now: Moment,
        look: &mut dyn FnMut() -> Option<Sight>,
    ) -> Allowance {
        if self.next > now {
            return Allowance::WaitUntil(self.next);
        }
        if self.follow.0 > 0 {
            self.follow.0 -= 1;
            if self.follow.0 == 0 {
                self.next = now + self.pause();
            }
            return Allowance::Send(self.follow.1);
        }
        if self.mss > 0 && self.room() >= MAX_FRAME as u64 {
            return self.send_round(now);
        }
        let sight = look();
        let mss = sight.map_or(BLIND_BYTES, |sight| sight.mss.into());
        let Some((sight, window)) = sight.and_then(|sight| Some((sight, sight.window?))) else {
            self.mss = 0;
            self.next = now + BLIND_EVERY;
            return send(BLIND_BYTES.min(mss));
        };
        let grew = self.update(now, sight, window.into());
        if !self.settled {
            return self.allow_growing(now, sight.unacked, grew);
        }
        if self.room() >= MAX_FRAME as u64 {
            return self.send_round(now);
        }
        let stalled = now.since(self.progress);
        if stalled >= self.probe_after {
            self.probe_after *= 2;
            return Allowance::Send(1);
        }
        self.look_again(now, self.probe_after - stalled)
    }

    fn send_round(&mut self, now: Moment) -> Allowance {
        (self.progress, self.taken) = (now, now);
        self.probe_after = PROBE_AFTER;
        send(self.room().min(self.mss).min(CHUNK_MAX))
    }

    /// The same while the window grows: little, and slower the more may be unread.
    fn allow_growing(&mut self, now: Moment, unacked: u64, grew: bool) -> Allowance {
        if unacked > 0 && self.unread >= MAX_FRAME as u64 {
            return self.look_again(now, LOOK_MAX); // how it took the last one is not known yet
        }
        if self.unread < UNREAD_MAX {
            self.taken = now;
        }
        self.progress = now;
        let (count, bytes) = if grew {
            (COAXING, COAX_BYTES)
        } else {
            (TRYING, to_usize(BLIND_BYTES.min(self.mss)))
        };
        if self.unread < UNREAD_MAX {
            self.follow = (count - 1, bytes);
        } else {
            self.next = now + self.pause();
        }
        Allowance::Send(bytes)
    }

    fn pause(&self) -> Duration {
        let doublings = (self.unread.saturating_sub(UNREAD_MAX) / GROW_STEP).min(GROW_DOUBLINGS);
        GROW_EVERY * (1 << doublings)
    }

    fn look_again(&mut self, now: Moment, most: Duration) -> Allowance {
        let stalled = now.since(self.progress);
        self.next = now + (stalled / 8).clamp(LOOK_MIN, LOOK_MAX).min(most).max(LOOK_MIN);
        Allowance::WaitUntil(self.next)
    }

    /// Notes what was sent, control messages included.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.unread += bytes as u64;
        self.since += bytes as u64;
        self.steady += bytes as u64;
    }

    /// When the peer was last seen to have read something, or could be sent more; `None` while its
    /// window is not known.
    pub(crate) fn last_taken(&self) -> Option<Moment> {
        (self.window_max > 0).then_some(self.taken)
    }

    /// What may be sent before the next look.
    fn room(&self) -> u64 {
        let room = UNREAD_MAX.saturating_sub(self.unread).min(ROUND.saturating_sub(self.since));
        if self.settled { room } else { 0 }
    }

    /// Takes in a look; `true` if the window is larger than ever.
    fn update(&mut self, now: Moment, sight: Sight, window: u64) -> bool {
        self.mss = u64::from(sight.mss).max(MAX_FRAME as u64);
        let edge = sight.acked + window;
        let grew = window >= self.window_max + self.mss.min(BLIND_BYTES);
        if grew {
            (self.steady, self.settled) = (0, false);
        }
        self.window_max = self.window_max.max(window);
        self.settled |= self.steady.saturating_sub(sight.unacked) >= SETTLED;
        let slack = EDGE_SLACK.min(self.window_max / 4);
        let has_read = self.settled && edge > self.edge + slack;
        if has_read {
            // The second says the same of a peer which reads a little at a time.
            let unread = self.since.max(self.window_max - window + sight.unacked);
            self.unread = self.unread.min(unread);
            (self.progress, self.taken) = (now, now);
            self.probe_after = PROBE_AFTER;
        }
        if has_read || grew || edge <= self.edge {
            (self.edge, self.since) = (edge, sight.unacked);
        }
        grew
    }
}

fn send(bytes: u64) -> Allowance {
    Allowance::Send(to_usize(bytes.max(MAX_FRAME as u64)))
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(MAX_FRAME)
}

#[cfg(test)]
mod tests;
