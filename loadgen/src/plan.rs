//! Which routes a run is about: numbers, and what they look like on the wire.
//!
//! Route `i` of a plan is in VNI `FIRST_VNI + i % vnis`, to the /32 whose address is
//! `10.0.0.0 + i / vnis`, by next hop `2001:db8::(i % hops)`. So a received route is a number again after
//! a look at its bytes, and nothing needs to be searched for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use metalbond::wire::{Action, Destination, NextHop, Vni, decode_update, encode_update};

/// A VNI of the size that is usual: three bytes on the wire.
const FIRST_VNI: u32 = 200_000;
const FIRST_ADDRESS: u32 = 0x0a00_0000;
const HOP_PREFIX: [u8; 12] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0];

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Number of routes.
    pub(crate) routes: u32,
    /// Number of VNIs that they are spread over.
    pub(crate) vnis: u32,
    /// Number of next hops.
    pub(crate) hops: u32,
}

impl Plan {
    /// The VNIs of the plan.
    pub(crate) fn vnis(&self) -> impl Iterator<Item = Vni> + use<> {
        (FIRST_VNI..FIRST_VNI + self.vnis).map(Vni)
    }

    /// The frames that announce or withdraw some of the routes.
    pub(crate) fn frames(&self, action: Action, routes: Range<u32>) -> Vec<u8> {
        let mut out = Vec::with_capacity(routes.len() * 40);
        for route in routes {
            let address = Ipv4Addr::from(FIRST_ADDRESS + route / self.vnis);
            let destination = Destination::new(IpAddr::V4(address), 32).expect("32 bits");
            let [a, b, c, d] = (route % self.hops).to_be_bytes();
            let mut hop = [0; 16];
            hop[..12].copy_from_slice(&HOP_PREFIX);
            hop[12..].copy_from_slice(&[a, b, c, d]);
            let hop = NextHop::standard(IpAddr::V6(Ipv6Addr::from(hop)));
            encode_update(&mut out, action, Vni(FIRST_VNI + route % self.vnis), &destination, &hop);
        }
        out
    }

    /// The route in the payload of an UPDATE; `None` for the route when it is none of the plan's,
    /// `None` altogether when it is no UPDATE.
    #[inline]
    pub(crate) fn recognise(&self, payload: &[u8]) -> Option<(Action, Option<u32>)> {
        let (action, rest) = match payload {
            [0x08, 1, rest @ ..] => (Action::Remove, rest),
            _ => (Action::Add, payload),
        };
        // What the plan's frames look like. Anything else is decoded in full.
        let [0x10, a, b, c @ ..0x80, 0x1a, 8, 0x12, 4, d0, d1, d2, d3, 0x18, 32, rest @ ..] = rest
        else {
            return self.recognise_any(payload);
        };
        let [0x22, 18, 0x0a, 16, hop @ ..] = rest else { return self.recognise_any(payload) };
        let Ok(hop) = <&[u8; 16]>::try_from(hop) else { return self.recognise_any(payload) };
        let vni = u32::from(a & 0x7f) | u32::from(b & 0x7f) << 7 | u32::from(*c) << 14;
        let address = u32::from_be_bytes([*d0, *d1, *d2, *d3]);
        Some((action, self.number(vni, address, *hop)))
    }

    #[cold]
    fn recognise_any(&self, payload: &[u8]) -> Option<(Action, Option<u32>)> {
        let update = decode_update(payload).ok()?;
        let number = match (update.destination.addr(), update.next_hop.address()) {
            (IpAddr::V4(address), IpAddr::V6(hop))
                if update.destination.prefix_len() == 32
                    && update.next_hop == NextHop::standard(hop.into()) =>
            {
                self.number(update.vni.0, address.into(), hop.octets())
            }
            _ => None,
        };
        Some((update.action, number))
    }

    #[inline]
    fn number(&self, vni: u32, address: u32, hop: [u8; 16]) -> Option<u32> {
        let vni = vni.checked_sub(FIRST_VNI).filter(|vni| *vni < self.vnis)?;
        let address = address.checked_sub(FIRST_ADDRESS)?;
        let route = address.checked_mul(self.vnis)?.checked_add(vni)?;
        let (prefix, last) = hop.split_last_chunk::<4>()?;
        let is_right = route < self.routes
            && prefix == HOP_PREFIX
            && u32::from_be_bytes(*last) == route % self.hops;
        is_right.then_some(route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metalbond::wire::split;

    #[test]
    fn a_route_on_the_wire_is_its_number_again() {
        let plan = Plan { routes: 1000, vnis: 7, hops: 13 };
        for action in [Action::Add, Action::Remove] {
            let bytes = plan.frames(action, 0..1001);
            let mut rest = &bytes[..];
            let mut numbers = Vec::new();
            while let Ok(Some(frame)) = split(rest) {
                assert_eq!(plan.recognise_any(frame.payload), plan.recognise(frame.payload));
                let (seen, number) = plan.recognise(frame.payload).unwrap();
                assert_eq!(seen, action);
                numbers.push(number);
                rest = &rest[frame.len()..];
            }
            assert_eq!(numbers.pop(), Some(None), "the last is not of the plan");
            assert!(numbers.into_iter().eq((0..1000).map(Some)));
        }
    }

    #[test]
    fn a_wrong_next_hop_is_not_the_plans_route() {
        let sent = Plan { routes: 10, vnis: 1, hops: 3 };
        let bytes = sent.frames(Action::Add, 4..5);
        let frame = split(&bytes).unwrap().unwrap();
        let other = Plan { routes: 10, vnis: 1, hops: 2 };
        assert_eq!(other.recognise(frame.payload), Some((Action::Add, None)));
    }
}
