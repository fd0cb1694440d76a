//! Requests as the kernel reads them.
//!
//! Bounds: a message stays below 32 KiB, far below what a length field or a dump of the kernel can
//! hold; what would not fit is refused here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{
    DefaultNla, Emitable, NLA_F_NESTED, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE,
    NLM_F_REQUEST, NetlinkHeader,
};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteIp6Tunnel, RouteLwEnCapType, RouteLwTunnelEncap,
    RouteMessage, RouteNextHop, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::{RouteMessageBuilder, RouteNextHopBuilder};

use super::message::HEADER;
use super::uapi::{
    AF_INET, AF_INET6, AF_UNSPEC, LWTUNNEL_ENCAP_IP6, NHA_ENCAP, NHA_ENCAP_TYPE, NHA_GROUP, NHA_ID,
    NHA_OIF, RTM_DELNEXTHOP, RTM_DELROUTE, RTM_NEWNEXTHOP, RTM_NEWROUTE,
};
use crate::netlink::model::{Hop, KernelError, Object, ObjectBody, Request, RouteKey, Via};
use crate::wire::IpVersion;

/// The gateway of an IPv6 hop that stands beside others.
///
/// The kernel takes no hop without a gateway in an IPv6 multipath route. It never resolves this address on a tunnel
/// device.
pub(super) const IPV6_GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// The most hops of one route, and members of one group.
const HOPS_MAX: usize = 256;

/// Appends a message to a buffer whose messages start at multiples of 4.
pub(super) fn put(buffer: &mut Vec<u8>, kind: u16, flags: u16, number: u32, body: &impl Emitable) {
    let start = buffer.len();
    let length = HEADER + body.buffer_len();
    buffer.resize(start + length.next_multiple_of(4), 0);
    let mut header = NetlinkHeader::default();
    header.length = u32::try_from(length).unwrap_or(u32::MAX);
    header.message_type = kind;
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = number;
    header.emit(&mut buffer[start..]);
    body.emit(&mut buffer[start + HEADER..start + length]);
}

/// Asks for an acknowledgement of the message that starts at an offset.
pub(super) fn ask_for_ack(buffer: &mut [u8], start: usize) {
    if let Some(flags) = buffer.get_mut(start + 6..).and_then(|bytes| bytes.first_chunk_mut()) {
        *flags = (u16::from_ne_bytes(*flags) | NLM_F_ACK).to_ne_bytes();
    }
}

/// Appends a request, or returns an error without asking the kernel.
pub(super) fn request(
    buffer: &mut Vec<u8>,
    number: u32,
    request: &Request,
) -> Result<(), KernelError> {
    match request {
        Request::SetRoute { key, protocol, via, replace } => {
            let flags = NLM_F_CREATE | if *replace { NLM_F_REPLACE } else { NLM_F_EXCL };
            put(buffer, RTM_NEWROUTE, flags, number, &set_route(key, *protocol, via)?);
        }
        Request::DeleteRoute { key, protocol, via } => {
            put(buffer, RTM_DELROUTE, 0, number, &delete_route(key, *protocol, via.as_ref())?);
        }
        Request::AddObject(object) => {
            let flags = NLM_F_CREATE | NLM_F_EXCL;
            put(buffer, RTM_NEWNEXTHOP, flags, number, &add_object(object)?);
        }
        Request::DeleteObject { id } => {
            put(buffer, RTM_DELNEXTHOP, 0, number, &NexthopMessage::by_id(*id));
        }
    }
    Ok(())
}

fn set_route(key: &RouteKey, protocol: u8, via: &Via) -> Result<RouteMessage, KernelError> {
    let mut message = route(key, protocol);
    let attributes = &mut message.attributes;
    match via {
        Via::Object(id) => attributes.push(RouteAttribute::NhId(*id)),
        Via::Hops(hops) => match hops.as_slice() {
            [] => return Err(refused(libc::EINVAL, "the route has no hop")),
            // The kernel takes a single IPv6 hop without a gateway only in this form.
            [hop] => {
                attributes.push(RouteAttribute::Oif(hop.device));
                attributes.extend(encapsulation(hop));
            }
            hops if hops.len() > HOPS_MAX => {
                return Err(refused(libc::EMSGSIZE, "the route has more than 256 hops"));
            }
            hops => {
                let version = key.destination.version();
                let hops = hops.iter().map(|hop| multipath_hop(version, hop)).collect();
                attributes.push(RouteAttribute::MultiPath(hops));
            }
        },
        Via::Foreign => return Err(refused(libc::EINVAL, "the route leads on in a foreign way")),
    }
    Ok(message)
}

/// Matches only a route of `protocol`, and only one with the form `via`, if that is given. For IPv4 the kernel
/// takes metric 0 for any metric.
fn delete_route(
    key: &RouteKey,
    protocol: u8,
    via: Option<&Via>,
) -> Result<RouteMessage, KernelError> {
    let mut message = match via {
        Some(via) => set_route(key, protocol, via)?,
        None => route(key, protocol),
    };
    message.header.scope = RouteScope::NoWhere;
    message.header.kind = RouteType::Unspec;
    Ok(message)
}

/// A unicast route of universe scope: its key, without its hops.
fn route(key: &RouteKey, protocol: u8) -> RouteMessage {
    fn finish<T>(builder: RouteMessageBuilder<T>, key: &RouteKey, protocol: u8) -> RouteMessage {
        builder
            .table_id(key.table)
            .protocol(RouteProtocol::from(protocol))
            .priority(key.metric)
            .build()
    }
    let length = key.destination.prefix_len();
    match key.destination.addr() {
        IpAddr::V4(addr) => {
            let builder = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(addr, length);
            finish(builder, key, protocol)
        }
        IpAddr::V6(addr) => {
            let builder = RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(addr, length);
            finish(builder, key, protocol)
        }
    }
}

fn multipath_hop(version: IpVersion, hop: &Hop) -> RouteNextHop {
    let mut next_hop = match version {
        IpVersion::V4 => RouteNextHopBuilder::new_ipv4().interface(hop.device).build(),
        IpVersion::V6 => {
            let mut next_hop =
                RouteNextHopBuilder::new_ipv6().interface(hop.device).onlink().build();
            let gateway = RouteAttribute::Gateway(RouteAddress::Inet6(IPV6_GATEWAY));
            next_hop.attributes.push(gateway);
            next_hop
        }
    };
    next_hop.attributes.extend(encapsulation(hop));
    next_hop
}

fn encapsulation(hop: &Hop) -> [RouteAttribute; 2] {
    [RouteAttribute::EncapType(RouteLwEnCapType::Ip6), RouteAttribute::Encap(tunnel(hop).into())]
}

/// The attributes of `encap ip6 id ID dst ADDRESS`: hop limit, source and traffic class are the device's.
fn tunnel(hop: &Hop) -> [RouteLwTunnelEncap; 2] {
    [
        RouteLwTunnelEncap::Ip6(RouteIp6Tunnel::Id(hop.encap_id)),
        RouteLwTunnelEncap::Ip6(RouteIp6Tunnel::Destination(hop.underlay)),
    ]
}

fn add_object(object: &Object) -> Result<NexthopMessage, KernelError> {
    let mut message = NexthopMessage::by_id(object.id);
    message.protocol = object.protocol;
    match &object.body {
        ObjectBody::Hop(hop, version) => {
            message.family = match version {
                IpVersion::V4 => AF_INET,
                IpVersion::V6 => AF_INET6,
            };
            let tunnel = tunnel(hop);
            let mut encap = vec![0; tunnel.as_slice().buffer_len()];
            tunnel.as_slice().emit(&mut encap);
            message.attribute(NHA_OIF, hop.device.to_ne_bytes().into());
            message.attribute(NHA_ENCAP_TYPE, LWTUNNEL_ENCAP_IP6.to_ne_bytes().into());
            message.attribute(NHA_ENCAP | NLA_F_NESTED, encap);
        }
        ObjectBody::Group(members) if members.len() > HOPS_MAX => {
            return Err(refused(libc::EMSGSIZE, "the group has more than 256 members"));
        }
        ObjectBody::Group(members) => {
            // `nexthop_grp`: an id, and a weight of 0, which stands for 1.
            let group = members.iter().flat_map(|id| u64_of(*id)).collect();
            message.attribute(NHA_GROUP, group);
        }
        ObjectBody::Foreign => return Err(refused(libc::EINVAL, "the object is a foreign one")),
    }
    Ok(message)
}

fn u64_of(id: u32) -> [u8; 8] {
    let [a, b, c, d] = id.to_ne_bytes();
    [a, b, c, d, 0, 0, 0, 0]
}

fn refused(errno: i32, text: &str) -> KernelError {
    KernelError { errno, text: text.to_owned() }
}

/// A message about nexthop objects (`nhmsg`), which the netlink crates lack.
#[derive(Debug)]
pub(super) struct NexthopMessage {
    family: u8,
    protocol: u8,
    attributes: Vec<DefaultNla>,
}

impl NexthopMessage {
    /// A question about all objects.
    pub(super) fn all() -> Self {
        Self { family: AF_UNSPEC, protocol: 0, attributes: Vec::new() }
    }

    /// A question about one object.
    pub(super) fn by_id(id: u32) -> Self {
        let mut message = Self::all();
        message.attribute(NHA_ID, id.to_ne_bytes().into());
        message
    }

    fn attribute(&mut self, kind: u16, value: Vec<u8>) {
        self.attributes.push(DefaultNla::new(kind, value));
    }
}

impl Emitable for NexthopMessage {
    fn buffer_len(&self) -> usize {
        8 + self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        let (header, attributes) = buffer.split_at_mut(8);
        header.copy_from_slice(&[self.family, 0, self.protocol, 0, 0, 0, 0, 0]);
        self.attributes.as_slice().emit(attributes);
    }
}

/// A question about the routes of a table; of one protocol, unless `protocol` is 0.
pub(super) fn routes_of(version: IpVersion, table: u32, protocol: u8) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = match version {
        IpVersion::V4 => AddressFamily::Inet,
        IpVersion::V6 => AddressFamily::Inet6,
    };
    message.header.protocol = RouteProtocol::from(protocol);
    match u8::try_from(table) {
        Ok(table) => message.header.table = table,
        Err(_) => message.attributes.push(RouteAttribute::Table(table)),
    }
    message
}
