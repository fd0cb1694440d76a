//! Names of hosts, as requests call an endpoint.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest name that DNS has, in bytes.
const NAME_MAX: usize = 253;

/// The name of a host in DNS, in lower case and without a dot at its end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostName(String);

impl FromStr for HostName {
    type Err = String;

    /// Reads a name such as `rr1.example.net`. The error says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=63).contains(&label.len()) && label.bytes().all(is_part)
        };
        if name.len() > NAME_MAX || !name.split('.').all(is_label) {
            return Err(
                "expected the name of a host without a port, such as rr1.example.net".into()
            );
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a `Host` is an address, `localhost` or one of these names, with or without a port.
pub(crate) fn is_named(names: &[HostName], host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        return rest
            .split_once(']')
            .is_some_and(|(address, port)| address.parse::<Ipv6Addr>().is_ok() && is_port(port));
    }
    let end = host.find(':').unwrap_or(host.len());
    let (name, port) = host.split_at(end);
    if !is_port(port) {
        return false;
    }
    let bare = name.strip_suffix('.').unwrap_or(name);
    name.parse::<Ipv4Addr>().is_ok()
        || bare.eq_ignore_ascii_case("localhost")
        || names.iter().any(|known| bare.eq_ignore_ascii_case(&known.0))
}

/// Whether the text after a name is empty, or a port.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        None => text.is_empty(),
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_need_no_names() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]",
            "[2001:db8::1]:8080",
            "localhost",
            "LocalHost.:1",
        ] {
            assert!(is_named(&[], host), "{host}");
        }
    }

    #[test]
    fn other_names_must_be_given() {
        let names = ["rr1.Example.net".parse().unwrap(), "rr1.".parse().unwrap()];
        for host in ["rr1", "RR1:80", "rr1.example.net", "rr1.example.net.:443"] {
            assert!(is_named(&names, host), "{host}");
            assert!(!is_named(&[], host), "{host}");
        }
        for host in [
            "",
            ":80",
            "rr2",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "rr1.example.net.evil.example",
            "rr1@evil.example",
            "evil.example:80:80",
            "rr1:port",
            "[::1]evil.example",
            "[::1",
            "[evil.example]",
            "[::1%eth0]",
            "::1",
            "0x7f.1",
            "2130706433",
        ] {
            assert!(!is_named(&names, host), "{host}");
        }
    }

    #[test]
    fn names_are_what_dns_has() {
        for text in ["rr1", "rr-1.example.net", "a_b.c", &"a.".repeat(100)] {
            assert!(text.parse::<HostName>().is_ok(), "{text}");
        }
        for text in ["", ".", "a..b", "rr1:80", "*", "a b", &"a".repeat(64), &"a.".repeat(200)] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }
}
