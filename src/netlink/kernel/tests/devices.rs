//! Which devices can serve.

use netlink_packet_core::{DefaultNla, Emitable as _};

use super::super::decode::Link;
use super::super::device::tunnel_kind;
use super::*;
use crate::netlink::model::{Abilities, Device, TunnelKind};
use crate::netlink::testing::in_namespace;

#[test]
fn a_tunnel_that_carries_the_vni_serves() {
    in_namespace(|ns| {
        let index = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let name = "vx0".to_owned();
        let kind = Ok(TunnelKind::VxlanGpe);
        let abilities = Abilities { mtu: 1500, ipv6: true };
        let up = Device { index, name, up: true, kind, remark: None, abilities };
        assert_eq!(kernel.device("vx0").unwrap(), Some(up.clone()));
        ns.ip("link set vx0 down");
        assert_eq!(kernel.device("vx0").unwrap(), Some(Device { up: false, ..up }));
    });
}

#[test]
fn an_ip6tnl_of_the_kernel_serves_and_takes_routes() {
    let mut is_missing = false;
    in_namespace(|ns| {
        is_missing = !ns.try_ip("link add overlay-tun type ip6tnl external").status.success();
        if is_missing {
            return;
        }
        ns.ip("link set overlay-tun up");
        let mut kernel = Kernel::open().unwrap();
        let device = kernel.device("overlay-tun").unwrap().unwrap();
        assert_eq!(device.kind, Ok(TunnelKind::Ip6Tnl));
        let mut routes = Vec::new();
        for to in ["10.9.0.0/24", "2001:db8:9::/64"] {
            let via = hops(device.index, &[1, 2]);
            apply(&mut kernel, &[set(key(to), via.clone())]);
            routes.push(shown(key(to), via));
        }
        assert_eq!(own_routes(&mut kernel), routes);

        ns.ip("link add fixed type ip6tnl local 2001:db8::1 remote 2001:db8::2");
        let fixed = kernel.device("fixed").unwrap().unwrap().remark.unwrap();
        assert!(fixed.contains("`ip link add fixed type ip6tnl mode any external`"), "{fixed}");
    });
    // Outside the namespace, which has no network for fetching the virtual machine.
    if is_missing {
        support::vm::run_tests("an_ip6tnl_of_the_kernel", &[], &[]);
    }
}

#[test]
fn a_device_that_is_not_there_is_none() {
    in_namespace(|_| {
        let mut kernel = Kernel::open().unwrap();
        for name in ["overlay-tun", "", "a-name-of-more-than-15-bytes"] {
            assert_eq!(kernel.device(name).unwrap(), None);
        }
    });
}

#[test]
fn a_device_that_loses_packets_takes_routes_with_a_remark() {
    in_namespace(|ns| {
        let mut kernel = Kernel::open().unwrap();
        let vxlan =
            "is made by `ip link add x type vxlan external dstport 4790 gpe udp6zerocsumrx`";
        for (options, words) in [
            ("vxlan id 5 dstport 4790", "is a vxlan with one fixed VNI"),
            ("vxlan external dstport 4790 udp6zerocsumrx", "is a vxlan that carries Ethernet"),
            ("vxlan external dstport 4790 gpe", "drops packets without a UDP checksum"),
        ] {
            ns.ip(&format!("link add x type {options}"));
            let device = kernel.device("x").unwrap().unwrap();
            assert_eq!(device.kind, Ok(TunnelKind::VxlanGpe));
            let remark = device.remark.unwrap();
            assert!(remark.contains(words) && remark.ends_with(vxlan), "{remark}");
            ns.ip("link set x up");
            let routes =
                ["10.9.0.0/24", "2001:db8:9::/64"].map(|to| set(key(to), hops(device.index, &[1])));
            apply(&mut kernel, &routes);
            ns.ip("link delete x");
        }
    });
}

#[test]
fn a_device_that_cannot_serve_is_refused_with_a_sentence() {
    in_namespace(|ns| {
        let mut kernel = Kernel::open().unwrap();
        ns.ip("link add x type veth peer name y");
        let sentence = "device x is of kind veth, and the leaf needs one of these: \
                        `ip link add x type ip6tnl mode any external` or \
                        `ip link add x type vxlan external dstport 4790 gpe udp6zerocsumrx`";
        assert_eq!(kernel.device("x").unwrap().unwrap().kind, Err(sentence.to_owned()));
        let loopback = kernel.device("lo").unwrap().unwrap().kind.unwrap_err();
        let sentence = "device lo is not a tunnel, and the leaf needs one of these: \
                        `ip link add overlay-tun type ip6tnl mode any external` or \
                        `ip link add overlay-tun type vxlan external dstport 4790 gpe \
                        udp6zerocsumrx`";
        assert_eq!(loopback, sentence);
    });
}

/// A link of this kind with these attributes.
fn of_kind(
    kind: &str,
    attributes: &[(u16, &[u8])],
) -> Result<(TunnelKind, Option<String>), String> {
    let new = |&(kind, value): &(u16, &[u8])| DefaultNla::new(kind, value.to_vec());
    let attributes: Vec<_> = attributes.iter().map(new).collect();
    let mut data = vec![0; attributes.as_slice().buffer_len()];
    attributes.as_slice().emit(&mut data);
    let abilities = Abilities { mtu: 1452, ipv6: true };
    tunnel_kind(&Link { index: 3, name: "overlay-tun", up: true, abilities, kind, data: &data })
}

#[test]
fn an_ip6tnl_loses_nothing_when_its_far_end_is_the_route_s_and_it_carries_both_versions() {
    let (protocol, external) = (9, 19);
    let serves = "is made by `ip link add overlay-tun type ip6tnl mode any external`";
    let any = of_kind("ip6tnl", &[(protocol, &[0]), (external, &[])]);
    assert_eq!(any, Ok((TunnelKind::Ip6Tnl, None)));
    for (attributes, words) in [
        (&[(protocol, &[0][..])][..], "one fixed far end"),
        (&[(protocol, &[41][..]), (external, &[])][..], "drops packets of the other"),
    ] {
        let (kind, remark) = of_kind("ip6tnl", attributes).unwrap();
        let remark = remark.unwrap();
        assert!(remark.contains(words) && remark.ends_with(serves), "{remark}");
        assert_eq!(kind, TunnelKind::Ip6Tnl);
    }
}

#[test]
fn other_tunnels_take_routes_with_a_remark() {
    for (kind, expected) in [
        ("geneve", TunnelKind::VxlanGpe),
        ("ip6gre", TunnelKind::Ip6Tnl),
        ("dummy", TunnelKind::Ip6Tnl),
    ] {
        let (found, remark) = of_kind(kind, &[]).unwrap();
        assert_eq!(found, expected);
        assert!(remark.unwrap().contains(&format!("device overlay-tun is of kind {kind}:")));
    }
    assert!(of_kind("bridge", &[]).is_err());
}
