//! How fast a deployed client may be sent to (protocol.md, section 5).
//!
//! The reference client takes each read for a run of whole messages and dies when one read returns
//! 65,535 bytes. So a peer that does not say it reads a stream gets whole messages, one segment at
//! a time, and no more than [`UNREAD_MAX`] bytes that it is believed not to have read. What it has
//! read follows from the window it advertises: the kernel's receive buffer shrinks by what waits in
//! it. Where the window can't be seen, a fixed pace is the floor that is safe.
//!
//! The estimate errs when that buffer grows, which it does at the first segments, when its owner
//! reads, and then for as many segments as it takes to advertise the new size: a window that is
//! larger than ever looks like an empty buffer, though everything may be unread. So a fixed pace,
//! slower and slower, holds while the window grows, little is allowed before it has stopped, and a
//! client never gets to read much at once, since what it reads at once is what makes its buffer
//! grow. That is why the limit is far below the 32 KiB of section 5. The estimate also
//! lags: a client that has read everything says so only in its next acknowledgement. So when nothing
//! moves, single messages are sent as probes, ever more rarely.
//!
//! What remains: a client that stops reading for seconds just after its buffer has grown by hundreds
//! of KiB may be sent more than it should. Slower would hold up clients that do read for seconds.
//!
//! Cost: what is sent is added to an upper bound of what is unread, and the kernel is asked
//! ([`Sight`]) only when that bound leaves no room: about once in 8 KiB.

use std::time::Duration;

use crate::ids::Moment;
use crate::wire::MAX_FRAME;

/// Bytes a peer may have unread, as far as can be seen; with what can't be, it is several times as
/// much. With 16 KiB here, a client behind Ethernet was sent too much; more is hardly faster.
const UNREAD_MAX: u64 = 8 * 1024;
/// The same at first; it doubles whenever the window turns out not to have grown.
const UNREAD_FIRST: u64 = 2 * 1024;
/// Bytes in one send, besides the segment size: small, so that an estimate is rarely far off.
const CHUNK_MAX: u64 = 8 * 1024;
/// Where the window is not known: so many bytes each so often.
const BLIND_BYTES: u64 = 1400;
const BLIND_EVERY: Duration = Duration::from_millis(2);
/// While the window grows the fixed pace slows down to this: a slow client may be reading nothing.
const GROW_EVERY_MAX: Duration = Duration::from_millis(16);
/// How soon to look again whether a peer has read; grows while it has not.
const LOOK_MIN: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(20);
/// After so long without room one message finds out whether the estimate is wrong. It doubles each
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
    /// How high it may rise now.
    ceiling: u64,
    /// Largest window it ever advertised.
    window_max: u64,
    mss: u64,
    blind: bool,
    /// Bytes sent in all, and how many of them the peer had read when it was last seen to have read
    /// something, and when that was.
    total: u64,
    read: u64,
    taken: Moment,
    /// When there was room last.
    progress: Moment,
    probe_after: Duration,
    /// How often something is sent while the window grows.
    grow_every: Duration,
    next: Moment,
}

impl Pacer {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            unread: 0,
            ceiling: UNREAD_FIRST,
            window_max: 0,
            mss: 0,
            blind: false,
            total: 0,
            read: 0,
            taken: now,
            progress: now,
            probe_after: PROBE_AFTER,
            grow_every: BLIND_EVERY,
            next: now,
        }
    }

    /// What may be sent at `now`. Asks `look` only when it must.
    pub(crate) fn allow(
        &mut self,
        now: Moment,
        look: &mut dyn FnMut() -> Option<Sight>,
    ) -> Allowance {
        let waiting = self.next > now;
        if waiting {
            return Allowance::WaitUntil(self.next);
        }
        if self.mss == 0 || self.blind || self.room() < MAX_FRAME as u64 {
            match look() {
                Some(sight) if sight.window.is_some() => {
                    if self.update(now, sight) {
                        self.blind = true; // look again before anything else is sent
                        self.next = now + self.grow_every;
                        self.grow_every = (2 * self.grow_every).min(GROW_EVERY_MAX);
                        return send(BLIND_BYTES.min(self.mss));
                    }
                }
                sight => {
                    self.blind = true;
                    self.next = now + BLIND_EVERY;
                    let mss = sight.map_or(BLIND_BYTES, |sight| u64::from(sight.mss));
                    return send(BLIND_BYTES.min(mss));
                }
            }
        }
        if self.room() >= MAX_FRAME as u64 {
            // Less is no progress: windows are advertised in steps of up to some KiB.
            (self.progress, self.taken) = (now, now);
            self.probe_after = PROBE_AFTER;
            self.grow_every = (self.grow_every / 2).max(BLIND_EVERY);
            return send(self.room().min(self.mss).min(CHUNK_MAX));
        }
        let stalled = now.since(self.progress);
        if stalled >= self.probe_after {
            self.probe_after *= 2;
            return Allowance::Send(1);
        }
        let look_again = (stalled / 8).clamp(LOOK_MIN, LOOK_MAX).min(self.probe_after - stalled);
        self.next = now + look_again.max(LOOK_MIN);
        Allowance::WaitUntil(self.next)
    }

    /// Notes what was sent, control messages included.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.unread += bytes as u64;
        self.total += bytes as u64;
    }

    /// When the peer was last seen to have read something, or could be sent more; `None` while its
    /// window is not known. Less than two messages, or half of a tiny window, does not count:
    /// windows are advertised in steps.
    pub(crate) fn last_taken(&self) -> Option<Moment> {
        (self.window_max > 0).then_some(self.taken)
    }

    fn room(&self) -> u64 {
        self.ceiling.saturating_sub(self.unread)
    }

    /// Estimates what is unread; `true` when that can't be told because the window grew.
    fn update(&mut self, now: Moment, sight: Sight) -> bool {
        let window = u64::from(sight.window.unwrap_or(0));
        self.blind = false;
        self.mss = u64::from(sight.mss).max(MAX_FRAME as u64);
        let grew = window > self.window_max;
        if grew {
            self.window_max = window;
        } else if sight.unacked == 0 {
            self.ceiling = (2 * self.ceiling).min(UNREAD_MAX);
        }
        self.unread = self.window_max - window + sight.unacked;
        let step = (2 * MAX_FRAME as u64).min(self.window_max / 2).max(1);
        let read = self.total.saturating_sub(self.unread);
        if read >= self.read + step {
            (self.taken, self.read) = (now, read);
        }
        grew
    }
}

fn send(bytes: u64) -> Allowance {
    Allowance::Send(usize::try_from(bytes.max(MAX_FRAME as u64)).unwrap_or(MAX_FRAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client behind a receive buffer that grows as Linux's does.
    struct Client {
        unread: u64,
        buffer: u64,
        advertised: u64,
    }

    impl Client {
        fn new() -> Self {
            Self { unread: 0, buffer: 64 << 10, advertised: 64 << 10 }
        }

        fn receives(&mut self, bytes: u64) {
            self.unread += bytes;
            self.buffer = self.buffer.max(110 << 10); // the first segments show how dense data is
            self.advertise();
        }

        /// Reads everything; the sender hears of it with the next acknowledgement.
        fn reads(&mut self) {
            self.buffer = self.buffer.max(4 * self.unread);
            self.unread = 0;
        }

        fn advertise(&mut self) {
            self.advertised = (self.buffer - self.unread).next_multiple_of(4096);
        }

        fn sight(&self) -> Sight {
            Sight { mss: 1400, window: u32::try_from(self.advertised).ok(), unacked: 0, acked: 0 }
        }
    }

    /// Runs until the end, with the client reading every so many microseconds; returns the most it
    /// had unread, and how much it got.
    fn run(read_every: u64, end: u64, message: u64) -> (u64, u64) {
        let mut pacer = Pacer::new(Moment(0));
        let mut client = Client::new();
        let (mut now, mut next_read) = (0, read_every);
        let (mut most, mut total) = (0, 0);
        while now < end {
            if now >= next_read {
                client.reads();
                next_read += read_every;
            }
            match pacer.allow(Moment(now), &mut || Some(client.sight())) {
                Allowance::Send(bytes) => {
                    assert!(bytes <= 1400);
                    let bytes = (bytes as u64 / message).max(1) * message;
                    client.receives(bytes);
                    pacer.sent(usize::try_from(bytes).unwrap());
                    total += bytes;
                    now += 1;
                }
                Allowance::WaitUntil(then) => {
                    assert!(then > Moment(now), "waiting must move time on");
                    now = then.0;
                }
            }
            most = most.max(client.unread);
        }
        (most, total)
    }

    #[test]
    fn a_client_that_reads_nothing_never_has_a_read_full_of_unread_bytes() {
        for message in [40, 100] {
            let (most, _) = run(u64::MAX, 90_000_000, message);
            assert!((7_000..16_000).contains(&most), "{most}");
        }
    }

    #[test]
    fn a_client_that_reads_now_and_then_never_has_a_read_full_of_unread_bytes() {
        for read_every in [500, 5_000, 50_000, 500_000] {
            let (most, total) = run(read_every, 10_000_000, 54);
            assert!(most < 24_000, "{most} unread");
            let rounds = 10_000_000 / read_every.max(10_000);
            assert!(total > 8_000 * rounds, "{total} bytes, read every {read_every} us");
        }
    }

    #[test]
    fn a_client_that_reads_at_once_is_sent_megabytes_a_second() {
        let mut pacer = Pacer::new(Moment(0));
        let (mut now, mut total) = (Moment(0), 0);
        while now < Moment(1_000_000) {
            match pacer.allow(now, &mut || Some(Client::new().sight())) {
                Allowance::Send(bytes) => {
                    total += bytes;
                    pacer.sent(bytes);
                    now = now + Duration::from_micros(10);
                }
                Allowance::WaitUntil(then) => now = then,
            }
        }
        assert!(total > 10_000_000, "{total}");
    }

    #[test]
    fn without_a_window_the_pace_is_fixed() {
        let mut pacer = Pacer::new(Moment(0));
        let (mut now, mut total) = (Moment(0), 0);
        while now < Moment(1_000_000) {
            match pacer.allow(now, &mut || None) {
                Allowance::Send(bytes) => {
                    total += bytes;
                    pacer.sent(bytes);
                }
                Allowance::WaitUntil(then) => now = then,
            }
        }
        assert!((600_000..=701_400).contains(&total), "{total}");
    }
}
