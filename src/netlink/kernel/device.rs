//! The tunnel device, and whether it can serve.

use std::io;

use netlink_packet_route::link::{LinkAttribute, LinkMessage};

use super::decode::{self, Link};
use super::message::Attributes;
use super::requests::Kernel;
use super::uapi::{
    IFLA_IPTUN_COLLECT_METADATA, IFLA_IPTUN_PROTO, IFLA_VXLAN_COLLECT_METADATA, IFLA_VXLAN_GPE,
    IFLA_VXLAN_UDP_ZERO_CSUM6_RX, RTM_GETLINK,
};
use crate::netlink::model::{Device, TunnelKind};

/// The longest name of a device (`IFNAMSIZ` less the NUL).
const NAME_MAX: usize = 15;

impl Kernel {
    /// The device with a name; `None` when there is none.
    pub(crate) fn device(&mut self, name: &str) -> io::Result<Option<Device>> {
        if name.is_empty() || name.len() > NAME_MAX || name.contains('\0') {
            return Ok(None);
        }
        let mut question = LinkMessage::default();
        question.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let answer = self.socket.ask(RTM_GETLINK, &question, |message| {
            decode::link(message.payload).map(|link| {
                let (kind, remark) = match tunnel_kind(&link) {
                    Ok((kind, remark)) => (Ok(kind), remark),
                    Err(why) => (Err(why), None),
                };
                let name = link.name.to_owned();
                Device {
                    index: link.index,
                    name,
                    up: link.up,
                    kind,
                    remark,
                    abilities: link.abilities,
                }
            })
        });
        match answer {
            Ok(device) => Ok(device),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Further kinds of devices for which the kernel takes routes with an encapsulation.
const OTHERS: [&str; 11] = [
    "dummy",
    "geneve",
    "gre",
    "gretap",
    "ip6gre",
    "ip6gretap",
    "ipip",
    "sit",
    "tun",
    "vti6",
    "wireguard",
];
/// The kinds in [`OTHERS`] that carry a VNI.
const CARRY_VNI: [&str; 1] = ["geneve"];

/// The sort of tunnel that a device is, with a sentence about packets that will get lost, if any; or a sentence that
/// says why it can't serve. Both sentences name a device that would serve.
pub(super) fn tunnel_kind(link: &Link<'_>) -> Result<(TunnelKind, Option<String>), String> {
    use TunnelKind::{Ip6Tnl, VxlanGpe};
    let name = link.name;
    // A user can't delete a network card to make a tunnel with its name.
    let made = if link.kind.is_empty() { "overlay-tun" } else { name };
    let ip6tnl = format!("`ip link add {made} type ip6tnl mode any external`");
    let vxlan = format!("`ip link add {made} type vxlan external dstport 4790 gpe udp6zerocsumrx`");
    let has = |kind| Attributes(link.data).find(kind).is_some();
    let is = |kind| Attributes(link.data).find(kind).is_some_and(|value| value != [0]);
    let with = |kind, remark: String| Ok((kind, Some(remark)));
    match link.kind {
        "ip6tnl" if has(IFLA_IPTUN_COLLECT_METADATA) && is(IFLA_IPTUN_PROTO) => with(
            Ip6Tnl,
            format!(
                "device {name} is an ip6tnl that carries one IP version and drops packets of the other; one that \
                 carries both is made by {ip6tnl}"
            ),
        ),
        "ip6tnl" if has(IFLA_IPTUN_COLLECT_METADATA) => Ok((Ip6Tnl, None)),
        "ip6tnl" => with(
            Ip6Tnl,
            format!(
                "device {name} is an ip6tnl with one fixed far end: all packets go there, whatever their route \
                 says; one that takes it from the route is made by {ip6tnl}"
            ),
        ),
        "vxlan" if !is(IFLA_VXLAN_COLLECT_METADATA) => with(
            VxlanGpe,
            format!(
                "device {name} is a vxlan with one fixed VNI: all packets are sent with that, whatever their route \
                 says; one that takes it from the route is made by {vxlan}"
            ),
        ),
        "vxlan" if !has(IFLA_VXLAN_GPE) => with(
            VxlanGpe,
            format!(
                "device {name} is a vxlan that carries Ethernet: packets wait for a neighbour whom nobody may know; \
                 one that carries IP is made by {vxlan}"
            ),
        ),
        "vxlan" if !is(IFLA_VXLAN_UDP_ZERO_CSUM6_RX) => with(
            VxlanGpe,
            format!(
                "device {name} is a vxlan that drops packets without a UDP checksum, which is all that other leaves \
                 send; one that takes them is made by {vxlan}"
            ),
        ),
        "vxlan" => Ok((VxlanGpe, None)),
        "" => Err(format!(
            "device {name} is not a tunnel, and the leaf needs one of these: {ip6tnl} or {vxlan}"
        )),
        kind if OTHERS.contains(&kind) => with(
            if CARRY_VNI.contains(&kind) { VxlanGpe } else { Ip6Tnl },
            format!(
                "device {name} is of kind {kind}: routes are installed, and it is up to the device whether it sends \
                 packets to where they say; those that do are made by {ip6tnl} or {vxlan}"
            ),
        ),
        kind => Err(format!(
            "device {name} is of kind {kind}, and the leaf needs one of these: {ip6tnl} or {vxlan}"
        )),
    }
}
