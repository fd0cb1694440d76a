//! Bytes of the kernel, cut up: messages of a datagram, attributes of a message, numbers.
//!
//! Every access is checked; what is cut short ends the iteration.

use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_ERROR};

use super::uapi::NLMSGERR_ATTR_MSG;

/// Bytes of a message's header (`nlmsghdr`).
pub(super) const HEADER: usize = 16;

/// One message.
#[derive(Clone, Copy, Debug)]
pub(super) struct NetlinkMessage<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// The port id of the asking socket; for an event, of the socket that made the change; 0 is the kernel.
    pub(super) port: u32,
    pub(super) payload: &'a [u8],
}

impl<'a> NetlinkMessage<'a> {
    /// The result in an acknowledgement: 0 or an errno, and the kernel's words. `None` for other
    /// messages.
    pub(super) fn answer(&self) -> Option<(i32, Option<&'a str>)> {
        if self.kind != NLMSG_ERROR {
            return None;
        }
        let code = i32::from_ne_bytes(take(self.payload, 0)?);
        Some((code.checked_neg()?, self.words()))
    }

    fn words(&self) -> Option<&'a str> {
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        // The refused message precedes the attributes, whole or only its header.
        let echoed = if self.flags & NLM_F_CAPPED == 0 {
            usize::try_from(u32_at(self.payload, 4)?).ok()?.checked_next_multiple_of(4)?
        } else {
            HEADER
        };
        let attributes = self.payload.get(4..)?.get(echoed..)?;
        Attributes(attributes).find(NLMSGERR_ATTR_MSG).and_then(text)
    }
}

/// The messages of a datagram.
#[derive(Clone, Debug)]
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = NetlinkMessage<'a>;

    fn next(&mut self) -> Option<NetlinkMessage<'a>> {
        let bytes = self.0;
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let message = NetlinkMessage {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            port: u32_at(bytes, 12)?,
            payload: bytes.get(HEADER..length)?,
        };
        self.0 = bytes.get(length.checked_next_multiple_of(4)?..).unwrap_or_default();
        Some(message)
    }
}

/// Attributes in a row, as pairs of a type without its flags and a value.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first attribute of a type.
    pub(super) fn find(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find_map(|(found, value)| (found == kind).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let bytes = self.0;
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & netlink_packet_core::NLA_TYPE_MASK;
        let value = bytes.get(4..length)?;
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// `N` bytes from an offset.
pub(super) fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// A number in the machine's byte order, from an offset.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    take(bytes, at).map(u16::from_ne_bytes)
}

/// A number in the machine's byte order, from an offset.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    take(bytes, at).map(u32::from_ne_bytes)
}

/// A string up to its first NUL.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(bytes.get(..end)?).ok()
}
