//! Keys by which segments are signed with TCP-AO (RFC 5925). A prefix may have several, told apart by their numbers, so
//! that they can be changed one machine after the other.

use std::net::IpAddr;

use super::keys::{Key, KeyFile};
use super::prefix::Prefix;

/// Keys for TCP-AO, in the order of their file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct AoKeys(Vec<AoEntry>);

/// A key of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AoEntry {
    prefix: Prefix,
    /// The SendID, and the RecvID too.
    id: u8,
    key: Key,
}

impl AoEntry {
    /// The prefix, as address and length.
    pub(crate) fn prefix(&self) -> (IpAddr, u8) {
        self.prefix.parts()
    }

    pub(crate) fn id(&self) -> u8 {
        self.id
    }

    pub(crate) fn secret(&self) -> &[u8] {
        self.key.bytes()
    }
}

impl KeyFile for AoKeys {
    const OPTION: &'static str = "--tcp-ao-key-file";
    const EXAMPLE: &'static str = "PREFIX ID KEY, such as 2001:db8::/32 1 secret";

    fn insert(&mut self, prefix: Prefix, rest: &str) -> Result<(), String> {
        let (id, key) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let id = id.parse().map_err(|_| {
            format!("the ID must be a number from 0 to 255: expected {}", Self::EXAMPLE)
        })?;
        let key = Self::key(key.trim())?;
        // The kernel refuses two keys with one ID for an address.
        if let Some(other) = self.0.iter().find(|it| it.id == id && it.prefix.overlaps(prefix)) {
            return Err(format!(
                "{} has a key with ID {id} already: give another ID",
                other.prefix
            ));
        }
        self.0.push(AoEntry { prefix, id, key });
        Ok(())
    }
}

impl AoKeys {
    /// The keys for an address: those of the longest prefix, in the order of the file.
    pub(crate) fn of(&self, address: IpAddr) -> impl Iterator<Item = &AoEntry> {
        let whole = Prefix::of(address);
        let prefixes = self.0.iter().map(|entry| entry.prefix);
        let longest =
            prefixes.filter(|prefix| prefix.overlaps(whole)).max_by_key(|prefix| prefix.len);
        self.0.iter().filter(move |entry| Some(entry.prefix) == longest)
    }

    /// Adds a key.
    pub(crate) fn hold(&mut self, entry: &AoEntry) {
        self.0.push(entry.clone());
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, entry: &AoEntry) {
        self.0.retain(|it| it != entry);
    }

    /// The keys of `other` that are missing here, or have another secret here.
    pub(crate) fn lacks<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a AoEntry> {
        other.0.iter().filter(|entry| !self.0.contains(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_has_the_keys_in_the_order_of_the_file() {
        let text =
            "10.0.0.0/8 1 ten\n10.1.0.0/16 7 seven of ten one\n10.1.0.0/16 3 three\n::/0 1 six\n";
        let keys = AoKeys::parse(text).unwrap();
        let of = |address: &str| -> Vec<_> {
            let keys = keys.of(address.parse().unwrap());
            keys.map(|key| (key.id(), std::str::from_utf8(key.secret()).unwrap())).collect()
        };
        assert_eq!(of("10.1.2.3"), [(7, "seven of ten one"), (3, "three")]);
        assert_eq!(of("::ffff:10.2.2.3"), [(1, "ten")]);
        assert_eq!(of("2001:db8::1"), [(1, "six")]);
        assert_eq!(of("192.0.2.1"), []);
        assert!(!format!("{keys:?}").contains("ten"));
        let newer = AoKeys::parse("10.0.0.0/8 1 ten\n::/0 1 changed\n").unwrap();
        let gone: Vec<_> = newer.lacks(&keys).map(|key| (key.prefix().1, key.id())).collect();
        assert_eq!(gone, [(16, 7), (16, 3), (0, 1)]);
    }

    #[test]
    fn a_wrong_line_is_named_without_its_key() {
        for (text, part) in [
            ("10.0.0.0/8", "line 1: the ID must be a number from 0 to 255"),
            ("\n10.0.0.0/8 256 hidden", "line 2: the ID must be a number from 0 to 255"),
            ("10.0.0.0/8 1", "line 1: expected PREFIX ID KEY"),
            ("10.0.0.1/8 1 hidden", "line 1: the first word is not a prefix"),
            ("::/0 1 hidden\n::/0 1 hidden", "line 2: ::/0 has a key with ID 1 already"),
            ("10.0.0.0/8 1 hidden\n10.1.2.3 1 hidden", "10.0.0.0/8 has a key with ID 1 already"),
            (&format!("::/0 1 {}", "hidden".repeat(14)), "longer than 80 bytes"),
        ] {
            let why = AoKeys::parse(text).unwrap_err();
            assert!(why.contains(part) && !why.contains("hidden"), "{why}");
        }
    }
}
