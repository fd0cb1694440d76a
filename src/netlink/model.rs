//! Requests to the kernel and its answers: plain values, no sockets. `fib` decides in these, `kernel` carries them.

use std::net::Ipv6Addr;

use smallvec::SmallVec;

use crate::wire::{Destination, IpVersion};

/// The table with the addresses for which the host takes packets (`ip -6 route show table local`).
pub(crate) const OWN_ADDRESSES: u32 = 255;

/// The tables `default`, `main` and `local`, which hold the host's own routes.
const SYSTEM: std::ops::RangeInclusive<u32> = 253..=255;

/// Whether a table holds the host's own routes beside ours: there a protocol number does not prove who owns a route.
pub(crate) fn is_shared_with_host(table: u32) -> bool {
    SYSTEM.contains(&table)
}

/// Where an encapsulated packet goes: `encap ip6 id ENCAP_ID dst UNDERLAY dev DEVICE`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Hop {
    /// The underlay address.
    pub(crate) underlay: Ipv6Addr,
    /// The tunnel id: the VNI if the tunnel carries one, else 0.
    pub(crate) encap_id: u64,
    /// The tunnel device's index.
    pub(crate) device: u32,
}

/// The key by which the kernel distinguishes routes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct RouteKey {
    /// Routing table, from 1.
    pub(crate) table: u32,
    /// The prefix, with no host bits set.
    pub(crate) destination: Destination,
    /// The metric; the kernel turns 0 into 1024 for IPv6, and this field then holds 1024.
    pub(crate) metric: u32,
}

/// How a route names its next hops.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Via {
    /// By a nexthop object or group.
    Object(u32),
    /// By hops in the route itself, sorted.
    Hops(SmallVec<[Hop; 1]>),
    /// In a form that this program never writes.
    Foreign,
}

/// A route as a dump shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KernelRoute {
    pub(crate) key: RouteKey,
    /// The protocol that installed it (`rtm_protocol`).
    pub(crate) protocol: u8,
    pub(crate) via: Via,
}

/// A nexthop object as a dump shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Object {
    pub(crate) id: u32,
    pub(crate) protocol: u8,
    pub(crate) body: ObjectBody,
}

/// The content of a nexthop object.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ObjectBody {
    /// A hop, as an object of an IP version. An IPv6 object serves routes of both versions, and the kernel
    /// demands IPv6 on the device for it; an IPv4 object serves IPv4 routes only.
    Hop(Hop, IpVersion),
    /// Members of equal weight, in the order of their ids.
    Group(SmallVec<[u32; 4]>),
    /// A content that this program never writes.
    Foreign,
}

/// One change asked of the kernel. The kernel carries out a batch in order; a refused request does
/// not stop the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// `replace` false: refused with EEXIST when the key exists, of whatever protocol. `replace`
    /// true: created, or replaces the existing route of whatever protocol.
    SetRoute { key: RouteKey, protocol: u8, via: Via, replace: bool },
    /// Refused with ESRCH when there is no route of this protocol, with the form `via` if that is given. For
    /// IPv4, metric 0 stands for any metric: the route of the smallest metric goes.
    DeleteRoute { key: RouteKey, protocol: u8, via: Option<Via> },
    /// Creates a nexthop object; refused with EEXIST when the id is taken.
    AddObject(Object),
    /// Deletes a nexthop object; the kernel also deletes its users.
    DeleteObject { id: u32 },
}

/// Why the kernel refused a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KernelError {
    /// A positive errno.
    pub(crate) errno: i32,
    /// The kernel's own words (extack) or, without any, the errno's.
    pub(crate) text: String,
}

/// The sort of tunnel that a device is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TunnelKind {
    /// `ip6tnl external`, and other devices that carry no VNI: ids are 0.
    Ip6Tnl,
    /// `vxlan external gpe`, and other devices that carry the VNI.
    VxlanGpe,
}

/// A network device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Device {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// Administratively up (`IFF_UP`).
    pub(crate) up: bool,
    /// `Err` says in one sentence why it can't serve, and names a device that would.
    pub(crate) kind: Result<TunnelKind, String>,
    /// One sentence about the packets that get lost although the device takes routes.
    pub(crate) remark: Option<String>,
    pub(crate) abilities: Abilities,
}

/// Abilities of a device, which may change while it is up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Abilities {
    pub(crate) mtu: u32,
    /// Whether the kernel installs IPv6 routes on it: not if `disable_ipv6` is set, or if the
    /// MTU is below 1280.
    pub(crate) ipv6: bool,
}

/// An event that the kernel sends unasked. Own changes are left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum KernelEvent {
    /// Another program installed or replaced a route.
    RouteSet { key: RouteKey, protocol: u8 },
    /// Another program, or the kernel, deleted a route.
    RouteDeleted { key: RouteKey, protocol: u8 },
    /// Another program made or replaced a nexthop object.
    ObjectSet { id: u32, protocol: u8 },
    /// Another program, or the kernel, deleted a nexthop object.
    ObjectDeleted { id: u32 },
    /// A device was made or changed.
    DeviceSet { index: u32, name: String, up: bool, abilities: Abilities },
    /// A device is gone.
    DeviceDeleted { index: u32, name: String },
    /// Events were lost: everything must be queried again.
    Overrun,
}
