//! The operations on private folders that the fuzz targets run. It is no part of the library: it exists only under
//! `cfg(fuzzing)` and in tests, whose properties draw the same bytes.
//!
//! Any bytes stand for some operations: a head with the bounds, then four bytes for each operation. So the operations
//! that the fuzzer does not remove or change stay the same.

#[cfg(fuzzing)]
use crate::wire;
use crate::{federation, outbox, table};

/// Says the bounds.
pub(crate) type Head = [u8; 8];

/// One operation.
pub(crate) type Code = [u8; 4];

/// Operations past which one run takes too long to be worth it.
const OPS_MAX: usize = 1000;

/// The payload of an UPDATE, decoded by the hand-written codec and by the crate prost.
///
/// # Panics
/// When they differ.
#[cfg(fuzzing)]
pub fn update_vs_prost(payload: &[u8]) {
    wire::tests::oracle::check(payload);
}

/// Operations on one VNI.
///
/// # Panics
/// When a subscriber is not sent exactly what it is owed.
pub fn table_ops(data: &[u8]) {
    let (head, codes) = cut(data);
    table::tests::ops::run(table::tests::ops::bounds(head), codes.map(table::tests::ops::decode));
}

/// Operations on outboxes that VNIs fill.
///
/// # Panics
/// When what comes out is not whole frames, or not exactly what the peer is owed.
pub fn outbox_ops(data: &[u8]) {
    let (head, codes) = cut(data);
    outbox::tests::ops::run(
        outbox::tests::ops::bounds(head),
        codes.map(outbox::tests::ops::decode),
    );
}

/// Messages of other sites, cut and made up at will, and time that passes.
///
/// # Panics
/// When a message makes the link panic, or makes it ask for more than a message can be worth.
pub fn link_messages(data: &[u8]) {
    federation::link::fuzz::run(data);
}

fn cut(data: &[u8]) -> (Head, impl Iterator<Item = Code>) {
    let (head, rest) = data.split_at(data.len().min(size_of::<Head>()));
    let mut bounds = Head::default();
    bounds[..head.len()].copy_from_slice(head);
    let codes = rest.chunks_exact(size_of::<Code>()).take(OPS_MAX);
    (bounds, codes.map(|code| [code[0], code[1], code[2], code[3]]))
}

/// One of a few, as a byte says.
pub(crate) fn pick<T: Copy>(from: &[T], byte: u8) -> T {
    from[usize::from(byte) % from.len()]
}
