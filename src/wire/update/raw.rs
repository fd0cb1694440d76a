//! The general path of decoding: every encoding that protobuf allows.
//!
//! Fields may come in any order, repeated (the last scalar wins, nested messages merge), padded,
//! and mixed with unknown ones. They are collected raw and judged only when all were read.

use crate::wire::protobuf::{BYTES, DEPTH, Reader, VARINT};
use crate::wire::{Action, Destination, NextHop, Update, Vni, WireError};

/// The key of a field.
const fn key(number: u32, wire_type: u32) -> u32 {
    number << 3 | wire_type
}

/// Decodes an UPDATE's payload as prost does, then lets the constructors check the fields.
pub(super) fn decode_any(payload: &[u8]) -> Result<Update, WireError> {
    let mut raw = RawUpdate::default();
    raw.merge(payload)?;
    raw.validate()
}

/// An UPDATE's unchecked fields.
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
                    self.destination.get_or_insert_default().merge(reader.bytes()?)?;
                }
                NEXT_HOP => self.next_hop.get_or_insert_default().merge(reader.bytes()?)?,
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
        let destination = self.destination.as_ref().ok_or(WireError::MissingDestination)?;
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
