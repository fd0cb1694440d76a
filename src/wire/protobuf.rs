//! The part of protobuf's encoding that UPDATE needs, without allocation.
//!
//! Accepts and refuses exactly what prost does, oddities included: varints of up to ten bytes of
//! which 32-bit fields keep the low half, groups skipped to a depth of 100, keys of up to 32 bits.

use super::WireError;

/// How deep prost lets messages and groups nest.
pub(super) const DEPTH: u32 = 100;

/// Wire types, the low three bits of a key.
pub(super) const VARINT: u32 = 0;
const FIXED64: u32 = 1;
pub(super) const BYTES: u32 = 2;
const GROUP_START: u32 = 3;
const GROUP_END: u32 = 4;
const FIXED32: u32 = 5;

/// The bytes of one message, consumed from the front.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// Whether all fields were read.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A varint of up to 64 bits.
    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    /// [`Self::varint`] when it is longer than one byte, or missing.
    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (shift, byte) in (0..64).step_by(7).zip(self.0) {
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                // The tenth byte has room for one bit.
                if shift == 63 && *byte > 1 {
                    return Err(WireError::Protobuf);
                }
                self.0 = self.0.get(shift / 7 + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(WireError::Protobuf)
    }

    /// The low 32 bits of a varint: a `uint32`, or an enum's `int32` seen as unsigned.
    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        let [a, b, c, d, ..] = self.varint()?.to_le_bytes();
        Ok(u32::from_le_bytes([a, b, c, d]))
    }

    /// The key of the next field: `number << 3 | wire type`, neither of them checked.
    #[inline]
    pub(super) fn key(&mut self) -> Result<u32, WireError> {
        u32::try_from(self.varint()?).map_err(|_| WireError::Protobuf)
    }

    /// Bytes with their length in front.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let len = usize::try_from(self.varint()?).map_err(|_| WireError::Protobuf)?;
        self.take(len)
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(WireError::Protobuf)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Skips the value of a field whose key was read and that the message does not have. The message's own fields
    /// are numbered 1 to `known`; a number in that range is an error: its wire type was wrong.
    #[cold]
    pub(super) fn skip(&mut self, key: u32, known: u32, depth: u32) -> Result<(), WireError> {
        if key >> 3 <= known {
            return Err(WireError::Protobuf);
        }
        self.skip_value(key, depth)
    }

    fn skip_value(&mut self, key: u32, depth: u32) -> Result<(), WireError> {
        let number = key >> 3;
        if depth == 0 || number == 0 {
            return Err(WireError::Protobuf);
        }
        match key & 7 {
            VARINT => self.varint().map(drop),
            FIXED64 => self.take(8).map(drop),
            BYTES => self.bytes().map(drop),
            FIXED32 => self.take(4).map(drop),
            GROUP_START => loop {
                let inner = self.key()?;
                match inner & 7 {
                    GROUP_END if inner >> 3 == number => return Ok(()),
                    _ => self.skip_value(inner, depth - 1)?,
                }
            },
            _ => Err(WireError::Protobuf),
        }
    }
}

/// The number of bytes of `value` as a varint.
#[inline]
pub(super) fn varint_len(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        0x1000_0000.. => 5,
    }
}

/// The number of bytes of a varint field numbered below 16: none for the default value, 0.
#[inline]
pub(super) fn field_len(value: u32) -> usize {
    if value == 0 { 0 } else { 1 + varint_len(value) }
}

/// Up to `N` bytes of output, on the stack.
pub(super) struct Writer<const N: usize> {
    buf: [u8; N],
    len: usize,
}

impl<const N: usize> Writer<N> {
    #[inline]
    pub(super) fn new() -> Self {
        Self { buf: [0; N], len: 0 }
    }

    /// The bytes written so far.
    pub(super) fn written(&self) -> &[u8] {
        &self.buf[..self.len]
    }

    /// Appends the written bytes. Copies all `N` bytes, a length that the compiler knows, and cuts the rest off:
    /// so no function is called.
    #[inline]
    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.buf);
        out.truncate(end);
    }

    /// Writes bytes unchanged; the compiler knows `M`, so that it copies words.
    #[inline]
    pub(super) fn put<const M: usize>(&mut self, bytes: [u8; M]) {
        self.buf[self.len..self.len + M].copy_from_slice(&bytes);
        self.len += M;
    }

    /// Writes a varint field with a one-byte key; nothing when `value` is the default, 0.
    #[inline]
    pub(super) fn field(&mut self, key: u8, value: u32) {
        if value == 0 {
            return;
        }
        self.put([key]);
        let mut rest = value;
        while rest >= 0x80 {
            let [low, ..] = rest.to_le_bytes();
            self.put([low | 0x80]);
            rest >>= 7;
        }
        let [low, ..] = rest.to_le_bytes();
        self.put([low]);
    }
}
