//! Encoding, by hand: one pass over a buffer on the stack, one copy into the caller's.

use std::net::IpAddr;

use crate::wire::frame::{self, HEADER_LEN, MessageType};
use crate::wire::protobuf::{Writer, field_len};
use crate::wire::{Action, Destination, HopFields, IpVersion, NextHop, Vni};

/// The longest frame [`encode_update`] writes, to size buffers by.
///
/// Header, action, VNI, an IPv6 destination and an IPv6 next hop with every field at its longest.
pub const MAX_UPDATE_FRAME: usize =
    HEADER_LEN + 2 + 6 + (2 + 2 + 18 + 3) + (2 + 18 + 6 + 2 + 6 + 6);

/// Appends the frame of an UPDATE, header included, in its canonical form.
///
/// Infallible, since a [`Destination`] and a [`NextHop`] are always valid. Constant time; allocates
/// only when `out` lacks room for [`MAX_UPDATE_FRAME`] bytes.
#[inline]
pub fn encode_update(
    out: &mut Vec<u8>,
    action: Action,
    vni: Vni,
    destination: &Destination,
    next_hop: &NextHop,
) {
    let payload = payload_len(action, vni, destination, next_hop);
    // Both nested messages are far shorter than 128 bytes: their lengths are one-byte varints.
    let [destination_len, ..] = destination_len(destination).to_le_bytes();
    let [next_hop_len, ..] = next_hop_len(next_hop).to_le_bytes();
    let mut w = Writer::<MAX_UPDATE_FRAME>::new();
    w.put(frame::header(MessageType::Update, payload));
    w.field(0x08, action as u32);
    w.field(0x10, vni.0);
    w.put([0x1a, destination_len]);
    w.field(0x08, destination.version() as u32);
    match destination.addr() {
        IpAddr::V4(a) => {
            w.put([0x12, 4]);
            w.put(a.octets());
        }
        IpAddr::V6(a) => {
            w.put([0x12, 16]);
            w.put(a.octets());
        }
    }
    w.field(0x18, u32::from(destination.prefix_len()));
    w.put([0x22, next_hop_len]);
    match next_hop.address() {
        IpAddr::V4(a) => {
            w.put([0x0a, 4]);
            w.put(a.octets());
        }
        IpAddr::V6(a) => {
            w.put([0x0a, 16]);
            w.put(a.octets());
        }
    }
    let (nat_from, nat_to) = next_hop.nat_ports();
    w.field(0x10, next_hop.target_vni());
    w.field(0x18, next_hop.kind() as u32);
    w.field(0x20, nat_from);
    w.field(0x28, nat_to);
    w.append_to(out);
}

/// Encodes updates of one VNI into what [`encode_update`] would append, faster: what all of them have in
/// common is encoded once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpdateEncoder {
    vni: Vni,
    /// The header, the action and the VNI, by action. The length in the header is that of none.
    heads: [Head; 2],
}

#[derive(Clone, Copy, Debug)]
struct Head {
    bytes: [u8; HEAD],
    len: usize,
}

/// The longest head: header, action and VNI.
const HEAD: usize = HEADER_LEN + 2 + 6;
/// Room for a head, an IPv6 destination and a plain next hop, and for words beyond them.
const USUAL: usize = 64;

impl UpdateEncoder {
    pub(crate) fn new(vni: Vni) -> Self {
        let head = |action: Action| {
            let mut writer = Writer::<HEAD>::new();
            writer.put(frame::header(MessageType::Update, 0));
            writer.field(0x08, action as u32);
            writer.field(0x10, vni.0);
            let mut bytes = [0; HEAD];
            let written = writer.written();
            bytes[..written.len()].copy_from_slice(written);
            Head { bytes, len: written.len() }
        };
        Self { vni, heads: [head(Action::Add), head(Action::Remove)] }
    }

    /// Appends the frame of an update. Allocates only when `out` lacks room for [`MAX_UPDATE_FRAME`] bytes.
    #[inline]
    pub(crate) fn encode(
        &self,
        out: &mut Vec<u8>,
        action: Action,
        destination: &Destination,
        next_hop: &NextHop,
    ) {
        let (hop_version, hop, fields) = next_hop.parts();
        let (version, addr, length) = destination.parts();
        if hop_version != IpVersion::V6 || fields != HopFields::PLAIN || length == 0 {
            return encode_update(out, action, self.vni, destination, next_hop);
        }
        let head = &self.heads[action as usize];
        let mut frame = [0; USUAL];
        frame[..HEAD].copy_from_slice(&head.bytes);
        let mut at = head.len;
        let mut put = |at: usize, bytes: &[u8]| frame[at..at + bytes.len()].copy_from_slice(bytes);
        match version {
            IpVersion::V4 => {
                let [a, b, c, d, ..] = addr;
                put(at, &[0x1a, 8, 0x12, 4, a, b, c, d, 0x18, length]);
                at += 10;
            }
            IpVersion::V6 => {
                // A length of 128 is a varint of two bytes: 0x80 1. The second one is written over
                // where there is none.
                let extra = length >> 7;
                put(at, &[0x1a, 22 + extra, 0x08, 1, 0x12, 16]);
                put(at + 6, &addr);
                put(at + 22, &[0x18, length, 1]);
                at += 24 + usize::from(extra);
            }
        }
        put(at, &[0x22, 18, 0x0a, 16]);
        put(at + 4, &hop);
        let len = at + 20;
        // Shorter than 256 bytes, so the length has one byte.
        let [payload, ..] = (len - HEADER_LEN).to_le_bytes();
        put(2, &[payload]);
        let end = out.len() + len;
        out.extend_from_slice(&frame);
        out.truncate(end);
    }
}

/// How many bytes [`encode_update`] appends for the same arguments; constant time.
#[must_use]
pub fn update_frame_len(
    action: Action,
    vni: Vni,
    destination: &Destination,
    next_hop: &NextHop,
) -> usize {
    HEADER_LEN + payload_len(action, vni, destination, next_hop)
}

#[inline]
fn payload_len(action: Action, vni: Vni, destination: &Destination, next_hop: &NextHop) -> usize {
    field_len(action as u32)
        + field_len(vni.0)
        + (2 + destination_len(destination))
        + (2 + next_hop_len(next_hop))
}

#[inline]
fn destination_len(destination: &Destination) -> usize {
    let prefix = match destination.version() {
        IpVersion::V4 => 4,
        IpVersion::V6 => 16,
    };
    field_len(destination.version() as u32)
        + (2 + prefix)
        + field_len(u32::from(destination.prefix_len()))
}

#[inline]
fn next_hop_len(next_hop: &NextHop) -> usize {
    let address = match next_hop.address() {
        IpAddr::V4(_) => 4,
        IpAddr::V6(_) => 16,
    };
    let (nat_from, nat_to) = next_hop.nat_ports();
    (2 + address)
        + field_len(next_hop.target_vni())
        + field_len(next_hop.kind() as u32)
        + field_len(nat_from)
        + field_len(nat_to)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::wire::NextHopType;

    #[test]
    fn the_encoder_of_a_vni_appends_the_same_bytes() {
        let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0xff, 1]);
        let v4 = IpAddr::from([192, 0, 2, 1]);
        let mut destinations = Vec::new();
        for (addr, lengths) in [(v4, 0..=32), (v6, 0..=128)] {
            destinations.extend(lengths.map(|length| Destination::new(addr, length).unwrap()));
        }
        let kind = NextHopType::Nat;
        let hops = [
            NextHop::standard(v6),
            NextHop::standard(v4),
            NextHop::new(v6, 0, kind, 80, 90).unwrap(),
            NextHop::new(v6, 7, NextHopType::Standard, 0, 0).unwrap(),
        ];
        for vni in [0, 1, 127, 128, 1 << 24, u32::MAX].map(Vni) {
            let encoder = UpdateEncoder::new(vni);
            let (mut expected, mut encoded) = (vec![9], vec![9]);
            for action in [Action::Add, Action::Remove] {
                for destination in &destinations {
                    for hop in &hops {
                        encode_update(&mut expected, action, vni, destination, hop);
                        encoder.encode(&mut encoded, action, destination, hop);
                        assert_eq!(encoded, expected, "{action:?} {vni} {destination} {hop}");
                    }
                }
            }
        }
    }
}
