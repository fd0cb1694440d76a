//! The UPDATE that nearly every peer sends, read as words.
//!
//! ```text
//!   01 00 len 05   [08 01]   10 vni   1a 08 12 04 a b c d 18 len            22 12 0a 10 address
//!                                     1a 16 08 01 12 10 prefix 18 len
//!                                     1a 17 08 01 12 10 prefix 18 80 01
//! ```
//!
//! The header, an action only where it is a withdrawal, a VNI that is not 0, a destination with a length
//! of at least one bit, and a plain next hop over IPv6. A few comparisons of words check all of that and
//! read all fields. `None` says nothing about an UPDATE: the general decoder reads it, and would come to
//! the same result for one that is taken here.

use crate::wire::frame::{HEADER_LEN, MessageType, VERSION};
use crate::wire::{Action, Destination, HopFields, IpVersion, NextHop, Update, Vni};

/// The number of bytes of a payload that are looked at: the longest payload of this form has 54.
const WINDOW: usize = 64 - HEADER_LEN;
/// The header of an UPDATE, as a word, with the length 0.
const HEADER: u32 = u32::from_le_bytes([VERSION, 0, 0, MessageType::Update as u8]);
/// The bits of a header's word that are not part of the length, if the length is below 256.
const HEADER_MASK: u32 = u32::from_le_bytes([0xff, 0xff, 0, 0xff]);
/// The bytes before an IPv4 prefix.
const V4: u64 = u64::from_le_bytes([0x1a, 8, 0x12, 4, 0, 0, 0, 0]);
const V4_MASK: u64 = u64::from_le_bytes([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
/// The bytes before an IPv6 prefix, without the length of the destination.
const V6: u64 = u64::from_le_bytes([0x1a, 0, 0x08, 1, 0x12, 16, 0, 0]);
const V6_MASK: u64 = u64::from_le_bytes([0xff, 0, 0xff, 0xff, 0xff, 0xff, 0, 0]);
/// The bytes before the address of a next hop.
const HOP: u32 = u32::from_le_bytes([0x22, 18, 0x0a, 16]);
/// The top bits of a varint's bytes, if it has at most five.
const TOP_BITS: u64 = 0x80_8080_8080;

/// The UPDATE at the front of the received bytes, and the length of its frame. Constant time.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as of `read`")]
pub(crate) fn usual_update(received: &[u8]) -> Option<(Update, usize)> {
    let (header, rest) = received.split_first_chunk::<HEADER_LEN>()?;
    let header = u32::from_le_bytes(*header);
    if header & HEADER_MASK != HEADER {
        return None;
    }
    let length = (header >> 16 & 0xff) as usize;
    let copied;
    let window = match rest.first_chunk() {
        Some(window) => window,
        None => {
            copied = copy(rest.get(..length)?)?;
            &copied
        }
    };
    read(window, length).map(|update| (update, HEADER_LEN + length))
}

/// The UPDATE that fills a payload.
#[inline]
pub(super) fn usual_payload(payload: &[u8]) -> Option<Update> {
    read(&copy(payload)?, payload.len())
}

/// A payload with zeros behind it.
fn copy(payload: &[u8]) -> Option<[u8; WINDOW]> {
    let mut window = [0; WINDOW];
    window.get_mut(..payload.len())?.copy_from_slice(payload);
    Some(window)
}

/// The UPDATE of a payload of this length at the front of a window.
#[inline(always)]
#[expect(clippy::inline_always, reason = "else what it returns goes through memory twice")]
fn read(window: &[u8; WINDOW], length: usize) -> Option<Update> {
    let (action, mut at) = match word::<2>(window, 0)? {
        [0x08, 1] => (Action::Remove, 2),
        _ => (Action::Add, 0),
    };
    let vni = u64::from_le_bytes(word(window, at)?);
    if vni & 0xff != 0x10 {
        return None;
    }
    let (vni, bytes) = varint(vni >> 8)?;
    at += 1 + bytes;
    let start = u64::from_le_bytes(word(window, at)?);
    let destination = if start & V4_MASK == V4 {
        let [0x18, len @ ..=32] = word(window, at + 8)? else { return None };
        at += 10;
        let addr = u128::from(start >> 32).to_le_bytes();
        Destination::from_parts(IpVersion::V4, addr, len)
    } else if start & V6_MASK == V6 {
        let addr = word(window, at + 6)?;
        let inner = start >> 8 & 0xff;
        let len = match (inner, word(window, at + 22)?) {
            (22, [0x18, len @ ..0x80, _]) => len,
            (23, [0x18, 0x80, 1]) => 128,
            _ => return None,
        };
        at += 2 + inner as usize;
        Destination::from_parts(IpVersion::V6, addr, len)
    } else {
        return None;
    };
    if u32::from_le_bytes(word(window, at)?) != HOP || at + 20 != length {
        return None;
    }
    let address = word(window, at + 4)?;
    let next_hop = NextHop::from_parts(IpVersion::V6, address, HopFields::PLAIN);
    Some(Update { action, vni: Vni(vni), destination, next_hop })
}

#[inline]
fn word<const N: usize>(window: &[u8; WINDOW], at: usize) -> Option<[u8; N]> {
    if at > WINDOW - N {
        return None;
    }
    window[at..at + N].try_into().ok()
}

/// The low 32 bits of the varint at the low end of a word, and the number of its bytes, if it has at most five.
#[inline]
fn varint(word: u64) -> Option<(u32, usize)> {
    let ends = !word & TOP_BITS;
    if ends == 0 {
        return None;
    }
    // Keep all bits up to the top bit of the last byte, then push together seven of each byte.
    let bits = word & (ends ^ (ends - 1)) & !TOP_BITS;
    let bits = bits & 0x7f_007f_007f | (bits & 0x7f00_7f00) >> 1;
    let bits = bits & 0x3fff | (bits & 0x3fff_0000) >> 2 | (bits & 0x7f_0000_0000) >> 4;
    let [a, b, c, d, ..] = bits.to_le_bytes();
    Some((u32::from_le_bytes([a, b, c, d]), ends.trailing_zeros() as usize / 8 + 1))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;
    use crate::wire::update::raw::decode_any;
    use crate::wire::{Frame, encode_update, split};

    const ADDRESS: [u16; 8] = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1];

    /// Updates of the usual form, and some of nearly this form.
    fn update() -> impl Strategy<Value = Update> {
        let vni = prop_oneof![
            select(vec![0, 1, 127, 128, 16_383, 16_384, (1 << 21) - 1, 1 << 21, 1 << 28, u32::MAX]),
            any::<u32>(),
        ];
        let destination = prop_oneof![
            (any::<[u8; 4]>(), 0..=32u8).prop_map(|(addr, len)| (IpAddr::from(addr), len)),
            (any::<[u8; 16]>(), 0..=128u8).prop_map(|(addr, len)| (IpAddr::from(addr), len)),
        ];
        let hop = prop_oneof![
            8 => any::<[u8; 16]>().prop_map(IpAddr::from),
            1 => any::<[u8; 4]>().prop_map(IpAddr::from),
        ];
        (any::<bool>(), vni, destination, hop).prop_map(|(removes, vni, (addr, len), hop)| {
            let action = if removes { Action::Remove } else { Action::Add };
            let destination = Destination::new(addr, len).unwrap();
            Update { action, vni: Vni(vni), destination, next_hop: NextHop::standard(hop) }
        })
    }

    fn frame(update: &Update) -> Vec<u8> {
        let mut frame = Vec::new();
        encode_update(&mut frame, update.action, update.vni, &update.destination, &update.next_hop);
        frame
    }

    fn is_usual(update: &Update) -> bool {
        let hop = update.next_hop.address();
        update.vni.0 != 0 && !update.destination.is_default() && hop.is_ipv6()
    }

    /// Checks that the general decoder takes the same UPDATE, and all of its bytes.
    fn agrees(received: &[u8]) -> Result<(), TestCaseError> {
        if let Some((update, length)) = usual_update(received) {
            let Ok(Some(Frame { kind, payload })) = split(received) else {
                return Err(TestCaseError::fail("no frame"));
            };
            prop_assert_eq!((kind, HEADER_LEN + payload.len()), (MessageType::Update, length));
            prop_assert_eq!(decode_any(payload), Ok(update));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn usual_updates_are_taken_whatever_follows(
            update in update(),
            rest in prop_oneof![vec(any::<u8>(), 0..8), vec(any::<u8>(), 0..100)],
        ) {
            let mut bytes = frame(&update);
            let length = bytes.len();
            bytes.extend(rest);
            let expected = is_usual(&update).then_some((update, length));
            prop_assert_eq!(usual_update(&bytes), expected);
            prop_assert_eq!(usual_payload(&bytes[HEADER_LEN..length]), expected.map(|it| it.0));
        }

        #[test]
        fn parts_of_updates_are_left_alone(update in update(), cut in any::<Index>()) {
            let bytes = frame(&update);
            prop_assert_eq!(usual_update(&bytes[..cut.index(bytes.len())]), None);
        }

        #[test]
        fn what_is_taken_is_what_the_general_decoder_takes(
            update in update(),
            accidents in vec((any::<Index>(), any::<u8>(), 0..3u8), 1..4),
            rest in vec(any::<u8>(), 0..100),
        ) {
            let mut bytes = frame(&update);
            for (at, byte, kind) in accidents {
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => bytes[at] ^= 1 << (byte % 8),
                }
            }
            bytes.extend(rest);
            agrees(&bytes)?;
        }
    }

    #[test]
    fn every_near_miss_is_what_the_general_decoder_takes() {
        let next_hop = NextHop::standard(ADDRESS.into());
        let destinations: [(IpAddr, u8); 3] =
            [([10, 1, 2, 0].into(), 24), (ADDRESS.into(), 64), (ADDRESS.into(), 128)];
        for (addr, len) in destinations {
            for (action, vni) in [(Action::Add, 1), (Action::Remove, u32::MAX)] {
                let destination = Destination::new(addr, len).unwrap();
                let mut bytes = frame(&Update { action, vni: Vni(vni), destination, next_hop });
                for at in 0..bytes.len() {
                    let right = bytes[at];
                    for wrong in 0..=u8::MAX {
                        bytes[at] = wrong;
                        agrees(&bytes).unwrap();
                    }
                    bytes[at] = right;
                }
            }
        }
    }

    /// Numbers may have more bytes than they need, and keep their low half.
    #[test]
    fn padded_numbers_are_what_the_general_decoder_reads() {
        for vni in [&[0x81, 0][..], &[0x80, 0x80, 0], &[0xff; 4], &[0xff, 0xff, 0xff, 0xff, 0x7f]] {
            let vni = [vni, &[0x10][..0]].concat();
            let head = [&[0x10], &vni[..]].concat();
            let tail = [0x1a, 8, 0x12, 4, 10, 0, 0, 1, 0x18, 0, 0x22, 18, 0x0a, 16];
            let payload = [&head, &tail[..], &[7; 16]].concat();
            if let Some(update) = usual_payload(&payload) {
                assert_eq!(decode_any(&payload), Ok(update));
            }
        }
        let payload = [&[0x10, 0x81, 0][..], &[0x1a, 8, 0x12, 4, 10, 0, 0, 1, 0x18, 0]].concat();
        let payload = [&payload, &[0x22, 18, 0x0a, 16][..], &[7; 16]].concat();
        assert_eq!(usual_payload(&payload).map(|update| update.vni), Some(Vni(1)));
    }
}
