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
    /// The device of a name; `None` when there is none.
    pub(crate) fn device(&mut self, name: &str) -> io::Result<Option<Device>> {
        if name.is_empty() || name.len() > NAME_MAX || name.contains('\0') {
            return Ok(None);
        }
        let mut question = LinkMessage::default();
        question.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let answer = self.socket.ask(RTM_GETLINK, &question, |message| {
            decode::link(message.payload).map(|link| Device {
                index: link.index,
                name: link.name.to_owned(),
                up: link.up,
                kind: tunnel_kind(&link),
                abilities: link.abilities,
            })
        });
        match answer {
            Ok(device) => Ok(device),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What sort of tunnel a device is, or one sentence that says what is wrong and what would serve.
pub(super) fn tunnel_kind(link: &Link<'_>) -> Result<TunnelKind, String> {
    let name = link.name;
    // Nobody can delete a network card to make a tunnel of its name.
    let made = if link.kind.is_empty() { "overlay-tun" } else { name };
    let ip6tnl = format!("`ip link add {made} type ip6tnl mode any external`");
    let vxlan = format!("`ip link add {made} type vxlan external dstport 4790 gpe udp6zerocsumrx`");
    let has = |kind| Attributes(link.data).find(kind).is_some();
    let is = |kind| Attributes(link.data).find(kind).is_some_and(|value| value != [0]);
    match link.kind {
        "ip6tnl" if has(IFLA_IPTUN_COLLECT_METADATA) && is(IFLA_IPTUN_PROTO) => Err(format!(
            "device {name} is an ip6tnl that carries one IP version and drops the other, where one \
             that carries both is needed: {ip6tnl}"
        )),
        "ip6tnl" if has(IFLA_IPTUN_COLLECT_METADATA) => Ok(TunnelKind::Ip6Tnl),
        "ip6tnl" => Err(format!(
            "device {name} is an ip6tnl with one fixed far end, where one that takes it from the \
             route is needed: {ip6tnl}"
        )),
        "vxlan" if !is(IFLA_VXLAN_COLLECT_METADATA) => Err(format!(
            "device {name} is a vxlan with one fixed VNI, where one that takes it from the route \
             is needed: {vxlan}"
        )),
        "vxlan" if !has(IFLA_VXLAN_GPE) => Err(format!(
            "device {name} is a vxlan that carries Ethernet, where one that carries IP is needed: \
             {vxlan}"
        )),
        "vxlan" if !is(IFLA_VXLAN_UDP_ZERO_CSUM6_RX) => Err(format!(
            "device {name} is a vxlan that drops packets without a UDP checksum, which is all that \
             other leaves send: {vxlan}"
        )),
        "vxlan" => Ok(TunnelKind::VxlanGpe),
        "" => Err(format!(
            "device {name} is no tunnel, where one of these is needed: {ip6tnl} or {vxlan}"
        )),
        kind => Err(format!(
            "device {name} is of kind {kind}, where one of these is needed: {ip6tnl} or {vxlan}"
        )),
    }
}
