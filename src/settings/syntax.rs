//! What values look like as text.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::num::ParseIntError;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::http_guard::HostName;
pub use crate::ids::duration;
use crate::io::zoned;

/// The kind of a value, for a parser that knows more than text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any text that [`Syntax::parse`] accepts.
    Text,
    /// `true` or `false`; a flag alone is `true`.
    Switch,
    /// A path, which need not be UTF-8.
    Path,
    /// One of these words.
    Words(&'static [&'static str]),
}

/// Values of one type as text.
#[derive(Clone, Copy, Debug)]
pub struct Syntax<T> {
    /// The name of a value in `--help`.
    pub name: &'static str,
    /// The kind of a value.
    pub kind: Kind,
    /// Parses a text. The error says what was expected.
    pub parse: fn(&str) -> Result<T, String>,
    /// The text of a value.
    pub text: fn(&T) -> String,
}

impl<T> Syntax<T> {
    /// Values whose text only `parse` understands, with the name that `--help` shows.
    #[must_use]
    pub const fn new(
        name: &'static str,
        parse: fn(&str) -> Result<T, String>,
        text: fn(&T) -> String,
    ) -> Self {
        Self { name, kind: Kind::Text, parse, text }
    }

    /// Restricts the values to these words.
    #[must_use]
    pub const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.kind = Kind::Words(words);
        self
    }
}

impl<T: Display> Syntax<T> {
    /// Values whose text is that of `Display`.
    #[must_use]
    pub const fn displayed(name: &'static str, parse: fn(&str) -> Result<T, String>) -> Self {
        Self::new(name, parse, T::to_string)
    }
}

/// `true` or `false`.
pub const SWITCH: Syntax<bool> = Syntax {
    name: "true|false",
    kind: Kind::Switch,
    parse: |text| text.parse().map_err(|_| "expected true or false".to_owned()),
    text: bool::to_string,
};

/// A path.
pub const PATH: Syntax<PathBuf> = Syntax {
    name: "PATH",
    kind: Kind::Path,
    parse: |text| Ok(text.into()),
    text: |path| path.to_string_lossy().into_owned(),
};

/// Any text.
pub const TEXT: Syntax<String> = Syntax::new("TEXT", |text| Ok(text.to_owned()), String::clone);

/// The name of a host.
pub const HOST: Syntax<HostName> = Syntax::displayed("NAME", str::parse);

/// A number from 0 on.
pub const NUMBER: Syntax<u64> = Syntax::displayed("N", |text| number(text, 0..=u64::MAX));

/// A time with its unit.
pub const TIME: Syntax<Duration> = Syntax::new("TIME", duration, time);

/// An address to listen on.
pub(crate) const ADDRESS: Syntax<SocketAddr> = Syntax::displayed("ADDR:PORT", address);

/// An address to listen on, or a port of the loopback.
pub(crate) const LOCAL_ADDRESS: Syntax<SocketAddr> =
    Syntax::displayed("[ADDR:]PORT", local_address);

/// Parses a whole number within bounds.
///
/// # Errors
/// What is wrong with the text, in the words of the crate clap.
pub fn number<T: Number>(text: &str, range: RangeInclusive<T>) -> Result<T, String> {
    let number = T::read(text).map_err(|error| error.to_string())?;
    let (first, last) = (range.start().widened(), range.end().widened());
    let fits = (first..=last).contains(&number).then(|| T::narrowed(number)).flatten();
    fits.ok_or_else(|| format!("{number} is not in {first}..={last}"))
}

/// The types of numbers that [`number`] parses.
pub trait Number: Copy {
    /// The number in a text, which may be out of the bounds of this type.
    ///
    /// # Errors
    /// The text is not a number, or the number is out of any bounds.
    fn read(text: &str) -> Result<i128, ParseIntError>;
    /// The same number.
    fn widened(self) -> i128;
    /// The same number, if this type has it.
    fn narrowed(number: i128) -> Option<Self>;
}

macro_rules! is_number {
    ($($number:ty as $wide:ty),+) => { $(
        impl Number for $number {
            fn read(text: &str) -> Result<i128, ParseIntError> {
                text.parse::<$wide>().map(i128::from)
            }

            fn widened(self) -> i128 {
                i128::try_from(self).unwrap_or(i128::MAX)
            }

            fn narrowed(number: i128) -> Option<Self> {
                Self::try_from(number).ok()
            }
        }
    )+ };
}

// Those that clap reads as i64 say of a negative number that it is out of bounds.
is_number!(u8 as i64, u32 as i64, u64 as u64, usize as u64);

/// Parses an address in the forms of the reference, `[::]:4711`, `:4711` and `host:4711`, and `[fe80::1%eth0]:4711`.
/// Blocks while the resolver looks up a name.
///
/// # Errors
/// What was expected.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    if let Some(address) = zoned(&full) {
        return address.map_err(|error| error.to_string());
    }
    let mut found = full
        .to_socket_addrs()
        .map_err(|_| "expected ADDRESS:PORT, such as [::]:4711 or 192.0.2.1:4711".to_owned())?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

/// Parses an address like [`address`]; a port alone means the loopback.
///
/// # Errors
/// What was expected.
pub fn local_address(text: &str) -> Result<SocketAddr, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let port = text.parse().map_err(|_| "expected a port from 0 to 65535".to_owned())?;
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    if let Some(Err(error)) = zoned(text) {
        return Err(error.to_string());
    }
    address(text).map_err(|_| {
        "expected PORT for this machine alone, or ADDRESS:PORT, such as 8080 or [::]:8080"
            .to_owned()
    })
}

/// The text of a time, in the largest unit in which it is a whole number.
fn time(time: &Duration) -> String {
    match time.as_micros() {
        micros if micros.is_multiple_of(1_000_000) => format!("{}s", time.as_secs()),
        micros if micros.is_multiple_of(1_000) => format!("{}ms", time.as_millis()),
        micros => format!("{micros}us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_the_reference_takes_them() {
        assert_eq!(address(":4711"), Ok(SocketAddr::from(([0u16; 8], 4711))));
        assert_eq!(address("127.0.0.1:80"), Ok(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert_eq!(address("[fe80::1%7]:80"), Ok("[fe80::1%7]:80".parse().unwrap()));
        assert!(address("[fe80::1%none-such]:80").unwrap_err().contains("none-such"));
        assert!(local_address("[fe80::1]:80").unwrap_err().contains("fe80::1%eth0"));
        assert!(address("nonsense").is_err());
        assert!(address("[::]").is_err());
    }

    #[test]
    fn a_port_alone_is_on_the_loopback() {
        assert_eq!(local_address("8080"), Ok(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert_eq!(local_address(":8080"), Ok(SocketAddr::from(([0u16; 8], 8080))));
        assert_eq!(local_address("192.0.2.1:80"), Ok(SocketAddr::from(([192, 0, 2, 1], 80))));
        for text in ["", "65536", "+80", "[::]"] {
            assert!(local_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_told_as_they_are_read() {
        for text in ["500us", "1ms", "1500ms", "90s", "0s"] {
            assert_eq!(time(&duration(text).unwrap()), text);
        }
    }

    #[test]
    fn numbers_out_of_bounds_are_told_with_them() {
        assert_eq!(number::<u32>("7", 1..=u32::MAX), Ok(7));
        assert_eq!(number::<u32>("0", 1..=u32::MAX), Err("0 is not in 1..=4294967295".to_owned()));
        assert_eq!(number::<u8>("-1", 5..=u8::MAX), Err("-1 is not in 5..=255".to_owned()));
        assert_eq!(
            number::<u64>("x", 0..=u64::MAX),
            Err("invalid digit found in string".to_owned())
        );
    }
}
