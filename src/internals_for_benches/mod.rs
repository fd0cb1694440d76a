//! Drivers with which benches run the private folders. They are not part of the library's interface and may change or
//! go at any time.
//!
//! A bench is a program of its own and sees only public items. Tables, outboxes and the mesh (the channels between
//! shards) are private, and should not become public only to be measured. So a bench gets these few drivers, and none
//! of the types that they drive. The drivers are always built, because nobody runs benches that need a feature; a
//! program that does not call them does not contain them.
//!
//! Each driver calls what the real one (`reflector::driver`) calls, in the same order, with the
//! default bounds. Its clock stands still: nothing is late, and nothing waits to be gathered.
//!
//! Imports: ids, io, policy, reflector, shard, table, wire.

#![allow(clippy::expect_used, reason = "a bench ends where it meets what it does not expect")]

mod fan_out;
mod fleet;
mod hop;
mod shards;
mod table;

use std::net::{Ipv4Addr, Ipv6Addr};

pub use fan_out::FanOut;
pub use fleet::{Fleet, Shape};
pub use hop::hops;
pub use table::{Table, Vnis};

use crate::wire::{Action, Destination, Message, NextHop, Update, Vni};

/// A route of a VNI.
pub type Route = (Destination, NextHop);

/// Next hops that routes are spread over, as over the hosts of a data centre.
const HOPS: u32 = 1000;

/// So many different routes: IPv4 hosts, over a thousand next hops.
#[must_use]
pub fn routes(count: u32) -> Vec<Route> {
    routes_over(count, HOPS)
}

/// So many different routes, each with a next hop of its own, as IronCore's interfaces have.
#[must_use]
pub fn own_routes(count: u32) -> Vec<Route> {
    routes_over(count, u32::MAX)
}

fn routes_over(count: u32, hops: u32) -> Vec<Route> {
    let route = |number: u32| {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + number);
        let hop = Ipv6Addr::from_bits((0x2001_0db8 << 96) + u128::from(number % hops + 1));
        let destination = Destination::new(address.into(), 32);
        (destination.unwrap_or(Destination::FIRST), NextHop::standard(hop.into()))
    };
    (0..count).map(route).collect()
}

/// The messages that announce or withdraw routes.
#[must_use]
pub fn window(vni: Vni, action: Action, routes: &[Route]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &(destination, next_hop) in routes {
        Message::Update(Update { action, vni, destination, next_hop }).encode_into(&mut bytes);
    }
    bytes
}
