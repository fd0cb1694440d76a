//! Which routes a run is about: numbers, and what they look like on the wire.
//!
//! Destination `d` of a plan is in VNI `first_vni + d % vnis` and is the /32 whose address is
//! `10.0.0.0 + d / vnis`. There are `variants` routes to each. Where next hops are shared, route
//! `d * variants + v` is by next hop `2001:db8::((d + v) % hops)`; where each route has its own, route `r`
//! is by `2001:db8::r`. So a received route is a number again after a look at its bytes, and nothing needs
//! to be searched for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use metalbond::wire::{Action, Destination, NextHop, Vni, decode_update, encode_update};

/// A VNI of the usual size: three bytes on the wire.
pub(crate) const FIRST_VNI: u32 = 200_000;
const FIRST_ADDRESS: u32 = 0x0a00_0000;
const HOP_PREFIX: [u8; 12] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0];

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    first_vni: u32,
    /// Number of routes.
    pub(crate) routes: u32,
    /// Number of VNIs over which they are spread.
    pub(crate) vnis: u32,
    hops: Hops,
    /// Number of routes to one destination.
    variants: u32,
}

/// The next hops of routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hops {
    /// Each route has its own next hop.
    Own,
    /// All routes share this number of next hops.
    Shared(u32),
}

impl Plan {
    /// Routes with a destination each, over `hops` next hops.
    pub(crate) fn new(routes: u32, vnis: u32, hops: u32) -> Self {
        Self { first_vni: FIRST_VNI, routes, vnis, hops: Hops::Shared(hops), variants: 1 }
    }

    /// Routes with a destination and a next hop each.
    pub(crate) fn own_hops(routes: u32, vnis: u32) -> Self {
        Self { hops: Hops::Own, ..Self::new(routes, vnis, 1) }
    }

    /// Routes in one VNI outside of this plan.
    pub(crate) fn elsewhere(&self, routes: u32, hops: u32) -> Self {
        Self { first_vni: self.first_vni + self.vnis, ..Self::new(routes, 1, hops) }
    }

    /// Destinations that can be at any of `places` places: each with the next hop of the place, or with a next hop of
    /// its own there. `None` when there are too many routes.
    pub(crate) fn movable(
        destinations: u32,
        vnis: u32,
        places: u32,
        shares_hops: bool,
    ) -> Option<Self> {
        let routes = destinations.checked_mul(places)?;
        let hops = if shares_hops { Hops::Shared(places) } else { Hops::Own };
        Some(Self { variants: places, hops, ..Self::new(routes, vnis, 1) })
    }

    /// The same routes in VNIs from `first` on.
    ///
    /// # Errors
    /// One sentence, when there are not enough VNIs.
    pub(crate) fn beginning_at(self, first: u32) -> Result<Self, String> {
        // One more VNI may be needed, for `elsewhere`.
        match first.checked_add(self.vnis) {
            Some(_) => Ok(Self { first_vni: first, ..self }),
            None => Err(format!(
                "there are not {} VNIs from {first} on: give a lower --first-vni",
                self.vnis
            )),
        }
    }

    /// The plan, if the views of `sessions` sessions fit into memory: a bit for each route, twice.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn fits(self, sessions: u32) -> Result<Self, String> {
        let bits = 2 * u64::from(self.routes) * u64::from(sessions);
        if self.routes <= 1 << 28 && bits <= 1 << 36 {
            Ok(self)
        } else {
            Err(format!("{} routes of {sessions} sessions take too much memory", self.routes))
        }
    }

    /// The VNIs of the plan.
    pub(crate) fn vnis(&self) -> impl Iterator<Item = Vni> + use<> {
        (self.first_vni..self.first_vni + self.vnis).map(Vni)
    }

    /// A VNI by its number, from 0.
    pub(crate) fn vni(&self, number: u32) -> Vni {
        Vni(self.first_vni + number)
    }

    /// The number of a route's VNI.
    pub(crate) fn vni_of(&self, route: u32) -> u32 {
        route / self.variants % self.vnis
    }

    /// The route to a destination at a place. For plans made by [`Plan::movable`].
    pub(crate) fn route(&self, destination: u32, place: u32) -> u32 {
        let variant = match self.hops {
            Hops::Own => place,
            Hops::Shared(hops) => variant(destination, place, hops),
        };
        destination * self.variants + variant
    }

    /// Whether next hops are shared: then a place has the same number for all destinations.
    pub(crate) fn shares_hops(&self) -> bool {
        matches!(self.hops, Hops::Shared(_))
    }

    /// All routes of a VNI, by its number.
    pub(crate) fn routes_in(&self, vni: u32) -> impl Iterator<Item = u32> + use<> {
        let Self { routes, vnis, variants, .. } = *self;
        let destinations = (vni..routes / variants).step_by(vnis as usize);
        destinations.flat_map(move |destination| (destination * variants..).take(variants as usize))
    }

    /// The frames that announce or withdraw some of the routes.
    pub(crate) fn frames(&self, action: Action, routes: impl IntoIterator<Item = u32>) -> Vec<u8> {
        let mut out = Vec::new();
        for route in routes {
            self.frame(&mut out, action, route);
        }
        out
    }

    /// Appends the frame that announces or withdraws a route.
    pub(crate) fn frame(&self, out: &mut Vec<u8>, action: Action, route: u32) {
        let number = route / self.variants;
        let address = Ipv4Addr::from(FIRST_ADDRESS + number / self.vnis);
        let destination = Destination::host(IpAddr::V4(address));
        let variant = u64::from(route % self.variants);
        let hop = match self.hops {
            Hops::Own => u64::from(route),
            Hops::Shared(hops) => (u64::from(number) + variant) % u64::from(hops),
        };
        let [.., a, b, c, d] = hop.to_be_bytes();
        let mut hop = [0; 16];
        hop[..12].copy_from_slice(&HOP_PREFIX);
        hop[12..].copy_from_slice(&[a, b, c, d]);
        let hop = NextHop::standard(IpAddr::V6(Ipv6Addr::from(hop)));
        encode_update(out, action, self.vni(number % self.vnis), &destination, &hop);
    }

    /// The route in the payload of an UPDATE; `None` for the route when it is not in the plan,
    /// `None` altogether when the payload is no UPDATE.
    #[inline]
    pub(crate) fn recognise(&self, payload: &[u8]) -> Option<(Action, Option<u32>)> {
        let (action, rest) = match payload {
            [0x08, 1, rest @ ..] => (Action::Remove, rest),
            _ => (Action::Add, payload),
        };
        // The form of the plan's frames. Other frames are decoded in full.
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
        let vni = vni.checked_sub(self.first_vni).filter(|vni| *vni < self.vnis)?;
        let address = address.checked_sub(FIRST_ADDRESS)?;
        let destination = address.checked_mul(self.vnis)?.checked_add(vni)?;
        let (prefix, last) = hop.split_last_chunk::<4>()?;
        let hop = u32::from_be_bytes(*last);
        if *prefix != HOP_PREFIX {
            return None;
        }
        let hops = match self.hops {
            Hops::Own => {
                // Avoids a needless division.
                let number = if self.variants == 1 { hop } else { hop / self.variants };
                return (number == destination && hop < self.routes).then_some(hop);
            }
            Hops::Shared(hops) => hops,
        };
        if hop >= hops {
            return None;
        }
        if self.variants == 1 {
            let is_right = hop == destination % hops && destination < self.routes;
            return is_right.then_some(destination);
        }
        let variant = variant(destination, hop, hops);
        let route = destination.checked_mul(self.variants)?.checked_add(variant)?;
        (variant < self.variants && route < self.routes).then_some(route)
    }
}

/// The variant of a destination that has a given next hop of `hops` shared ones.
#[inline]
fn variant(destination: u32, hop: u32, hops: u32) -> u32 {
    let base = destination % hops;
    if hop >= base { hop - base } else { hop + hops - base }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metalbond::wire::{split, whole_frames};

    #[test]
    fn a_route_on_the_wire_is_its_number_again() {
        let plans = [Plan::new(1000, 7, 13), Plan::new(1000, 7, 1), Plan::own_hops(1000, 7)];
        for (plan, action) in
            plans.iter().flat_map(|plan| [Action::Add, Action::Remove].map(|action| (plan, action)))
        {
            let bytes = plan.frames(action, 0..1001);
            let mut numbers = Vec::new();
            for frame in whole_frames(&bytes) {
                assert_eq!(plan.recognise_any(frame.payload), plan.recognise(frame.payload));
                let (seen, number) = plan.recognise(frame.payload).unwrap();
                assert_eq!(seen, action);
                numbers.push(number);
            }
            assert_eq!(numbers.pop(), Some(None), "the last is not of the plan");
            assert!(numbers.into_iter().eq((0..1000).map(Some)));
        }
    }

    #[test]
    fn a_wrong_next_hop_is_not_the_plans_route() {
        let sent = Plan::new(10, 1, 3);
        let bytes = sent.frames(Action::Add, 4..5);
        let frame = split(&bytes).unwrap().unwrap();
        let other = Plan::new(10, 1, 2);
        assert_eq!(other.recognise(frame.payload), Some((Action::Add, None)));
        let own = Plan::own_hops(10, 1);
        assert_eq!(own.recognise(frame.payload), Some((Action::Add, None)));
    }

    #[test]
    fn every_route_has_its_own_next_hop() {
        for plan in [Plan::own_hops(500, 7), Plan::movable(50, 7, 10, false).unwrap()] {
            let bytes = plan.frames(Action::Add, 0..500);
            let mut hops = std::collections::HashSet::new();
            for frame in whole_frames(&bytes) {
                let Ok(update) = decode_update(frame.payload) else { panic!("no update") };
                assert!(hops.insert(update.next_hop.address()));
            }
            assert_eq!(hops.len(), 500);
        }
    }

    #[test]
    fn a_destination_has_a_route_at_every_place() {
        for shares_hops in [true, false] {
            let plan = Plan::movable(30, 4, 7, shares_hops).unwrap();
            assert_eq!(plan.routes, 210);
            let mut seen = Vec::new();
            for (destination, place) in (0..30).flat_map(|d| (0..7).map(move |place| (d, place))) {
                let route = plan.route(destination, place);
                let bytes = plan.frames(Action::Add, [route]);
                let frame = split(&bytes).unwrap().unwrap();
                assert_eq!(plan.recognise(frame.payload), Some((Action::Add, Some(route))));
                let Ok(update) = decode_update(frame.payload) else { panic!("no update") };
                assert_eq!(update.vni, plan.vni(destination % 4));
                assert_eq!(plan.vni_of(route), destination % 4);
                let IpAddr::V6(hop) = update.next_hop.address() else { panic!("no IPv6") };
                let expected = if shares_hops { place } else { route };
                assert_eq!(hop.to_bits() & 0xffff_ffff, expected.into());
                seen.push(route);
            }
            seen.sort_unstable();
            assert!(seen.iter().copied().eq(0..210));
            let mut by_vni: Vec<_> = (0..4).flat_map(|vni| plan.routes_in(vni)).collect();
            by_vni.sort_unstable();
            assert_eq!(by_vni, seen);
        }
    }
}
