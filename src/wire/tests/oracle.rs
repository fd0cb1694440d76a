//! The crate prost as the judge of the hand-written UPDATE codec, for tests and for fuzzing.

use prost::Message as _;

use crate::wire::{Action, Destination, NextHop, Update, Vni, WireError, proto};
#[cfg(fuzzing)]
use crate::wire::{HEADER_LEN, decode_update, encode_update};

/// The expected result of decoding any bytes.
pub(super) fn reference(payload: &[u8]) -> Result<Update, WireError> {
    let update = proto::Update::decode(payload).map_err(|_| WireError::Protobuf)?;
    let action = match update.action {
        0 => Action::Add,
        1 => Action::Remove,
        other => return Err(WireError::Action(other.cast_unsigned())),
    };
    let d = update.destination.ok_or(WireError::MissingDestination)?;
    let h = update.next_hop.ok_or(WireError::MissingNextHop)?;
    Ok(Update {
        action,
        vni: Vni(update.vni),
        destination: Destination::from_wire(
            d.ip_version.cast_unsigned(),
            &d.prefix,
            d.prefix_length,
        )?,
        next_hop: NextHop::from_wire(
            &h.target_address,
            h.target_vni,
            h.r#type.cast_unsigned(),
            h.nat_port_range_from,
            h.nat_port_range_to,
        )?,
    })
}

/// Decodes any bytes, and encodes the result again.
///
/// # Panics
/// If prost has another result.
#[cfg(fuzzing)]
pub(crate) fn check(payload: &[u8]) {
    let decoded = decode_update(payload);
    assert_eq!(decoded, reference(payload));
    if let (Ok(update), Ok(prosts)) = (decoded, proto::Update::decode(payload)) {
        let mut frame = Vec::new();
        encode_update(&mut frame, update.action, update.vni, &update.destination, &update.next_hop);
        assert_eq!(frame[HEADER_LEN..], prosts.encode_to_vec());
    }
}
