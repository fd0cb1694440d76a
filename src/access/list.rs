//! Access lists: the sources that may connect, and those that may not.

use std::collections::HashMap;
use std::net::IpAddr;

use super::prefix::Prefix;

/// Prefixes of sources, each allowed or denied. The longest prefix that contains an address decides; a prefix that is
/// both allowed and denied is denied. An address in no prefix may connect if no prefix is allowed, and may not connect
/// if at least one is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessList {
    /// Whether each prefix is allowed.
    rules: HashMap<Prefix, bool>,
    /// Lengths that occur, longest first, for IPv4 and for IPv6: a look-up tries only these.
    lengths: [Vec<u8>; 2],
    allows_others: bool,
    /// The prefixes of the rules, as they were given.
    allowed: Vec<Prefix>,
    denied: Vec<Prefix>,
}

impl Default for AccessList {
    /// The empty list: every source may connect.
    fn default() -> Self {
        Self::new([], [])
    }
}

impl AccessList {
    /// A list with these prefixes.
    #[must_use]
    pub fn new(
        allow: impl IntoIterator<Item = Prefix>,
        deny: impl IntoIterator<Item = Prefix>,
    ) -> Self {
        let (allowed, denied): (Vec<_>, Vec<_>) =
            (allow.into_iter().collect(), deny.into_iter().collect());
        let mut rules: HashMap<_, _> = allowed.iter().map(|prefix| (*prefix, true)).collect();
        let allows_others = rules.is_empty();
        rules.extend(denied.iter().map(|prefix| (*prefix, false)));
        let lengths = [true, false].map(|is_v4| {
            let of_family = rules.keys().filter(|prefix| prefix.is_v4 == is_v4);
            let mut lengths: Vec<_> = of_family.map(|prefix| prefix.len).collect();
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
            lengths
        });
        Self { rules, lengths, allows_others, allowed, denied }
    }

    /// The allowed prefixes, including those that are also denied.
    pub(crate) fn allowed(&self) -> &[Prefix] {
        &self.allowed
    }

    /// The denied prefixes.
    pub(crate) fn denied(&self) -> &[Prefix] {
        &self.denied
    }

    /// The number of allowed and of denied prefixes.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let allowed = self.rules.values().filter(|is_allowed| **is_allowed).count() as u64;
        (allowed, self.rules.len() as u64 - allowed)
    }

    /// Whether a source may connect.
    #[must_use]
    pub fn allows(&self, source: IpAddr) -> bool {
        let source = Prefix::of(source);
        let lengths = &self.lengths[usize::from(!source.is_v4)];
        let mut rules = lengths.iter().filter_map(|len| self.rules.get(&source.cut(*len)));
        rules.next().copied().unwrap_or(self.allows_others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn list(allow: &[&str], deny: &[&str]) -> AccessList {
        let parse = |texts: &[&str]| {
            texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Prefix>>()
        };
        AccessList::new(parse(allow), parse(deny))
    }

    fn allows(list: &AccessList, source: &str) -> bool {
        list.allows(source.parse().unwrap())
    }

    #[test]
    fn an_empty_list_allows_everybody() {
        let list = AccessList::default();
        assert_eq!(list, AccessList::new([], []));
        assert!(allows(&list, "192.0.2.1") && allows(&list, "2001:db8::1"));
    }

    #[test]
    fn what_is_not_listed_may_connect_unless_something_is_allowed() {
        let only_denied = list(&[], &["10.0.0.0/8"]);
        assert!(!allows(&only_denied, "10.1.2.3") && allows(&only_denied, "11.0.0.0"));
        assert!(allows(&only_denied, "2001:db8::1"));
        let allowed = list(&["10.0.0.0/8"], &[]);
        assert!(allows(&allowed, "10.1.2.3") && !allows(&allowed, "11.0.0.0"));
        assert!(!allows(&allowed, "2001:db8::1"));
    }

    #[test]
    fn the_longest_prefix_decides_and_denied_wins_a_tie() {
        let list = list(
            &["10.0.0.0/8", "10.1.1.0/24", "2001:db8::/32", "192.0.2.1"],
            &["10.1.0.0/16", "2001:db8::/32", "192.0.2.1/32"],
        );
        for (source, expected) in [
            ("10.0.0.1", true),
            ("10.1.0.1", false),
            ("10.1.1.1", true),
            ("::ffff:10.1.1.1", true),
            ("::ffff:10.1.0.1", false),
            ("2001:db8::1", false),
            ("192.0.2.1", false),
        ] {
            assert_eq!(allows(&list, source), expected, "{source}");
        }
    }

    /// Few bits, so that prefixes nest and contain addresses.
    fn address() -> impl Strategy<Value = IpAddr> {
        (any::<bool>(), 0..16_u8).prop_map(|(is_v4, n)| {
            let bits = u128::from(n) << 124;
            let v4 = IpAddr::from((u32::from(n) << 28).to_be_bytes());
            if is_v4 { v4 } else { IpAddr::from(bits.to_be_bytes()) }
        })
    }

    fn prefix() -> impl Strategy<Value = Prefix> {
        (address(), 0..=4_u8).prop_map(|(address, len)| Prefix::of(address).cut(len))
    }

    fn prefixes() -> impl Strategy<Value = Vec<Prefix>> {
        proptest::collection::vec(prefix(), 0..8)
    }

    proptest! {
        #[test]
        fn it_decides_as_a_look_at_every_prefix_does(
            allow in prefixes(),
            deny in prefixes(),
            address in address(),
        ) {
            let holds = |prefix: &&Prefix| {
                let source = Prefix::of(address);
                source.is_v4 == prefix.is_v4 && source.cut(prefix.len) == **prefix
            };
            let longest = |list: &[Prefix]| list.iter().filter(holds).map(|prefix| prefix.len).max();
            let expected = match (longest(&allow), longest(&deny)) {
                (None, None) => allow.is_empty(),
                (allowed, denied) => allowed > denied,
            };
            prop_assert_eq!(AccessList::new(allow, deny).allows(address), expected);
        }
    }
}
