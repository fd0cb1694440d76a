//! Questions to a table of routes, and the form of a destination in answers: the same for leaf and reflector.

use std::net::IpAddr;

use super::{Destination, NextHop};

/// One destination and all its announced next hops.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DestinationInfo {
    /// The prefix.
    pub destination: Destination,
    /// Its next hops, in no order. At most 4096 are listed.
    pub next_hops: Vec<NextHop>,
}

/// A question to a VNI's routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// The routes of the longest prefix that contains an address.
    ///
    /// Bits below the prefix length belong to a route's identity. A reflector finds a prefix only if those
    /// bits are zero, as is usual, or equal to those of the address.
    Longest(IpAddr),
    /// The routes of exactly this prefix, bits below its length included.
    Exact(Destination),
}
