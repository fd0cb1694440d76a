//! [`VniSet`]: numbers of VNIs as ranges, `100-199, 300`.

use crate::wire::Vni;

/// Ranges of VNIs, in ascending order, none of which touches the next.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct VniSet(Vec<(u32, u32)>);

impl VniSet {
    /// The set of ranges that are written as `100` or `100-199`.
    ///
    /// # Errors
    /// The first text that is no range.
    pub(super) fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut ranges =
            texts.into_iter().map(|text| range(text).ok_or(text)).collect::<Result<Vec<_>, _>>()?;
        ranges.sort_unstable();
        let mut set: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match set.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => set.push((first, last)),
            }
        }
        Ok(Self(set))
    }

    /// Whether a VNI is in the set. Cost: a binary search.
    pub(super) fn contains(&self, vni: Vni) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= vni.0);
        behind > 0 && vni.0 <= self.0[behind - 1].1
    }

    /// Each VNI at which a range begins, or which follows the end of one.
    pub(super) fn edges(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(first, last)| [Some(*first), last.checked_add(1)]).flatten()
    }
}

/// `100` or `100-199`.
fn range(text: &str) -> Option<(u32, u32)> {
    let number = |text: &str| {
        let text = text.trim();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    match text.split_once('-') {
        None => number(text).map(|vni| (vni, vni)),
        Some((first, last)) => {
            number(first).zip(number(last)).filter(|(first, last)| first <= last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_and_tell_their_vnis() {
        let set = VniSet::parse(["200-299", "7", " 100 - 199 ", "8", "4294967295"]).unwrap();
        assert_eq!(set.0, [(7, 8), (100, 299), (u32::MAX, u32::MAX)]);
        for vni in [7, 8, 100, 250, 299, u32::MAX] {
            assert!(set.contains(Vni(vni)), "{vni}");
        }
        for vni in [0, 6, 9, 99, 300, u32::MAX - 1] {
            assert!(!set.contains(Vni(vni)), "{vni}");
        }
        assert_eq!(set.edges().collect::<Vec<_>>(), [7, 9, 100, 300, u32::MAX]);
        assert!(!VniSet::default().contains(Vni(0)));
    }

    #[test]
    fn a_text_that_is_no_range_is_named() {
        for text in ["", "-", "1-", "9-8", "+1", "0x10", "4294967296", "1-2-3", "all"] {
            assert_eq!(VniSet::parse(["1", text]), Err(text));
        }
    }
}
