//! A route of one VNI, as the key by which the leaf orders its routes.

use std::ops::RangeInclusive;

use crate::wire::{Destination, NextHop, NextHopType};

/// The key of a route within one VNI; all answers are in its order.
pub(super) type RibKey = (Destination, NextHop);

/// All routes to a network, whatever their host bits.
pub(super) fn of_network(destination: Destination) -> RangeInclusive<(Destination, NextHop)> {
    let last = (destination.last_of_network(), NextHop::LAST);
    (destination.network(), NextHop::FIRST)..=last
}

/// Whether `new` replaces `old`. Targets of a load balancer stand beside each other.
pub(super) fn takes_the_place(new: &NextHop, old: &NextHop) -> bool {
    match (new.kind(), old.kind()) {
        (NextHopType::Standard, NextHopType::Standard) => true,
        (NextHopType::Nat, NextHopType::Nat) => {
            let ((new_from, new_to), (old_from, old_to)) = (new.nat_ports(), old.nat_ports());
            new_from <= old_to && old_from <= new_to
        }
        _ => false,
    }
}
