//! Where a run of messages is cut, so that a receiver's window stays what it was.
//!
//! Since Linux 6.6 a receiver computes anew which share of its buffer it advertises, each time a
//! segment comes that is longer than the length it has measured. It measures the longest segment, and
//! the length of any two in a row that are equal, if they have 524 bytes or more. The window then jumps
//! although nobody has read. So no segment is longer than the first whole one, and no two shorter ones
//! in a row are equal, unless they are too short to be measured.

/// The most bytes in a segment that is too short to be measured.
pub(super) const PART: usize = 512;
/// A segment of this length makes a window grow that is smaller than the room in the buffer.
pub(super) const COAX: usize = 128;

/// The length of the next record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// One message.
    One,
    /// As few messages as reach [`COAX`] bytes.
    Coax,
    /// As many messages as fit into this number of bytes; at least one.
    Most(usize),
    /// As many messages as fit into a segment.
    Segment {
        /// The length of the first whole segment.
        whole: Option<usize>,
        /// The length of the last segment, if it was to be measured.
        last: Option<usize>,
        /// The largest number of bytes that fit.
        max: usize,
    },
}

impl Cut {
    /// The length of the record, given the ends of the waiting messages. Looks at no more of them
    /// than it needs. 0 if there are none.
    pub(crate) fn choose(self, ends: impl Iterator<Item = usize>) -> usize {
        match self {
            Self::One => longest(ends, 0).length,
            Self::Most(limit) => longest(ends, limit).length,
            Self::Coax => {
                let mut last = 0;
                for end in ends {
                    last = end;
                    if end >= COAX {
                        break;
                    }
                }
                last
            }
            Self::Segment { max, .. } if max <= PART => longest(ends, max).length,
            Self::Segment { whole, last, max } => {
                let limit = whole.unwrap_or(max).min(max);
                let found = longest(ends, limit);
                if whole.is_none() && !found.is_cut {
                    found.part // more may come in a moment
                } else if whole != Some(found.length) && last == Some(found.length) {
                    found.before
                } else {
                    found.length
                }
            }
        }
    }
}

/// Where a record may end.
#[derive(Default)]
struct Found {
    /// The last end within the limit, or the first end; the end before it; and the last end within [`PART`].
    length: usize,
    before: usize,
    part: usize,
    /// Whether more messages follow.
    is_cut: bool,
}

fn longest(ends: impl Iterator<Item = usize>, limit: usize) -> Found {
    let mut found = Found::default();
    for end in ends {
        if found.length > 0 && end > limit {
            found.is_cut = true;
            break;
        }
        found.before = if found.length > 0 { found.length } else { end };
        found.length = end;
        if end <= PART || found.part == 0 {
            found.part = end;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cut: Cut, message: usize, count: usize) -> usize {
        cut.choose((1..=count).map(|n| n * message))
    }

    #[test]
    fn no_segment_is_measured_anew() {
        let first = Cut::Segment { whole: None, last: None, max: 1400 };
        assert_eq!(of(first, 36, 1000), 1368);
        assert_eq!(of(first, 36, 38), 504, "nothing follows, but may in a moment");
        let later = |last| Cut::Segment { whole: Some(1368), last, max: 1400 };
        assert_eq!(of(later(Some(1368)), 36, 1000), 1368);
        assert_eq!(of(later(Some(1368)), 38, 1000), 1368);
        assert_eq!(of(later(Some(1368)), 54, 1000), 1350);
        assert_eq!(of(later(Some(1350)), 54, 1000), 1296, "two equal ones would be measured");
        assert_eq!(of(later(None), 36, 20), 720);
        assert_eq!(of(later(Some(720)), 36, 20), 684);
        assert_eq!(of(later(Some(600)), 600, 1), 600, "one message is the least");
        assert_eq!(of(Cut::Segment { whole: None, last: None, max: 500 }, 36, 1000), 468);
    }

    #[test]
    fn other_records_hold_at_least_one_message() {
        assert_eq!(
            (of(Cut::One, 36, 9), of(Cut::One, 1000, 9), of(Cut::One, 36, 0)),
            (36, 1000, 0)
        );
        assert_eq!(
            (of(Cut::Coax, 36, 9), of(Cut::Coax, 36, 2), of(Cut::Coax, 300, 2)),
            (144, 72, 300)
        );
        assert_eq!((of(Cut::Most(100), 36, 9), of(Cut::Most(100), 300, 2)), (72, 300));
    }
}
