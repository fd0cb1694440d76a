//! For how long the reflector has had sessions, which it tells in its HELLO.
//!
//! A leaf asks itself whether a table that has come is all there is: a reflector that began a moment
//! ago is in sync with nobody yet. What counts is not the process but its sessions: one that had
//! none for a while knows as little as a new one.

use crate::ids::Moment;
use crate::relaxed::Relaxed;

/// Shared by all shards of a reflector, whose moments are of one clock. Touched once per session.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// Established sessions in the upper half, the second in which the first of them began in the lower.
    state: Relaxed,
}

const SESSION: u64 = 1 << 32;

fn second(moment: Moment) -> u32 {
    u32::try_from(moment.since(Moment(0)).as_secs()).unwrap_or(u32::MAX)
}

impl Service {
    /// So many sessions are established that have been so elsewhere, and there have been sessions for so
    /// many seconds.
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

    /// Full seconds since the first session, without a moment that had none. 0 also when there is none.
    pub(crate) fn seconds(&self, now: Moment) -> u32 {
        let state = self.state.get();
        match u32::try_from(state % SESSION) {
            // The second in which it began is not a full one.
            Ok(since) if state >= SESSION => second(now).saturating_sub(since.saturating_add(1)),
            _ => 0,
        }
    }

    fn change(&self, change: impl Fn(u64) -> u64) {
        let change = |state| Some(change(state));
        // It always changes, so there is no failure.
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
