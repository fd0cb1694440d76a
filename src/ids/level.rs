//! How near something is to its limit.

/// How near a number is to its limit. Each rise is reported. The level falls only when there is some room again, so
/// that a number that stands at a limit is not reported again and again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Level {
    /// Below 80 %.
    #[default]
    Fine,
    /// From 80 % on.
    Near,
    /// More than allowed, or an addition has been refused.
    Reached,
}

impl Level {
    /// The level at `used` of at most `most`; `hit` says that one more was refused. `Some` when it has risen.
    #[inline]
    pub(crate) fn look(&mut self, used: u64, most: u64, hit: bool) -> Option<Self> {
        let now = if hit || used > most {
            Self::Reached
        } else if used.saturating_mul(5) >= most.saturating_mul(4) {
            Self::Near
        } else if used.saturating_mul(4) < most.saturating_mul(3) {
            Self::Fine
        } else {
            return None;
        };
        let before = *self;
        if now > before {
            *self = now;
            return Some(now);
        }
        if now == Self::Fine {
            *self = now;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_is_told_once_until_there_is_room_again() {
        let mut level = Level::default();
        assert_eq!(level.look(79, 100, false), None);
        assert_eq!(level.look(80, 100, false), Some(Level::Near));
        assert_eq!(level.look(90, 100, false), None);
        assert_eq!(level.look(100, 100, false), None);
        assert_eq!(level.look(100, 100, true), Some(Level::Reached));
        assert_eq!(level.look(85, 100, false), None);
        assert_eq!(level.look(101, 100, false), None);
        assert_eq!(level.look(74, 100, false), None);
        assert_eq!(level.look(101, 100, false), Some(Level::Reached));
    }
}
