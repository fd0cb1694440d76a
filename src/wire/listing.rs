//! What is asked of a table of routes, and how a destination of it is told: the same for the leaf's and the
//! reflector's.

use std::net::IpAddr;

use super::{Destination, NextHop};

/// One destination and every next hop that somebody announces for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DestinationInfo {
    /// The prefix.
    pub destination: Destination,
    /// Where it is reached, in no order. At most 4096 are listed.
    pub next_hops: Vec<NextHop>,
}

/// What to look for in a VNI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// The routes of the longest prefix that an address lies in.
    ///
    /// Bits below the prefix length belong to a route's identity. Such a prefix is found when those
    /// bits are zero, as is usual, or those of the address.
    Longest(IpAddr),
    /// The routes of exactly this prefix, bits below its length included.
    Exact(Destination),
}
