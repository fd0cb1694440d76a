//! Peers so regular that their KEEPALIVEs may be fetched together.
//!
//! A KEEPALIVE that comes alone costs a wake of the thread, several times what reading and answering
//! it costs: with ten thousand idle sessions that is all the CPU time there is. So a peer that has
//! sent nothing but KEEPALIVEs, each when it was expected, is *held* until shortly after the next
//! is due: its socket does not wake anybody for so few bytes as a KEEPALIVE has. Many peers are let
//! go at the same moment, and what they have sent is read in one turn.
//!
//! Whatever else a peer sends is longer and wakes at once, and so does its end. A KEEPALIVE is
//! answered late by at most a sixteenth of the interval and a little, or, from a peer whose clock is
//! fast, by one interval: two of them are long enough to wake. Both are far below the hold time. A
//! SUBSCRIBE to VNI 0 is as short as a KEEPALIVE, and waits like one.

use std::time::Duration;

use crate::ids::Moment;
use crate::wire::HEADER_LEN;

/// Bytes for which the socket of a peer that is held wakes: more than a KEEPALIVE.
pub(crate) const LOW_WATER: usize = HEADER_LEN + 1;

/// Expected KEEPALIVEs in a row that make a peer regular.
const REGULAR: u8 = 3;
/// Peers are let go at multiples of this, in microseconds: so often the thread wakes for them.
const GRID: u64 = 32_768;
/// How late a thread with much to do may read what it was told of.
const LATENESS: Duration = Duration::from_millis(100);

/// What is known of one peer's rhythm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Quiet {
    /// When the next KEEPALIVE should come.
    expected: Moment,
    regular: u8,
}

impl Quiet {
    /// The peer has sent something else.
    pub(crate) fn disturb(&mut self) {
        self.regular = 0;
    }

    /// A KEEPALIVE was read; until when the peer may be held.
    pub(crate) fn keepalive(&mut self, now: Moment, interval: Duration) -> Option<Moment> {
        let slack = interval / 16;
        let (early, late) = (self.expected.since(now), now.since(self.expected));
        let is_regular = early <= 2 * slack && late <= 2 * slack + LATENESS;
        let was_held = self.regular == REGULAR;
        self.regular = if is_regular { (self.regular + 1).min(REGULAR) } else { 0 };
        // One that was held came at some time before now, and most likely when it was expected.
        let in_time = is_regular && was_held && late <= slack + LATENESS;
        let came = if in_time { self.expected } else { now };
        self.expected = came + interval;
        let until = (self.expected + slack).0.next_multiple_of(GRID);
        (self.regular == REGULAR).then_some(Moment(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    /// KEEPALIVEs at these times in milliseconds; until when each time the peer is held.
    fn holds(times: &[u64]) -> Vec<Option<u64>> {
        let mut quiet = Quiet::default();
        let mut hold = |ms: &u64| quiet.keepalive(Moment(ms * 1000), INTERVAL);
        times.iter().map(|ms| hold(ms).map(|until| until.0 / 1000)).collect()
    }

    #[test]
    fn a_regular_peer_is_held_until_shortly_after_its_next_keepalive() {
        let held = holds(&[1000, 6000, 11_000, 16_000]);
        assert_eq!(held[..3], [None; 3]);
        assert!((21_312..21_350).contains(&held[3].unwrap()), "{held:?}");
    }

    #[test]
    fn what_is_read_at_the_end_of_a_hold_does_not_shift_the_rhythm() {
        let mut quiet = Quiet::default();
        let mut at = Moment(1_000_000);
        for round in 0..1000 {
            let until = quiet.keepalive(at, INTERVAL);
            let due = Moment(1_000_000) + INTERVAL * (round + 1);
            at = until.unwrap_or(due);
            assert!(at.since(due) < Duration::from_millis(350), "round {round}");
        }
    }

    #[test]
    fn a_peer_that_is_late_is_held_anew_from_when_it_came() {
        let held = holds(&[1000, 6000, 11_000, 16_000, 21_500]);
        assert!((26_812..26_850).contains(&held[4].unwrap()), "{held:?}");
    }

    #[test]
    fn a_peer_with_a_rhythm_of_its_own_is_not_held() {
        assert_eq!(holds(&[1000, 3000, 5000, 7000, 9000, 11_000]), [None; 6]);
        assert_eq!(holds(&[1000, 6000, 11_000, 16_000, 16_001]).last(), Some(&None));
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
