//! [`PrefixSet`]: prefixes with lengths, as a prefix-list has them: `10.0.0.0/8 ge 24 le 32`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::sources::network_of;
use crate::wire::{Destination, IpVersion, prefix_mask};

/// A set of at most this many entries is searched one by one, which is faster than a lookup.
const FEW: usize = 8;

/// Destinations within a prefix, of some lengths: one line of a prefix-list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PrefixRange {
    prefix: Destination,
    bits: u128,
    mask: u128,
    shortest: u8,
    longest: u8,
}

/// Why a text is no [`PrefixRange`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NotAPrefixRange;

impl PrefixRange {
    /// All destinations within a prefix.
    pub(super) fn within(prefix: Destination) -> Self {
        Self::new(prefix, prefix.prefix_len(), longest(prefix.version()))
    }

    /// The prefix alone.
    pub(super) fn only(prefix: Destination) -> Self {
        Self::new(prefix, prefix.prefix_len(), prefix.prefix_len())
    }

    /// The prefix that contains all destinations of the range.
    pub(super) fn network(&self) -> Destination {
        self.prefix
    }

    fn new(prefix: Destination, shortest: u8, longest: u8) -> Self {
        let mask = prefix_mask(prefix.prefix_len());
        let (_, address, _) = prefix.parts();
        let bits = u128::from_be_bytes(address) & mask;
        Self { prefix, bits, mask, shortest, longest }
    }

    /// Whether a destination is in the range.
    pub(super) fn holds(&self, destination: &Destination) -> bool {
        let (version, address, length) = destination.parts();
        self.matches(version, u128::from_be_bytes(address), length)
    }

    #[inline]
    fn matches(&self, version: IpVersion, bits: u128, length: u8) -> bool {
        bits & self.mask == self.bits
            && (self.shortest..=self.longest).contains(&length)
            && version == self.prefix.version()
    }
}

/// `PREFIX`, `PREFIX ge LENGTH`, `PREFIX le LENGTH` or both. A prefix alone stands for itself and nothing longer.
impl FromStr for PrefixRange {
    type Err = NotAPrefixRange;

    fn from_str(text: &str) -> Result<Self, NotAPrefixRange> {
        let mut words = text.split_ascii_whitespace();
        let prefix = words.next().ok_or(NotAPrefixRange)?;
        let prefix: Destination = prefix.parse().map_err(|_| NotAPrefixRange)?;
        if prefix.network() != prefix {
            return Err(NotAPrefixRange);
        }
        let own = prefix.prefix_len();
        let (mut shortest, mut longest_said) = (None, None);
        while let Some(word) = words.next() {
            let length = words.next().and_then(|length| length.parse::<u8>().ok());
            let length = length.filter(|it| (own..=longest(prefix.version())).contains(it));
            let place = match word {
                "ge" => &mut shortest,
                "le" => &mut longest_said,
                _ => return Err(NotAPrefixRange),
            };
            if place.replace(length.ok_or(NotAPrefixRange)?).is_some() {
                return Err(NotAPrefixRange);
            }
        }
        let (from, to) = match (shortest, longest_said) {
            (None, None) => (own, own),
            (Some(from), None) => (from, longest(prefix.version())),
            (from, Some(to)) => (from.unwrap_or(own), to),
        };
        if from > to { Err(NotAPrefixRange) } else { Ok(Self::new(prefix, from, to)) }
    }
}

impl fmt::Display for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prefix.fmt(f)?;
        let own = self.prefix.prefix_len();
        if self.shortest != own {
            write!(f, " ge {}", self.shortest)?;
        }
        let is_open = self.longest == longest(self.prefix.version()) && self.shortest != own;
        if self.longest != own && !is_open {
            write!(f, " le {}", self.longest)?;
        }
        Ok(())
    }
}

fn longest(version: IpVersion) -> u8 {
    match version {
        IpVersion::V4 => 32,
        IpVersion::V6 => 128,
    }
}

/// The first of some ranges, if its prefix has at most 64 bits, in a form that is compared in a few instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct First {
    is_v6: bool,
    shortest: u8,
    longest: u8,
    bits: u64,
    mask: u64,
}

impl First {
    /// Whether a destination is in it.
    #[inline]
    pub(super) fn matches(&self, destination: &Destination) -> bool {
        let (version, address, length) = destination.parts();
        network_of(&address) & self.mask == self.bits
            && length >= self.shortest
            && length <= self.longest
            && (version == IpVersion::V6) == self.is_v6
    }
}

/// A set of ranges. A lookup costs a look at each range, or a search for each length that occurs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PrefixSet {
    all: Vec<PrefixRange>,
    /// For a large set: the masks that occur, and the places of the ranges of each prefix.
    masks: Vec<u128>,
    by_prefix: BTreeMap<Prefix, Vec<usize>>,
}

/// A mask, whether the prefix is IPv6, and the prefix's bits.
type Prefix = (u128, bool, u128);

impl PrefixSet {
    pub(super) fn new(all: Vec<PrefixRange>) -> Self {
        let mut by_prefix: BTreeMap<Prefix, Vec<usize>> = BTreeMap::new();
        if all.len() > FEW {
            for (at, PrefixRange { prefix, bits, mask, .. }) in all.iter().enumerate() {
                let key = (*mask, prefix.version() == IpVersion::V6, *bits);
                by_prefix.entry(key).or_default().push(at);
            }
        }
        let mut masks: Vec<u128> = by_prefix.keys().map(|(mask, ..)| *mask).collect();
        masks.dedup();
        Self { all, masks, by_prefix }
    }

    /// The first range.
    pub(super) fn first(&self) -> Option<First> {
        let PrefixRange { prefix, bits, mask, shortest, longest } = *self.all.first()?;
        let high = |bits: u128| u64::try_from(bits >> 64).unwrap_or(0);
        let is_v6 = prefix.version() == IpVersion::V6;
        let (bits, mask) = (high(bits), high(mask));
        (prefix.prefix_len() <= 64).then_some(First { is_v6, shortest, longest, bits, mask })
    }

    /// Whether a destination is in one of the ranges.
    pub(super) fn contains(&self, destination: &Destination) -> bool {
        let (version, address, length) = destination.parts();
        let bits = u128::from_be_bytes(address);
        if self.masks.is_empty() {
            return self.all.iter().any(|range| range.matches(version, bits, length));
        }
        let is_v6 = version == IpVersion::V6;
        self.masks.iter().any(|mask| {
            let found = self.by_prefix.get(&(*mask, is_v6, bits & mask));
            found.is_some_and(|found| {
                found.iter().any(|at| self.all[*at].matches(version, bits, length))
            })
        })
    }

    /// Whether an address is within one of the ranges.
    pub(super) fn covers(&self, address: IpAddr) -> bool {
        self.contains(&Destination::host(address))
    }
}

impl fmt::Display for PrefixSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.all.iter().enumerate() {
            if at == 4 {
                return write!(f, " and {} more", self.all.len() - at);
            }
            write!(f, "{}{range}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> PrefixSet {
        PrefixSet::new(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn has(set: &PrefixSet, destination: &str) -> bool {
        set.contains(&destination.parse().unwrap())
    }

    #[test]
    fn lengths_are_those_of_a_prefix_list() {
        let exact = set(&["10.0.0.0/8"]);
        assert!(has(&exact, "10.0.0.0/8") && has(&exact, "10.1.0.0/8"));
        assert!(!has(&exact, "10.0.0.0/9") && !has(&exact, "11.0.0.0/8"));
        let longer = set(&["10.0.0.0/8 ge 24"]);
        assert!(has(&longer, "10.1.2.0/24") && has(&longer, "10.1.2.3/32"));
        assert!(!has(&longer, "10.1.0.0/16") && !has(&longer, "11.1.2.0/24"));
        let shorter = set(&["2001:db8::/32 le 48"]);
        assert!(has(&shorter, "2001:db8::/32") && has(&shorter, "2001:db8:7::/48"));
        assert!(!has(&shorter, "2001:db8:7::/64") && !has(&shorter, "2001:db9::/48"));
        let both = set(&["0.0.0.0/0 ge 25 le 28"]);
        assert!(has(&both, "192.0.2.0/28") && !has(&both, "192.0.2.0/29"));
        assert!(!has(&both, "::/26"), "an IPv6 prefix is in no IPv4 range");
    }

    #[test]
    fn many_are_found_as_few_are() {
        let texts: Vec<_> = (0..200).map(|at| format!("10.{at}.0.0/16 ge 24 le 28")).collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).chain(["2001:db8::/32"]).collect();
        let many = set(&texts);
        assert!(has(&many, "10.199.3.0/24") && has(&many, "2001:db8::/32"));
        assert!(!has(&many, "10.200.3.0/24") && !has(&many, "10.3.0.0/16"));
        for destination in ["10.7.0.0/24", "10.7.0.0/29", "10.250.0.0/24", "2001:db8::/33"] {
            let few = texts.chunks(FEW).any(|some| has(&set(some), destination));
            assert_eq!(has(&many, destination), few, "{destination}");
        }
    }

    #[test]
    fn a_range_is_shown_as_it_is_written() {
        for text in ["10.0.0.0/8", "10.0.0.0/8 ge 24", "10.0.0.0/8 le 24", "::/0 ge 48 le 64"] {
            assert_eq!(text.parse::<PrefixRange>().unwrap().to_string(), text);
        }
        let nonsense = [
            "",
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/8 ge",
            "10.0.0.0/8 ge 7",
            "10.0.0.0/8 le 33",
            "10.0.0.0/8 ge 24 ge 25",
            "10.0.0.0/8 ge 28 le 24",
            "10.0.0.0/8 eq 24",
        ];
        for text in nonsense {
            assert_eq!(text.parse::<PrefixRange>(), Err(NotAPrefixRange), "{text}");
        }
    }
}
