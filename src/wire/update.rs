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

use std::net::IpAddr;

use super::frame::{self, HEADER_LEN, MessageType};
use super::protobuf::{BYTES, DEPTH, Reader, VARINT, Writer, field_len};
use super::{Action, Destination, IpVersion, NextHop, Update, Vni, WireError};

/// The longest frame [`encode_update`] writes, to size buffers by.
///
/// Header, action, VNI, an IPv6 destination and an IPv6 next hop with every field at its longest.
pub const MAX_UPDATE_FRAME: usize =
    HEADER_LEN + 2 + 6 + (2 + 2 + 18 + 3) + (2 + 18 + 6 + 2 + 6 + 6);

/// The key of a field.
const fn key(number: u32, wire_type: u32) -> u32 {
    number << 3 | wire_type
}

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
    let mut raw = RawUpdate::default();
    raw.merge(payload)?;
    raw.validate()
}

/// An UPDATE's fields before they mean anything.
#[derive(Default)]
struct RawUpdate<'a> {
    action: u32,
    vni: u32,
    destination: Option<RawDestination<'a>>,
    next_hop: Option<RawNextHop<'a>>,
}

impl<'a> RawUpdate<'a> {
    #[inline]
    fn merge(&mut self, payload: &'a [u8]) -> Result<(), WireError> {
        const ACTION: u32 = key(1, VARINT);
        const VNI: u32 = key(2, VARINT);
        const DESTINATION: u32 = key(3, BYTES);
        const NEXT_HOP: u32 = key(4, BYTES);
        let mut reader = Reader(payload);
        while !reader.is_empty() {
            match reader.key()? {
                ACTION => self.action = reader.u32()?,
                VNI => self.vni = reader.u32()?,
                DESTINATION => {
                    self.destination
                        .get_or_insert_default()
                        .merge(reader.bytes()?)?;
                }
                NEXT_HOP => self
                    .next_hop
                    .get_or_insert_default()
                    .merge(reader.bytes()?)?,
                other => reader.skip(other, 4, DEPTH)?,
            }
        }
        Ok(())
    }

    #[inline]
    fn validate(&self) -> Result<Update, WireError> {
        let action = match self.action {
            0 => Action::Add,
            1 => Action::Remove,
            other => return Err(WireError::Action(other)),
        };
        let destination = self
            .destination
            .as_ref()
            .ok_or(WireError::MissingDestination)?;
        let next_hop = self.next_hop.as_ref().ok_or(WireError::MissingNextHop)?;
        Ok(Update {
            action,
            vni: Vni(self.vni),
            destination: Destination::from_wire(
                destination.version,
                destination.prefix,
                destination.prefix_len,
            )?,
            next_hop: NextHop::from_wire(
                next_hop.address,
                next_hop.target_vni,
                next_hop.kind,
                next_hop.nat_from,
                next_hop.nat_to,
            )?,
        })
    }
}

#[derive(Default)]
struct RawDestination<'a> {
    version: u32,
    prefix: &'a [u8],
    prefix_len: u32,
}

impl<'a> RawDestination<'a> {
    #[inline]
    fn merge(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        const VERSION: u32 = key(1, VARINT);
        const PREFIX: u32 = key(2, BYTES);
        const PREFIX_LEN: u32 = key(3, VARINT);
        let mut reader = Reader(message);
        while !reader.is_empty() {
            match reader.key()? {
                VERSION => self.version = reader.u32()?,
                PREFIX => self.prefix = reader.bytes()?,
                PREFIX_LEN => self.prefix_len = reader.u32()?,
                other => reader.skip(other, 3, DEPTH - 1)?,
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct RawNextHop<'a> {
    address: &'a [u8],
    target_vni: u32,
    kind: u32,
    nat_from: u32,
    nat_to: u32,
}

impl<'a> RawNextHop<'a> {
    #[inline]
    fn merge(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        const ADDRESS: u32 = key(1, BYTES);
        const TARGET_VNI: u32 = key(2, VARINT);
        const TYPE: u32 = key(3, VARINT);
        const NAT_FROM: u32 = key(4, VARINT);
        const NAT_TO: u32 = key(5, VARINT);
        let mut reader = Reader(message);
        while !reader.is_empty() {
            match reader.key()? {
                ADDRESS => self.address = reader.bytes()?,
                TARGET_VNI => self.target_vni = reader.u32()?,
                TYPE => self.kind = reader.u32()?,
                NAT_FROM => self.nat_from = reader.u32()?,
                NAT_TO => self.nat_to = reader.u32()?,
                other => reader.skip(other, 5, DEPTH - 1)?,
            }
        }
        Ok(())
    }
}

/// Appends the frame of an UPDATE, header included, in its canonical form.
///
/// Infallible, since a [`Destination`] and a [`NextHop`] are always valid. Constant time; allocates
/// only when `out` must grow, by at most [`MAX_UPDATE_FRAME`].
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
    out.extend_from_slice(w.as_slice());
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
