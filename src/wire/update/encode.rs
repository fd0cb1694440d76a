//! Encoding, by hand: one pass over a buffer on the stack, one copy into the caller's.

use std::net::IpAddr;

use crate::wire::frame::{self, HEADER_LEN, MessageType};
use crate::wire::protobuf::{Writer, field_len};
use crate::wire::{Action, Destination, IpVersion, NextHop, Vni};

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
