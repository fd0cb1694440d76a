//! Pieces in a stream of bytes: each behind its length as a varint.

use prost::Message as _;

use super::Defect;
use super::form::{Piece, piece::Kind};

/// The length of the longest piece that is read. Written pieces are far shorter: see
/// [`ENTRIES`](super::ENTRIES) and [`BYTES`](super::BYTES).
pub(crate) const PIECE_MAX: u64 = 4 << 20;

/// The bytes of the longest length.
const LENGTH_MAX: usize = 10;

/// Appends a piece.
pub(crate) fn write(kind: Kind, out: &mut Vec<u8>) {
    let piece = Piece { kind: Some(kind) };
    out.reserve(piece.encoded_len() + LENGTH_MAX);
    piece.encode_length_delimited(out).unwrap_or_else(|_| unreachable!("a vector grows"));
}

/// Takes a stream of pieces apart; its reads may end anywhere.
///
/// State: the bytes of an incomplete piece, which are fewer than [`PIECE_MAX`] and
/// one read.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    /// The number of these bytes that have been taken.
    taken: usize,
}

impl Pieces {
    /// Adds the next bytes of the stream. Take the completed pieces by [`Pieces::next`] before adding more.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.taken));
        self.bytes.extend_from_slice(bytes);
    }

    /// The next piece; `None` when more bytes are needed. Skips kinds that this program does not know:
    /// a later minor version may have more.
    ///
    /// # Errors
    /// [`Defect::TooLong`] and [`Defect::Undecodable`]. The rest of the stream has no known boundaries then.
    pub(crate) fn next(&mut self) -> Result<Option<Kind>, Defect> {
        while let Some(piece) = self.next_piece()? {
            if piece.kind.is_some() {
                return Ok(piece.kind);
            }
        }
        Ok(None)
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, Defect> {
        let undecodable = |error: prost::DecodeError| Defect::Undecodable(error.to_string());
        let rest = &self.bytes[self.taken..];
        let is_whole = rest.iter().take(LENGTH_MAX).any(|byte| *byte < 0x80);
        if !is_whole && rest.len() < LENGTH_MAX {
            return Ok(None);
        }
        let mut body = rest;
        let length = prost::decode_length_delimiter(&mut body).map_err(undecodable)?;
        if length as u64 > PIECE_MAX {
            return Err(Defect::TooLong(length as u64));
        }
        let Some(piece) = body.get(..length) else { return Ok(None) };
        let piece = Piece::decode(piece).map_err(undecodable)?;
        self.taken += rest.len() - body.len() + length;
        Ok(Some(piece))
    }

    /// Whether every byte belonged to a piece.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::{End, Header};
    use super::*;

    fn stream() -> (Vec<Kind>, Vec<u8>) {
        let header = Header { major: 1, minor: 7, writer: "w".repeat(300), now: u64::MAX };
        let kinds = vec![
            Kind::Header(header),
            Kind::End(End::default()),
            Kind::End(End { tables: 1, routes: 2, connections: 3 }),
        ];
        let mut bytes = Vec::new();
        kinds.iter().for_each(|kind| write(kind.clone(), &mut bytes));
        (kinds, bytes)
    }

    #[test]
    fn a_stream_that_is_cut_anywhere_gives_its_pieces() {
        let (kinds, bytes) = stream();
        for length in 1..bytes.len() {
            let mut pieces = Pieces::default();
            let mut found = Vec::new();
            for read in bytes.chunks(length) {
                pieces.feed(read);
                while let Some(kind) = pieces.next().unwrap() {
                    found.push(kind);
                }
            }
            assert_eq!(found, kinds, "in reads of {length} bytes");
            assert!(pieces.is_empty());
        }
    }

    #[test]
    fn a_piece_that_is_too_long_is_refused_before_it_has_come() {
        let mut pieces = Pieces::default();
        pieces.feed(&[0xFF, 0xFF, 0xFF, 0x7F]);
        assert_eq!(pieces.next(), Err(Defect::TooLong(0x0FFF_FFFF)));
        let mut pieces = Pieces::default();
        pieces.feed(&[0xFF; 9]);
        assert_eq!(pieces.next(), Ok(None));
        pieces.feed(&[0xFF; 2]);
        assert!(matches!(pieces.next(), Err(Defect::Undecodable(_))));
    }

    #[test]
    fn pieces_of_unknown_kinds_are_passed_over() {
        let mut bytes = vec![0, 3, 0xF2, 0x7F, 0];
        write(Kind::End(End::default()), &mut bytes);
        let mut pieces = Pieces::default();
        pieces.feed(&bytes);
        assert_eq!(pieces.next(), Ok(Some(Kind::End(End::default()))));
        assert_eq!(pieces.next(), Ok(None));
    }

    #[test]
    fn what_is_no_piece_is_refused() {
        for bytes in [&[1, 0xFF][..], &[2, 0x0A, 5]] {
            let mut pieces = Pieces::default();
            pieces.feed(bytes);
            assert!(matches!(pieces.next(), Err(Defect::Undecodable(_))), "{bytes:?}");
        }
    }
}
