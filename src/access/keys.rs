//! Keys by which segments are signed (TCP-MD5, RFC 2385), each for a prefix.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Prefix;

/// Bytes of a key at most, by the kernel.
const KEY_MAX: usize = 80;

/// A key. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key(Box<[u8]>);

impl Key {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Keys by prefix.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct TcpKeys(BTreeMap<Prefix, Key>);

/// Why a file of keys is not usable. The text never contains a key.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("cannot use {path} (--tcp-md5-key-file): {why}")]
#[non_exhaustive]
pub struct KeyFileError {
    path: PathBuf,
    why: String,
}

impl TcpKeys {
    /// Bytes of a file at most.
    pub(crate) const FILE_MAX: u64 = 1 << 20;

    /// Those of a file that was read: lines `PREFIX KEY`. Empty lines, and those that begin with `#`, say nothing.
    ///
    /// # Errors
    /// [`KeyFileError`]
    pub(crate) fn of_file<E: fmt::Display>(
        path: &Path,
        text: Result<String, E>,
    ) -> Result<Self, KeyFileError> {
        let text = text.map_err(|error| error.to_string());
        let why = |why| KeyFileError { path: path.to_owned(), why };
        text.and_then(|text| Self::parse(&text)).map_err(why)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut keys = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: &str| format!("line {number}: {why}");
            let (prefix, key) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| wrong("expected PREFIX KEY, such as 2001:db8::/32 secret"))?;
            let prefix: Prefix = prefix.parse().map_err(|_| wrong("that is no prefix"))?;
            let key = key.trim().as_bytes();
            if key.len() > KEY_MAX {
                return Err(wrong("the key is longer than 80 bytes"));
            }
            if keys.insert(prefix, Key(key.into())).is_some() {
                return Err(wrong("the prefix has a key already"));
            }
        }
        Ok(Self(keys))
    }

    /// All, with their prefixes as address and length.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ((IpAddr, u8), &Key)> {
        self.0.iter().map(|(prefix, key)| (prefix.parts(), key))
    }

    /// The key for an address: that of the longest prefix.
    pub(crate) fn of(&self, address: IpAddr) -> Option<&Key> {
        let whole = Prefix::of(address);
        let (_, most) = whole.parts();
        (0..=most).rev().find_map(|length| self.0.get(&whole.cut(length)))
    }

    /// Prefixes that have no key here and have one there.
    pub(crate) fn lacks<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (IpAddr, u8)> + 'a {
        let missing = other.0.keys().filter(|prefix| !self.0.contains_key(prefix));
        missing.map(|prefix| prefix.parts())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_has_the_key() {
        let text = "# keys\n\n10.0.0.0/8 ten\n 10.1.0.0/16\t ten one \n::/0 six\n";
        let keys = TcpKeys::parse(text).unwrap();
        let of = |address: &str| keys.of(address.parse().unwrap()).map(Key::bytes);
        assert_eq!(of("10.1.2.3"), Some(&b"ten one"[..]));
        assert_eq!(of("::ffff:10.2.2.3"), Some(&b"ten"[..]));
        assert_eq!(of("2001:db8::1"), Some(&b"six"[..]));
        assert_eq!(of("192.0.2.1"), None);
        assert!(!format!("{keys:?}").contains("ten"));
        let fewer = TcpKeys::parse("10.0.0.0/8 other").unwrap();
        let mut lacking: Vec<_> = fewer.lacks(&keys).map(|(address, _)| address).collect();
        lacking.sort();
        assert_eq!(lacking, [IpAddr::from([10, 1, 0, 0]), std::net::Ipv6Addr::UNSPECIFIED.into()]);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_without_the_key() {
        for (text, part) in [
            ("10.0.0.0/8", "line 1: expected PREFIX KEY"),
            ("\n10.0.0.1/8 secret", "line 2: that is no prefix"),
            ("::/0 secret\n::/0 secret", "line 2: the prefix has a key already"),
            (&format!("::/0 {}", "secret".repeat(14)), "longer than 80 bytes"),
        ] {
            let why = TcpKeys::parse(text).unwrap_err();
            assert!(why.contains(part) && !why.contains("secret\n"), "{why}");
        }
    }
}
