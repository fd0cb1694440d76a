//! What the time of an acknowledgement proves.
//!
//! Linux acknowledges a short segment at once when the program reads it and nothing else is unread,
//! and after 40 ms if it does not read. At first, and after a pause, it acknowledges the next 16 at
//! once, read or not. So when more than that, one after the other, are acknowledged at once, everything
//! has been read. That needs no window, so it helps where the window says nothing yet: while it
//! grows, and after it has shrunk.

use std::time::Duration;

use crate::ids::Moment;

/// This many quick acknowledgements in a row are proof.
const ENOUGH: u32 = 24;
/// By how much an acknowledgement at once may exceed the shortest round trip. A timer for
/// 40 ms waits for 30 at least.
const AT_ONCE: Duration = Duration::from_millis(25);
/// How long to wait after a slow acknowledgement before the next try; grows while nothing is proven.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Echo {
    /// When the message was sent that is not acknowledged yet.
    pub(super) sent: Option<Moment>,
    /// The number of messages in a row that were acknowledged at once.
    pub(super) quick: u32,
    /// When to try again, and how long to wait the next time.
    pub(super) retry: Moment,
    pub(super) wait: Duration,
}

/// The next step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Send one message.
    Send,
    /// Look again soon.
    Wait,
    /// Everything has been read.
    Proof,
    /// Do nothing.
    Nothing,
}

impl Echo {
    pub(super) fn new(now: Moment) -> Self {
        Self { sent: None, quick: 0, retry: now, wait: RETRY_MIN }
    }

    /// Begins anew, because other bytes were sent or reading was proven.
    pub(super) fn reset(&mut self, now: Moment) {
        *self = Self::new(now);
    }

    /// The next step, given the unacknowledged bytes and the shortest round trip.
    pub(super) fn next(&mut self, now: Moment, unacked: u64, round_trip: Duration) -> Next {
        if let Some(sent) = self.sent {
            let took = now.since(sent);
            if took > round_trip + AT_ONCE {
                (self.sent, self.quick) = (None, 0);
                self.retry = now + self.wait;
                self.wait = (2 * self.wait).min(RETRY_MAX);
            } else if unacked > 0 {
                return Next::Wait;
            } else {
                self.sent = None;
                self.quick += 1;
                if self.quick >= ENOUGH {
                    return Next::Proof;
                }
            }
        }
        if unacked > 0 || now < self.retry {
            return Next::Nothing;
        }
        self.sent = Some(now);
        Next::Send
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(1);

    /// Sends whenever it may; message `n` is acknowledged after `took(n)` milliseconds. Returns how many make a proof.
    fn until_proof(took: impl Fn(u32) -> u64) -> Option<u32> {
        let (mut echo, mut now, mut sent) = (Echo::new(Moment(0)), Moment(0), 0);
        let mut acknowledged = now;
        while now < Moment(10_000_000) {
            match echo.next(now, u64::from(now < acknowledged), ROUND_TRIP) {
                Next::Proof => return Some(sent),
                Next::Send => {
                    sent += 1;
                    acknowledged = now + Duration::from_millis(took(sent));
                }
                Next::Wait | Next::Nothing => {}
            }
            now = now + Duration::from_millis(1);
        }
        None
    }

    #[test]
    fn messages_that_are_acknowledged_at_once_prove_that_they_are_read() {
        assert_eq!(until_proof(|_| 1), Some(24));
        assert_eq!(until_proof(|sent| if sent < 4 { 40 } else { 5 }), Some(27));
    }

    #[test]
    fn the_first_ones_after_a_pause_prove_nothing() {
        assert_eq!(until_proof(|sent| if sent % 17 == 0 { 40 } else { 0 }), None);
        assert_eq!(until_proof(|sent| if sent % 2 == 0 { 40 } else { 0 }), None);
    }
}
