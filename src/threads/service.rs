//! The time for which the reflector has had sessions, which its HELLO reports.
//!
//! From this time a leaf concludes whether a reflector's table can be complete: announcers may still be connecting to a
//! reflector that began a moment ago. The time counts from the first session, not from the start of the process,
//! because a reflector that had no sessions for a while knows as few routes as a new one.

use crate::ids::Moment;
use crate::relaxed::Relaxed;

/// Shared by all shards of a reflector, which have one clock. Changed when a session begins or ends.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// The upper half is the number of established sessions, the lower half the second in which the first of them
    /// began.
    state: Relaxed,
}

const SESSION: u64 = 1 << 32;

fn second(moment: Moment) -> u32 {
    u32::try_from(moment.since(Moment(0)).as_secs()).unwrap_or(u32::MAX)
}

impl Service {
    /// Takes over `sessions` established sessions from another process, which has had sessions for `seconds` seconds.
    pub(crate) fn go_on(&self, now: Moment, sessions: u64, seconds: u32) {
        let since = second(now).saturating_sub(seconds.saturating_add(1));
        self.change(|_| if sessions == 0 { 0 } else { SESSION * sessions + u64::from(since) });
    }

    /// A session is established.
    pub(crate) fn began(&self, now: Moment) {
        let first = SESSION | u64::from(second(now));
        self.change(|state| if state < SESSION { first } else { state + SESSION });
    }

    /// A session that was established has ended.
    pub(crate) fn ended(&self) {
        self.change(|state| state.saturating_sub(SESSION));
    }

    /// The full seconds since the first session, if there has been a session at every moment since; 0 if there is none
    /// now.
    pub(crate) fn seconds(&self, now: Moment) -> u32 {
        let state = self.state.get();
        match u32::try_from(state % SESSION) {
            // The second in which the first session began is not a full one.
            Ok(since) if state >= SESSION => second(now).saturating_sub(since.saturating_add(1)),
            _ => 0,
        }
    }

    fn change(&self, change: impl Fn(u64) -> u64) {
        let change = |state| Some(change(state));
        // The closure always returns a new value, so this cannot fail.
        self.state.update(change).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment(millis * 1000)
    }

    #[test]
    fn service_lasts_from_the_first_session_to_the_last() {
        let service = Service::default();
        assert_eq!(service.seconds(at(99_000)), 0);
        service.began(at(10_900));
        assert_eq!(service.seconds(at(11_899)), 0, "no more than is true");
        assert_eq!(service.seconds(at(12_000)), 1);
        service.began(at(20_000));
        service.ended();
        assert_eq!(service.seconds(at(50_900)), 39);
        service.ended();
        assert_eq!(service.seconds(at(60_000)), 0, "it knows nothing any more");
        service.began(at(70_000));
        assert_eq!(service.seconds(at(72_000)), 1);
    }
}
