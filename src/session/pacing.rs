//! How fast a deployed client may be sent to (protocol.md, section 5).
//!
//! The reference client takes each read for a run of whole messages and dies when one read returns
//! 65,535 bytes. So a peer that does not say it reads a stream gets whole messages, one segment at
//! a time, and no more than [`UNREAD_MAX`] bytes that it is believed not to have read. What it has
//! read follows from the window it advertises: the kernel's receive buffer shrinks by what waits in
//! it. Where the window can't be seen, a fixed pace is the floor that is safe.
//!
//! Cost: what is sent is added to an upper bound of what is unread, and the kernel is asked
//! ([`Sight`]) only when that bound leaves no room: about once in 32 KiB.

use std::time::Duration;

use crate::ids::Moment;
use crate::wire::MAX_FRAME;

/// Bytes a peer may have unread. At 48 KiB the reference client was seen to die.
const UNREAD_MAX: u64 = 32 * 1024;
/// Bytes in one send, besides the segment size: small, so that an estimate is rarely far off.
const CHUNK_MAX: u64 = 8 * 1024;
/// Where the window is not known: so many bytes each so often.
const BLIND_BYTES: u64 = 1400;
const BLIND_EVERY: Duration = Duration::from_millis(2);
/// How soon to look again whether a peer has read; grows while it has not.
const LOOK_MIN: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(20);
/// After so long without progress one small send finds out whether the estimate is wrong. It
/// doubles each time, so that a client which really reads nothing is never sent too much.
const PROBE_AFTER: Duration = Duration::from_millis(50);
const PROBE_BYTES: u64 = 1400;

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
    /// At most so many bytes, whole messages only, as one record.
    Send(usize),
    /// Nothing before this moment.
    WaitUntil(Moment),
}

/// The pace of one peer.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// Upper bound of what the peer has not read.
    unread: u64,
    /// Largest window it ever advertised.
    window_max: u64,
    mss: u64,
    blind: bool,
    /// When the estimate last went down.
    progress: Moment,
    probe_after: Duration,
    next: Moment,
}

impl Pacer {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            unread: 0,
            window_max: 0,
            mss: 0,
            blind: false,
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
        let waiting = self.next > now;
        if waiting {
            return Allowance::WaitUntil(self.next);
        }
        if self.mss == 0 || self.blind || self.room() < MAX_FRAME as u64 {
            match look() {
                Some(sight) if sight.window.is_some() => self.update(now, sight),
                _ => {
                    self.blind = true;
                    self.next = now + BLIND_EVERY;
                    return send(BLIND_BYTES);
                }
            }
        }
        if self.room() >= MAX_FRAME as u64 {
            return send(self.room().min(self.mss).min(CHUNK_MAX));
        }
        let stalled = now.since(self.progress);
        if stalled >= self.probe_after {
            self.probe_after *= 2;
            return send(PROBE_BYTES.min(self.mss));
        }
        let look_again = (stalled / 8).clamp(LOOK_MIN, LOOK_MAX).min(self.probe_after - stalled);
        self.next = now + look_again.max(LOOK_MIN);
        Allowance::WaitUntil(self.next)
    }

    /// Notes what was sent, control messages included.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.unread += bytes as u64;
    }

    fn room(&self) -> u64 {
        UNREAD_MAX.saturating_sub(self.unread)
    }

    fn update(&mut self, now: Moment, sight: Sight) {
        let window = u64::from(sight.window.unwrap_or(0));
        self.blind = false;
        self.mss = u64::from(sight.mss).max(MAX_FRAME as u64);
        self.window_max = self.window_max.max(window);
        let unread = self.window_max - window + sight.unacked;
        if unread < self.unread {
            self.progress = now;
            self.probe_after = PROBE_AFTER;
        }
        self.unread = unread;
    }
}

fn send(bytes: u64) -> Allowance {
    Allowance::Send(usize::try_from(bytes.max(MAX_FRAME as u64)).unwrap_or(MAX_FRAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that reads when told to, behind a window of 64 KiB.
    struct Client {
        unread: u64,
    }

    impl Client {
        fn sight(&self) -> Sight {
            let window = u32::try_from(65_536u64.saturating_sub(self.unread)).ok();
            Sight { mss: 1400, window, unacked: 0, acked: 0 }
        }
    }

    #[test]
    fn a_client_that_reads_nothing_never_has_a_read_full_of_unread_bytes() {
        let mut pacer = Pacer::new(Moment(0));
        let mut client = Client { unread: 0 };
        let mut now = Moment(0);
        while now < Moment(90_000_000) {
            match pacer.allow(now, &mut || Some(client.sight())) {
                Allowance::Send(bytes) => {
                    assert!(bytes <= 1400);
                    client.unread += bytes as u64;
                    pacer.sent(bytes);
                }
                Allowance::WaitUntil(then) => {
                    assert!(then > now, "waiting must move time on");
                    now = then;
                }
            }
            assert!(client.unread < 60_000, "{} bytes unread at {now:?}", client.unread);
        }
        assert!(client.unread > 32_000);
    }

    #[test]
    fn a_client_that_reads_at_once_is_sent_megabytes_a_second() {
        let mut pacer = Pacer::new(Moment(0));
        let (mut now, mut total) = (Moment(0), 0);
        while now < Moment(1_000_000) {
            match pacer.allow(now, &mut || Some(Client { unread: 0 }.sight())) {
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
