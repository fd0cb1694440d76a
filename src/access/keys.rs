//! Keys by which segments are signed (TCP-MD5, RFC 2385), each for a prefix; and how files of keys are read.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Prefix;

/// The most bytes of a key, a limit of the kernel.
const KEY_MAX: usize = 80;

/// A key. It is never printed.
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

/// Keys for TCP-MD5 by prefix.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct TcpKeys(BTreeMap<Prefix, Key>);

/// Why a file of keys is not usable. The text never contains a key.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("cannot use {path} ({option}): {why}")]
#[non_exhaustive]
pub struct KeyFileError {
    option: &'static str,
    path: PathBuf,
    why: String,
}

/// A file of keys. Empty lines, and lines that begin with `#`, are ignored.
pub(crate) trait KeyFile: Sized + Default {
    /// The most bytes of a file.
    const MAX: u64 = 1 << 20;
    /// The option that names it.
    const OPTION: &'static str;
    /// The form of a line and an example, for error messages.
    const EXAMPLE: &'static str;

    /// Takes the rest of a line after its prefix.
    ///
    /// # Errors
    /// What is wrong with the line, without the key.
    fn insert(&mut self, prefix: Prefix, rest: &str) -> Result<(), String>;

    /// The keys of a file; none without a file. `read` gets the path, and [`Self::MAX`] as the limit of its bytes.
    ///
    /// # Errors
    /// [`KeyFileError`]
    fn load<E: fmt::Display>(
        path: Option<&Path>,
        read: impl FnOnce(&Path, u64) -> Result<String, E>,
    ) -> Result<Self, KeyFileError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = read(path, Self::MAX).map_err(|error| error.to_string());
        let why = |why| KeyFileError { option: Self::OPTION, path: path.to_owned(), why };
        text.and_then(|text| Self::parse(&text)).map_err(why)
    }

    /// # Errors
    /// The line, and its fault.
    fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (prefix, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            prefix
                .parse()
                .map_err(|_| "the first word is not a prefix".to_owned())
                .and_then(|prefix| keys.insert(prefix, rest.trim()))
                .map_err(|why| format!("line {number}: {why}"))?;
        }
        Ok(keys)
    }

    /// # Errors
    /// A sentence.
    fn key(text: &str) -> Result<Key, String> {
        match text.len() {
            0 => Err(format!("expected {}", Self::EXAMPLE)),
            length if length > KEY_MAX => Err("the key is longer than 80 bytes".into()),
            _ => Ok(Key(text.as_bytes().into())),
        }
    }
}

impl KeyFile for TcpKeys {
    const OPTION: &'static str = "--tcp-md5-key-file";
    const EXAMPLE: &'static str = "PREFIX KEY, such as 2001:db8::/32 secret";

    fn insert(&mut self, prefix: Prefix, rest: &str) -> Result<(), String> {
        match self.0.insert(prefix, Self::key(rest)?) {
            None => Ok(()),
            Some(_) => Err("the prefix has a key already".into()),
        }
    }
}

impl TcpKeys {
    /// All keys, with their prefixes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Prefix, &Key)> {
        self.0.iter().map(|(prefix, key)| (*prefix, key))
    }

    /// Sets the key of a prefix.
    pub(crate) fn hold(&mut self, prefix: Prefix, key: &Key) {
        self.0.insert(prefix, key.clone());
    }

    /// Removes the key of a prefix.
    pub(crate) fn remove(&mut self, prefix: Prefix) {
        self.0.remove(&prefix);
    }

    /// The key for an address: the key of the longest prefix.
    pub(crate) fn of(&self, address: IpAddr) -> Option<&Key> {
        let whole = Prefix::of(address);
        let (_, most) = whole.parts();
        (0..=most).rev().find_map(|length| self.0.get(&whole.cut(length)))
    }

    /// Prefixes that have a key in `other` but none here.
    pub(crate) fn lacks<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Prefix> + 'a {
        other.0.keys().copied().filter(|prefix| !self.0.contains_key(prefix))
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
        let mut lacking: Vec<_> = fewer.lacks(&keys).map(|prefix| prefix.to_string()).collect();
        lacking.sort();
        assert_eq!(lacking, ["10.1.0.0/16", "::/0"]);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_without_the_key() {
        for (text, part) in [
            ("10.0.0.0/8", "line 1: expected PREFIX KEY"),
            ("\n10.0.0.1/8 secret", "line 2: the first word is not a prefix"),
            ("::/0 secret\n::/0 secret", "line 2: the prefix has a key already"),
            (&format!("::/0 {}", "secret".repeat(14)), "longer than 80 bytes"),
        ] {
            let why = TcpKeys::parse(text).unwrap_err();
            assert!(why.contains(part) && !why.contains("secret\n"), "{why}");
        }
    }
}
