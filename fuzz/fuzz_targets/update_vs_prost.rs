//! The hand-written UPDATE codec against prost's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metalbond::wire::{
    Action, Destination, HEADER_LEN, NextHop, Update, Vni, WireError, decode_update, encode_update,
    proto,
};
use prost::Message as _;

fn validate(update: proto::Update) -> Result<Update, WireError> {
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

fuzz_target!(|payload: &[u8]| {
    let prosts = proto::Update::decode(payload).map_err(|_| WireError::Protobuf);
    let expected = prosts.clone().and_then(validate);
    let decoded = decode_update(payload);
    assert_eq!(decoded, expected);
    if let (Ok(update), Ok(prosts)) = (decoded, prosts) {
        let mut frame = Vec::new();
        encode_update(
            &mut frame,
            update.action,
            update.vni,
            &update.destination,
            &update.next_hop,
        );
        assert_eq!(frame[HEADER_LEN..], prosts.encode_to_vec());
    }
});
