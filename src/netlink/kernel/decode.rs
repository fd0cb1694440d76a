//! Routes, nexthop objects and devices as the kernel shows them.
//!
//! By hand, and not by the netlink crates: they don't have nexthop objects, don't read the
//! encapsulation of a hop beside others, and allocate for every attribute of a million routes.
//!
//! A route or an object that this program would have written differently becomes [`Via::Foreign`] or
//! [`ObjectBody::Foreign`], so a comparison with the wanted state fails.

use std::net::Ipv6Addr;

use smallvec::SmallVec;

use super::encode::IPV6_GATEWAY;
use super::message::{Attributes, take, text, u16_at, u32_at};
use super::uapi::{
    AF_INET, AF_INET6, AF_UNSPEC, DEVCONF_DISABLE_IPV6, IFLA_INET6_CONF, LWTUNNEL_ENCAP_IP6,
    LWTUNNEL_IP6_DST, LWTUNNEL_IP6_ID, NHA_ENCAP, NHA_ENCAP_TYPE, NHA_GROUP, NHA_GROUP_TYPE,
    NHA_ID, NHA_OIF, NHA_OP_FLAGS, RTA_ENCAP, RTA_ENCAP_TYPE, RTA_NH_ID, RTA_PREF, RTNH_F_ONLINK,
};
use crate::netlink::model::OWN_ADDRESSES;
use crate::netlink::model::{Abilities, Hop, KernelRoute, Object, ObjectBody, RouteKey, Via};
use crate::wire::{Destination, IpVersion};

/// A route of either IP version (`rtmsg`). `None` for other families, for cached clones, and for
/// routes of some packets only (TOS, source prefix): they stand beside the route of the key, and do
/// not replace it.
pub(super) fn route(payload: &[u8]) -> Option<KernelRoute> {
    let [family, length, source_length, tos, table, protocol, _scope, kind] = take(payload, 0)?;
    let flags = u32_at(payload, 8)?;
    let version = match family {
        AF_INET => IpVersion::V4,
        AF_INET6 => IpVersion::V6,
        _ => return None,
    };
    if flags & libc::RTM_F_CLONED != 0 || tos != 0 || source_length != 0 {
        return None;
    }
    let mut key = RouteKey {
        table: u32::from(table),
        // A default route comes without RTA_DST.
        destination: destination(version, &[0; 16], length)?,
        metric: 0,
    };
    let mut foreign = kind != libc::RTN_UNICAST;
    let (mut object, mut gateway, mut multipath) = (None, None, None);
    let mut way = Way::default();
    for (kind, value) in Attributes(payload.get(12..)?) {
        match kind {
            libc::RTA_DST => key.destination = destination(version, value, length)?,
            // The header cannot hold table numbers above 255.
            libc::RTA_TABLE => key.table = u32_at(value, 0)?,
            libc::RTA_PRIORITY => key.metric = u32_at(value, 0)?,
            libc::RTA_OIF => way.device = u32_at(value, 0)?,
            libc::RTA_GATEWAY => gateway = Some(value),
            libc::RTA_MULTIPATH => multipath = Some(value),
            RTA_ENCAP_TYPE => way.encap_type = u16_at(value, 0)?,
            RTA_ENCAP => way.encap = Some(value),
            RTA_NH_ID => object = Some(u32_at(value, 0)?),
            // This program never writes a route that expires.
            libc::RTA_CACHEINFO => foreign |= u32_at(value, 8) != Some(0),
            RTA_PREF => foreign |= value != [0],
            _ => foreign = true,
        }
    }
    let hops = || match (multipath, gateway) {
        (Some(hops), None) => multipath_hops(version, hops),
        (None, None) => way.hop().map(|hop| SmallVec::from_buf([hop])),
        (_, Some(_)) => None,
    };
    let via = match object {
        _ if foreign => Via::Foreign,
        // The dump may repeat the hops of the object.
        Some(id) => Via::Object(id),
        None => hops().map_or(Via::Foreign, Via::Hops),
    };
    Some(KernelRoute { key, protocol, via })
}

/// The address or prefix for which the host takes packets, from a route of its table `local`.
pub(super) fn own_address(payload: &[u8]) -> Option<Destination> {
    let [.., kind] = take::<8>(payload, 0)?;
    let key = route(payload)?.key;
    let own = matches!(kind, libc::RTN_LOCAL | libc::RTN_ANYCAST) && key.table == OWN_ADDRESSES;
    own.then_some(key.destination)
}

fn destination(version: IpVersion, bytes: &[u8], length: u8) -> Option<Destination> {
    let bytes = match version {
        IpVersion::V4 => bytes.get(..4)?,
        IpVersion::V6 => bytes.get(..16)?,
    };
    let version = match version {
        IpVersion::V4 => 0,
        IpVersion::V6 => 1,
    };
    Destination::from_wire(version, bytes, u32::from(length)).ok()
}

/// The hops of RTA_MULTIPATH (`rtnexthop`), sorted.
fn multipath_hops(version: IpVersion, mut bytes: &[u8]) -> Option<SmallVec<[Hop; 1]>> {
    let mut hops = SmallVec::new();
    while !bytes.is_empty() {
        let length = usize::from(u16_at(bytes, 0)?);
        let [flags, weight] = take(bytes, 2)?;
        let mut way = Way { device: u32_at(bytes, 4)?, ..Way::default() };
        let mut gateway = None;
        for (kind, value) in Attributes(bytes.get(8..length)?) {
            match kind {
                libc::RTA_GATEWAY => gateway = Some(value),
                RTA_ENCAP_TYPE => way.encap_type = u16_at(value, 0)?,
                RTA_ENCAP => way.encap = Some(value),
                _ => return None,
            }
        }
        let own = match version {
            IpVersion::V4 => gateway.is_none(),
            IpVersion::V6 => gateway == Some(&IPV6_GATEWAY.octets()) && flags & RTNH_F_ONLINK != 0,
        };
        if !own || weight != 0 {
            return None;
        }
        hops.push(way.hop()?);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    hops.sort_unstable();
    Some(hops)
}

/// A device, and how packets are encapsulated for it.
#[derive(Clone, Copy, Default)]
struct Way<'a> {
    device: u32,
    encap_type: u16,
    encap: Option<&'a [u8]>,
}

impl Way<'_> {
    /// `None` unless it is what `encap ip6 id ID dst ADDRESS dev DEVICE` makes.
    fn hop(&self) -> Option<Hop> {
        if self.device == 0 || self.encap_type != LWTUNNEL_ENCAP_IP6 {
            return None;
        }
        let (mut encap_id, mut underlay) = (None, None);
        for (kind, value) in Attributes(self.encap?) {
            match kind {
                LWTUNNEL_IP6_ID => encap_id = take(value, 0).map(u64::from_be_bytes),
                LWTUNNEL_IP6_DST => underlay = take::<16>(value, 0).map(Ipv6Addr::from),
                // The kernel shows source, hop limit, traffic class and flags; all zero if they were not set.
                _ if value.iter().all(|byte| *byte == 0) => {}
                _ => return None,
            }
        }
        Some(Hop { underlay: underlay?, encap_id: encap_id?, device: self.device })
    }
}

/// A nexthop object (`nhmsg`).
pub(super) fn object(payload: &[u8]) -> Option<Object> {
    let [family, _scope, protocol, _reserved] = take(payload, 0)?;
    let version = if family == AF_INET { IpVersion::V4 } else { IpVersion::V6 };
    let (mut id, mut group, mut foreign) = (None, None, false);
    let mut way = Way::default();
    for (kind, value) in Attributes(payload.get(8..)?) {
        match kind {
            NHA_ID => id = Some(u32_at(value, 0)?),
            NHA_GROUP => group = Some(value),
            NHA_GROUP_TYPE => foreign |= u16_at(value, 0) != Some(0),
            NHA_OIF => way.device = u32_at(value, 0)?,
            NHA_ENCAP_TYPE => way.encap_type = u16_at(value, 0)?,
            NHA_ENCAP => way.encap = Some(value),
            NHA_OP_FLAGS.. => {}
            _ => foreign = true,
        }
    }
    let body = match group {
        _ if foreign => None,
        Some(group) => members(group).map(ObjectBody::Group),
        None => way.hop().map(|hop| ObjectBody::Hop(hop, version)),
    };
    Some(Object { id: id?, protocol, body: body.unwrap_or(ObjectBody::Foreign) })
}

/// The members of a group, sorted; `None` when their weights differ from 1.
fn members(group: &[u8]) -> Option<SmallVec<[u32; 4]>> {
    let (members, []) = group.as_chunks::<8>() else { return None };
    let mut ids = SmallVec::new();
    for [a, b, c, d, weight @ ..] in members {
        if *weight != [0; 4] {
            return None;
        }
        ids.push(u32::from_ne_bytes([*a, *b, *c, *d]));
    }
    ids.sort_unstable();
    Some(ids)
}

/// A device (`ifinfomsg`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Link<'a> {
    pub(super) index: u32,
    pub(super) name: &'a str,
    pub(super) up: bool,
    pub(super) abilities: Abilities,
    /// The kind of a virtual device; empty for other devices.
    pub(super) kind: &'a str,
    /// Attributes that depend on the kind.
    pub(super) data: &'a [u8],
}

/// `None` for a message about a device as a port of a bridge.
pub(super) fn link(payload: &[u8]) -> Option<Link<'_>> {
    let [family] = take(payload, 0)?;
    if family != AF_UNSPEC {
        return None;
    }
    let flags = u32_at(payload, 8)?;
    let mut link = Link {
        index: u32_at(payload, 4)?,
        name: "",
        up: flags & libc::IFF_UP.unsigned_abs() != 0,
        abilities: Abilities { mtu: 0, ipv6: false },
        kind: "",
        data: &[],
    };
    for (kind, value) in Attributes(payload.get(16..)?) {
        match kind {
            libc::IFLA_IFNAME => link.name = text(value)?,
            libc::IFLA_MTU => link.abilities.mtu = u32_at(value, 0)?,
            libc::IFLA_AF_SPEC => link.abilities.ipv6 = has_ipv6(value),
            libc::IFLA_LINKINFO => {
                let info = Attributes(value);
                link.kind = info.clone().find(libc::IFLA_INFO_KIND).and_then(text).unwrap_or("");
                link.data = info.find(libc::IFLA_INFO_DATA).unwrap_or_default();
            }
            _ => {}
        }
    }
    Some(link)
}

/// Whether a device has IPv6 (`IFLA_AF_SPEC`): the attribute is there, and IPv6 is not disabled on the device.
fn has_ipv6(families: &[u8]) -> bool {
    let settings = Attributes(families)
        .find(u16::from(AF_INET6))
        .and_then(|ipv6| Attributes(ipv6).find(IFLA_INET6_CONF));
    settings.is_some_and(|settings| u32_at(settings, 4 * DEVCONF_DISABLE_IPV6) == Some(0))
}
