//! UPDATE, the one message that matters for speed: hand written, no allocation.
//!
//! ```text
//!   Update        08 action  10 vni  1a len destination  22 len next hop
//!   Destination   08 version 12 len prefix  18 prefix length
//!   NextHop       0a len address  10 target vni  18 type  20 nat from  28 nat to
//! ```
//!
//! That is the canonical order, which we and every known peer send; fields of value 0 are left out.
//! Decoding takes whatever a proto3 decoder takes, in any order, repeated and mixed with unknown
//! fields; what it means is judged only when all of it was read, so that the outcome is that of
//! prost's decoder followed by the constructors of [`Destination`] and [`NextHop`].

mod encode;
mod raw;

use std::net::IpAddr;

use super::{Action, Destination, NextHop, Update, Vni, WireError};

pub(crate) use encode::UpdateEncoder;
pub use encode::{MAX_UPDATE_FRAME, encode_update, update_frame_len};
use raw::decode_any;

/// Decodes the payload of an UPDATE.
///
/// Linear in the payload, some 20 ns for a usual one; allocates nothing.
///
/// # Errors
/// [`WireError::Protobuf`] when prost would refuse the bytes; otherwise, in this order,
/// [`WireError::Action`], [`WireError::MissingDestination`], [`WireError::MissingNextHop`], and what
/// [`Destination::from_wire`] and [`NextHop::from_wire`] find wrong.
#[inline]
pub fn decode_update(payload: &[u8]) -> Result<Update, WireError> {
    match canonical(payload) {
        Some(update) => Ok(update),
        None => decode_any(payload),
    }
}

/// Decodes what nearly all updates are: canonical, valid, with a plain next hop over IPv6.
///
/// `None` says nothing about the payload. Anything but the exact bytes is left to [`decode_any`],
/// which would come to the same result for these.
#[inline]
fn canonical(payload: &[u8]) -> Option<Update> {
    let (action, rest) = match payload {
        [0x08, 1, rest @ ..] => (Action::Remove, rest),
        _ => (Action::Add, payload),
    };
    let (vni, rest) = match rest {
        [0x10, a @ ..0x80, rest @ ..] => (u32::from(*a), rest),
        [0x10, a, b @ ..0x80, rest @ ..] => (u32::from(a & 0x7f) | u32::from(*b) << 7, rest),
        [0x10, a, b, c @ ..0x80, rest @ ..] => {
            (u32::from(a & 0x7f) | u32::from(b & 0x7f) << 7 | u32::from(*c) << 14, rest)
        }
        _ => return None,
    };
    let (destination, rest) = match rest {
        [0x1a, 8, 0x12, 4, a, b, c, d, 0x18, len, rest @ ..] => {
            (Destination::new(IpAddr::from([*a, *b, *c, *d]), *len).ok()?, rest)
        }
        [0x1a, 22, 0x08, 1, 0x12, 16, rest @ ..] => {
            let (addr, rest) = rest.split_first_chunk::<16>()?;
            let [0x18, len @ ..0x80, rest @ ..] = rest else {
                return None;
            };
            (Destination::new(IpAddr::from(*addr), *len).ok()?, rest)
        }
        [0x1a, 23, 0x08, 1, 0x12, 16, rest @ ..] => {
            let (addr, rest) = rest.split_first_chunk::<16>()?;
            let [0x18, 0x80, 1, rest @ ..] = rest else {
                return None;
            };
            (Destination::new(IpAddr::from(*addr), 128).ok()?, rest)
        }
        _ => return None,
    };
    let [0x22, 18, 0x0a, 16, address @ ..] = rest else {
        return None;
    };
    let address = <[u8; 16]>::try_from(address).ok()?;
    let next_hop = NextHop::standard(IpAddr::from(address));
    Some(Update { action, vni: Vni(vni), destination, next_hop })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::HEADER_LEN;

    /// The fast path takes what it is for, and nothing that the general path sees differently.
    #[test]
    fn usual_updates_take_the_fast_path() {
        let address = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
        let standard = NextHop::standard(address);
        let destinations: [(IpAddr, u8); 4] =
            [([10, 1, 2, 3].into(), 32), ([10, 0, 0, 0].into(), 8), (address, 127), (address, 128)];
        for action in [Action::Add, Action::Remove] {
            for vni in [1, 127, 128, 16_383, 16_384, (1 << 21) - 1].map(Vni) {
                for (addr, len) in destinations {
                    let destination = Destination::new(addr, len).unwrap();
                    let mut frame = Vec::new();
                    encode_update(&mut frame, action, vni, &destination, &standard);
                    let payload = &frame[HEADER_LEN..];
                    let update = Update { action, vni, destination, next_hop: standard };
                    assert_eq!(canonical(payload), Some(update));
                    assert_eq!(decode_any(payload), Ok(update));
                }
            }
        }
    }

    #[test]
    fn unusual_updates_take_the_general_path() {
        let default = Destination::new([0, 0, 0, 0].into(), 0).unwrap();
        let usual = Destination::new([10, 0, 0, 0].into(), 8).unwrap();
        let v4 = NextHop::standard([192, 0, 2, 1].into());
        let v6 = NextHop::standard([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into());
        for (vni, destination, next_hop) in
            [(0, usual, v6), (1 << 21, usual, v6), (1, default, v6), (1, usual, v4)]
        {
            let mut frame = Vec::new();
            encode_update(&mut frame, Action::Add, Vni(vni), &destination, &next_hop);
            let payload = &frame[HEADER_LEN..];
            assert_eq!(canonical(payload), None);
            let update = Update { action: Action::Add, vni: Vni(vni), destination, next_hop };
            assert_eq!(decode_update(payload), Ok(update));
        }
    }
}
