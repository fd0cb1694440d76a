//! Encoding, by hand: one pass over a buffer on the stack, one copy into the caller's.

use std::net::IpAddr;

use crate::wire::frame::{HEADER_LEN, MessageType, header};
use crate::wire::protobuf::{Writer, field_len};
use crate::wire::{Action, Destination, IpVersion, NextHop, Vni};

/// The longest frame that [`encode_update`] writes, for the size of buffers.
///
/// Header, action, VNI, an IPv6 destination and an IPv6 next hop with every field at its longest.
pub const MAX_UPDATE_FRAME: usize =
    HEADER_LEN + 2 + 6 + (2 + 2 + 18 + 3) + (2 + 18 + 6 + 2 + 6 + 6);

/// Appends the frame of an UPDATE, header included, in its canonical form.
///
/// It cannot fail, because a [`Destination`] and a [`NextHop`] are always valid. Constant time; allocates only if `out`
/// lacks room for [`MAX_UPDATE_FRAME`] bytes.
#[inline]
pub fn encode_update(
    out: &mut Vec<u8>,
    action: Action,
    vni: Vni,
    destination: &Destination,
    next_hop: &NextHop,
) {
    frame(action, vni, destination, next_hop).append_to(out);
}

/// The frame of an UPDATE.
#[inline]
fn frame(
    action: Action,
    vni: Vni,
    destination: &Destination,
    next_hop: &NextHop,
) -> Writer<MAX_UPDATE_FRAME> {
    let payload = payload_len(action, vni, destination, next_hop);
    // Both nested messages are far shorter than 128 bytes: their lengths are one-byte varints.
    let [destination_len, ..] = destination_len(destination).to_le_bytes();
    let [next_hop_len, ..] = next_hop_len(next_hop).to_le_bytes();
    let mut w = Writer::<MAX_UPDATE_FRAME>::new();
    w.put(header(MessageType::Update, payload));
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
    w
}

/// Encodes updates of one VNI as [`encode_update`] would, but faster: it encodes their common part
/// only once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpdateEncoder {
    vni: Vni,
    /// The header, the action and the VNI, by action.
    heads: [Head; 2],
}

/// The beginning of the frames of a VNI. The length in the header is that of a plain route over IPv4.
#[derive(Clone, Copy, Debug)]
struct Head {
    bytes: [u8; HEAD],
    len: usize,
}

/// Room for the longest head: header, action and VNI; a power of two.
const HEAD: usize = 16;
/// Room for any frame that an [`UpdateEncoder`] writes, and for words beyond it.
pub(crate) const FRAME_ROOM: usize = 80;
const _: () = assert!(FRAME_ROOM >= MAX_UPDATE_FRAME);
/// The bytes before an IPv4 prefix, and before the address of a plain next hop over IPv6.
const V4: u64 = u64::from_le_bytes([0x1a, 8, 0x12, 4, 0, 0, 0, 0]);
const HOP: [u8; 4] = [0x22, 18, 0x0a, 16];

impl UpdateEncoder {
    pub(crate) fn new(vni: Vni) -> Self {
        let head = |action: Action| {
            let mut writer = Writer::<HEAD>::new();
            writer.put(header(MessageType::Update, 0));
            writer.field(0x08, action as u32);
            writer.field(0x10, vni.0);
            let mut bytes = [0; HEAD];
            let len = writer.written().len();
            bytes[..len].copy_from_slice(writer.written());
            bytes[2] = length_byte(len + 30);
            Head { bytes, len }
        };
        Self { vni, heads: [head(Action::Add), head(Action::Remove)] }
    }

    /// Writes the frame of an update. Returns its length; also overwrites bytes behind it.
    #[inline]
    pub(crate) fn write(
        &self,
        room: &mut [u8; FRAME_ROOM],
        action: Action,
        destination: &Destination,
        next_hop: &NextHop,
    ) -> usize {
        if let Some(hop) = next_hop.plain_v6()
            && !destination.is_default()
        {
            return self.write_usual(room, action, destination, hop);
        }
        let frame = frame(action, self.vni, destination, next_hop);
        let frame = frame.written();
        room[..frame.len()].copy_from_slice(frame);
        frame.len()
    }

    /// Writes the frame of an update of a route that is no default route and has a plain next hop over IPv6. Returns
    /// its length; also overwrites bytes behind it.
    #[inline]
    pub(crate) fn write_usual(
        &self,
        room: &mut [u8; FRAME_ROOM],
        action: Action,
        destination: &Destination,
        hop: &[u8; 16],
    ) -> usize {
        let (version, addr, length) = destination.parts();
        let head = &self.heads[action as usize];
        put(room, 0, head.bytes);
        // The length is less than `HEAD`; this tells the compiler.
        let at = head.len % HEAD;
        match version {
            IpVersion::V4 => {
                let [a, b, c, d, ..] = addr;
                let prefix = u32::from_le_bytes([a, b, c, d]);
                put(room, at, (V4 | u64::from(prefix) << 32).to_le_bytes());
                put(room, at + 8, [0x18, length]);
                put(room, at + 10, HOP);
                put(room, at + 14, *hop);
                at + 30
            }
            IpVersion::V6 => {
                // A length of 128 is a varint of two bytes: 0x80 1. If the length is below 128, the second byte is
                // overwritten.
                let extra = length >> 7;
                put(room, at, [0x1a, 22 + extra, 0x08, 1, 0x12, 16]);
                put(room, at + 6, addr);
                put(room, at + 22, [0x18, length, 1]);
                let at = at + 24 + usize::from(extra);
                put(room, at, HOP);
                put(room, at + 4, *hop);
                put(room, 2, [length_byte(at + 20)]);
                at + 20
            }
        }
    }
}

/// Writes bytes to a place; the compiler knows `N`, so that no function is called.
#[inline]
fn put<const N: usize>(room: &mut [u8; FRAME_ROOM], at: usize, bytes: [u8; N]) {
    if let Some(place) = room.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = bytes;
    }
}

/// The length in the header of a frame of this length, which is below 256: the first of two bytes is 0.
fn length_byte(frame: usize) -> u8 {
    let [payload, ..] = (frame - HEADER_LEN).to_le_bytes();
    payload
}

/// The number of bytes that [`encode_update`] appends for the same arguments. Constant time.
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
    fn the_encoder_of_a_vni_writes_the_same_bytes() {
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
            for action in [Action::Add, Action::Remove] {
                for destination in &destinations {
                    for hop in &hops {
                        let (mut expected, mut room) = (Vec::new(), [9; FRAME_ROOM]);
                        encode_update(&mut expected, action, vni, destination, hop);
                        let length = encoder.write(&mut room, action, destination, hop);
                        let what = format!("{action:?} {vni} {destination} {hop}");
                        assert_eq!(room[..length], expected, "{what}");
                    }
                }
            }
        }
    }
}
