//! Peers so regular that their KEEPALIVEs may be fetched together.
//!
//! A KEEPALIVE that comes alone costs a wake of the thread, several times what reading and answering
//! it costs: with ten thousand idle sessions that is all the CPU time there is. So a peer that has
//! sent nothing but KEEPALIVEs, each when it was expected, is *held* from shortly before until shortly
//! after the next is due: its socket does not wake anybody for so few bytes as a KEEPALIVE has. Many
//! peers are let go at the same moment, and what they have sent is read in one turn.
//!
//! A SUBSCRIBE or UNSUBSCRIBE of VNI 0 is as short as a KEEPALIVE, and the kernel cannot tell them apart. Such a
//! message must not wait for long, so a peer is held only for the tenth of a second in which its KEEPALIVE comes, and
//! not for the whole interval. Longer messages, and the end of the connection, wake the thread at once. A KEEPALIVE
//! that comes at another time wakes the thread, which only costs more.

use std::time::Duration;

use crate::ids::Moment;
use crate::wire::HEADER_LEN;

/// The number of bytes for which a held peer's socket wakes the thread: more than a KEEPALIVE.
pub(crate) const LOW_WATER: usize = HEADER_LEN + 1;

/// Expected KEEPALIVEs in a row that make a peer regular.
const REGULAR: u8 = 3;
/// Peers are held and released at multiples of this, in microseconds, so the thread wakes for them only so often.
const GRID: u64 = 32_768;
/// The least time for which a peer is held before, and after, its KEEPALIVE is expected.
const MARGIN: Duration = Duration::from_micros(GRID);
/// By how much a KEEPALIVE may be early or late: twice the margin, read by a thread that has much to do.
const TOLERANCE: Duration = Duration::from_micros(2 * GRID + 100_000);

/// The start and the end of a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hold {
    pub(crate) from: Moment,
    pub(crate) until: Moment,
}

/// The known rhythm of one peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Quiet {
    /// When the next KEEPALIVE should come.
    expected: Moment,
    regular: u8,
    /// Whether it is so regular that it is held for the next KEEPALIVE.
    holds: bool,
    /// Whether the next KEEPALIVE that is read has waited for the end of a hold.
    has_waited: bool,
}

impl Quiet {
    /// The peer has sent another message.
    pub(crate) fn disturb(&mut self) {
        (self.regular, self.holds) = (0, false);
    }

    /// The peer is not held this time.
    pub(crate) fn give_up_hold(&mut self) {
        self.holds = false;
    }

    /// A hold ends: the driver is about to read the bytes that the peer has sent ...
    pub(crate) fn end_hold(&mut self) {
        (self.holds, self.has_waited) = (false, true);
    }

    /// ... and has read them, if there were any: no KEEPALIVE that comes later has waited.
    pub(crate) fn fetched(&mut self) {
        self.has_waited = false;
    }

    /// Notes that a KEEPALIVE was read. Returns when to hold the peer for its next one.
    pub(crate) fn keepalive(&mut self, now: Moment, interval: Duration) -> Option<Hold> {
        // A KEEPALIVE that has waited came before now, and most likely when it was expected. That is true of one
        // KEEPALIVE only: a peer may send thousands while it is held.
        let came = if std::mem::take(&mut self.has_waited) { self.expected } else { now };
        let (early, late) = (self.expected.since(came), came.since(self.expected));
        let is_regular = early.max(late) <= TOLERANCE;
        self.regular = if is_regular { (self.regular + 1).min(REGULAR) } else { 0 };
        self.expected = came + interval;
        self.holds = self.regular == REGULAR;
        self.hold()
    }

    /// The present hold, or the one for the peer's next KEEPALIVE.
    pub(crate) fn hold(&self) -> Option<Hold> {
        let from = self.expected.0.saturating_sub(GRID) / GRID * GRID;
        let until = (self.expected + MARGIN).0.next_multiple_of(GRID);
        self.holds.then_some(Hold { from: Moment(from), until: Moment(until) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    /// The holds after KEEPALIVEs at these times, in milliseconds.
    fn holds(times: &[u64]) -> Vec<Option<(u64, u64)>> {
        let mut quiet = Quiet::default();
        let hold = |ms: &u64| quiet.keepalive(Moment(ms * 1000), INTERVAL);
        let ms = |hold: Hold| (hold.from.0 / 1000, hold.until.0 / 1000);
        times.iter().map(hold).map(|hold| hold.map(ms)).collect()
    }

    #[test]
    fn a_regular_peer_is_held_while_its_next_keepalive_is_due() {
        let held = holds(&[1000, 6000, 11_000, 16_000]);
        assert_eq!(held[..3], [None; 3]);
        let (from, until) = held[3].unwrap();
        assert!((20_930..20_968).contains(&from), "{held:?}");
        assert!((21_032..21_066).contains(&until), "{held:?}");
    }

    #[test]
    fn what_is_read_at_the_end_of_a_hold_does_not_shift_the_rhythm() {
        let mut quiet = Quiet::default();
        let mut at = Moment(1_000_000);
        for round in 0..1000 {
            let hold = quiet.keepalive(at, INTERVAL);
            quiet.fetched();
            let due = Moment(1_000_000) + INTERVAL * (round + 1);
            at = due;
            if let Some(hold) = hold {
                assert!(hold.from < due && due < hold.until, "round {round}");
                quiet.end_hold();
                at = hold.until;
            }
            assert!(at.since(due) < Duration::from_millis(70), "round {round}");
        }
    }

    #[test]
    fn of_many_keepalives_that_waited_one_came_when_it_was_expected() {
        let mut quiet = Quiet::default();
        let first = Moment(1_000_000);
        let hold = (0..4).filter_map(|n| quiet.keepalive(first + INTERVAL * n, INTERVAL)).last();
        quiet.end_hold();
        let now = hold.unwrap().until;
        let holds = (0..1000).filter_map(|_| quiet.keepalive(now, INTERVAL)).count();
        quiet.fetched();
        assert_eq!(holds, 1);
        assert_eq!(quiet.expected, now + INTERVAL);
        assert_eq!(quiet.hold(), None, "it is no longer regular");
    }

    #[test]
    fn a_peer_whose_clock_is_off_is_held_all_the_same() {
        for its in [INTERVAL - Duration::from_millis(1), INTERVAL + Duration::from_millis(1)] {
            let mut quiet = Quiet::default();
            let mut hold: Option<Hold> = None;
            let mut waited = 0;
            for round in 0..1000 {
                let came = Moment(1_000_000) + its * round;
                let waits = hold.filter(|hold| (hold.from..hold.until).contains(&came));
                if let Some(hold) = waits {
                    waited += 1;
                    quiet.end_hold();
                    assert!(hold.until.since(came) < Duration::from_millis(140));
                }
                hold = quiet.keepalive(waits.map_or(came, |hold| hold.until), INTERVAL);
                quiet.fetched();
            }
            assert!(waited > 950, "{waited} of 1000");
        }
    }

    #[test]
    fn a_peer_that_is_late_is_held_anew_from_when_it_came() {
        let held = holds(&[1000, 6000, 11_000, 16_000, 21_150]);
        let (from, until) = held[4].unwrap();
        assert!((26_080..26_118).contains(&from), "{held:?}");
        assert!((26_182..26_216).contains(&until), "{held:?}");
    }

    #[test]
    fn a_peer_with_a_rhythm_of_its_own_is_not_held() {
        assert_eq!(holds(&[1000, 3000, 5000, 7000, 9000, 11_000]), [None; 6]);
        assert_eq!(holds(&[1000, 6000, 11_000, 16_000, 16_001]).last(), Some(&None));
        assert_eq!(holds(&[1000, 6000, 11_000, 16_000, 21_500]).last(), Some(&None));
    }

    #[test]
    fn a_disturbed_peer_must_be_regular_again() {
        let mut quiet = Quiet::default();
        for second in [1, 6, 11] {
            quiet.keepalive(Moment(second * 1_000_000), INTERVAL);
        }
        quiet.disturb();
        assert_eq!(quiet.keepalive(Moment(16_000_000), INTERVAL), None);
    }
}
