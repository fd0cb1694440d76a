//! Next hops and their types as text: each is displayed as the text from which it is read.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use super::{NextHop, NextHopType};

/// The form of a [`NextHop`] as text, with examples.
const NEXT_HOP_FORM: &str =
    "ADDRESS [target vni VNI] [lb | nat FROM-TO], such as 2001:db8::1 or 2001:db8::1 nat 1024-2047";

/// The error of a text that is not a [`NextHopType`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("expected standard, nat or lb")]
#[non_exhaustive]
pub struct NotAHopType;

/// The error of a text that is not a [`NextHop`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("expected {}", NEXT_HOP_FORM)]
#[non_exhaustive]
pub struct NotANextHop;

/// Its [`name`](NextHopType::name).
impl fmt::Display for NextHopType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A [`name`](NextHopType::name), or the reference's word for it (`STD`, `NAT`, `LB`), in any case.
impl FromStr for NextHopType {
    type Err = NotAHopType;

    fn from_str(text: &str) -> Result<Self, NotAHopType> {
        let named = Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text));
        match named {
            None if text.eq_ignore_ascii_case("std") => Ok(Self::Standard),
            named => named.ok_or(NotAHopType),
        }
    }
}

/// `2001:db8::1 target vni 7 nat 1024-2047`, the form of `Display`: the target VNI only if it is not 0, the type only
/// if it is not `standard`.
impl FromStr for NextHop {
    type Err = NotANextHop;

    fn from_str(text: &str) -> Result<Self, NotANextHop> {
        let mut words = text.split(' ').peekable();
        let address: IpAddr = words.next().and_then(|word| word.parse().ok()).ok_or(NotANextHop)?;
        let target_vni = if words.next_if_eq(&"target").is_some() {
            words.next_if_eq(&"vni").and_then(|_| number(words.next()?)).ok_or(NotANextHop)?
        } else {
            0
        };
        let (kind, (from, to)) = match words.next() {
            None => (NextHopType::Standard, (0, 0)),
            Some("lb") => (NextHopType::LoadBalancerTarget, (0, 0)),
            Some("nat") => {
                let ports = words.next().and_then(|range| range.split_once('-'));
                let ports = ports.and_then(|(from, to)| Some((number(from)?, number(to)?)));
                (NextHopType::Nat, ports.ok_or(NotANextHop)?)
            }
            Some(_) => return Err(NotANextHop),
        };
        if words.next().is_some() {
            return Err(NotANextHop);
        }
        Self::new(address, target_vni, kind, from, to).map_err(|_| NotANextHop)
    }
}

/// Digits and nothing else: `parse` alone would take a sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hops_are_read_as_they_are_displayed() {
        for text in [
            "2001:db8::1",
            "192.0.2.1",
            "2001:db8::1 target vni 7",
            "2001:db8::1 lb",
            "2001:db8::1 nat 0-65535",
            "192.0.2.1 target vni 4294967295 nat 1024-2047",
        ] {
            assert_eq!(text.parse::<NextHop>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2001:db8::1 ",
            "2001:db8::1  lb",
            "2001:db8::1 target",
            "2001:db8::1 target vni +7",
            "2001:db8::1 nat",
            "2001:db8::1 nat 7-6",
            "2001:db8::1 nat 0-65536",
            "2001:db8::1 lb lb",
            "rr1.example",
        ] {
            assert_eq!(text.parse::<NextHop>(), Err(NotANextHop), "{text:?}");
        }
    }

    #[test]
    fn types_are_read_in_the_words_of_both_programs() {
        for (text, kind) in [
            ("standard", NextHopType::Standard),
            ("STD", NextHopType::Standard),
            ("nat", NextHopType::Nat),
            ("NAT", NextHopType::Nat),
            ("Lb", NextHopType::LoadBalancerTarget),
        ] {
            assert_eq!(text.parse(), Ok(kind), "{text}");
        }
        for kind in NextHopType::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("2".parse::<NextHopType>(), Err(NotAHopType));
    }
}
