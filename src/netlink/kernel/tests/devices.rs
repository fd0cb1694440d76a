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
        let up = Device { index, name, up: true, kind, abilities };
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
        let fixed = kernel.device("fixed").unwrap().unwrap().kind.unwrap_err();
        assert!(fixed.contains("`ip link add fixed type ip6tnl mode any external`"), "{fixed}");
    });
    // Outside the namespace, which has no network to fetch the virtual machine from.
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
fn a_device_that_cannot_serve_is_refused_with_a_sentence() {
    in_namespace(|ns| {
        let mut kernel = Kernel::open().unwrap();
        let vxlan = "`ip link add x type vxlan external dstport 4790 gpe udp6zerocsumrx`";
        let ip6tnl = "`ip link add x type ip6tnl mode any external`";
        for (options, sentence) in [
            (
                "vxlan id 5 dstport 4790",
                format!(
                    "device x is a vxlan with one fixed VNI, where one that takes it from the \
                     route is needed: {vxlan}"
                ),
            ),
            (
                "vxlan external dstport 4790 udp6zerocsumrx",
                format!(
                    "device x is a vxlan that carries Ethernet, where one that carries IP is \
                     needed: {vxlan}"
                ),
            ),
            (
                "vxlan external dstport 4790 gpe",
                format!(
                    "device x is a vxlan that drops packets without a UDP checksum, which is all \
                     that other leaves send: {vxlan}"
                ),
            ),
            (
                "veth peer name y",
                format!(
                    "device x is of kind veth, where one of these is needed: {ip6tnl} or {vxlan}"
                ),
            ),
        ] {
            ns.ip(&format!("link add x type {options}"));
            assert_eq!(kernel.device("x").unwrap().unwrap().kind, Err(sentence));
            ns.ip("link delete x");
        }
        let loopback = kernel.device("lo").unwrap().unwrap().kind.unwrap_err();
        let sentence = "device lo is no tunnel, where one of these is needed: \
                        `ip link add overlay-tun type ip6tnl mode any external` or \
                        `ip link add overlay-tun type vxlan external dstport 4790 gpe \
                        udp6zerocsumrx`";
        assert_eq!(loopback, sentence);
    });
}

#[test]
fn an_ip6tnl_serves_when_its_far_end_is_the_route_s_and_it_carries_both_versions() {
    let (protocol, external) = (9, 19);
    let with = |attributes: &[(u16, &[u8])]| {
        let new = |&(kind, value): &(u16, &[u8])| DefaultNla::new(kind, value.to_vec());
        let attributes: Vec<_> = attributes.iter().map(new).collect();
        let mut data = vec![0; attributes.as_slice().buffer_len()];
        attributes.as_slice().emit(&mut data);
        tunnel_kind(&Link {
            index: 3,
            name: "overlay-tun",
            up: true,
            abilities: Abilities { mtu: 1452, ipv6: true },
            kind: "ip6tnl",
            data: &data,
        })
    };
    let serves = "`ip link add overlay-tun type ip6tnl mode any external`";
    assert_eq!(with(&[(protocol, &[0]), (external, &[])]), Ok(TunnelKind::Ip6Tnl));
    assert_eq!(
        with(&[(protocol, &[0])]).unwrap_err(),
        format!(
            "device overlay-tun is an ip6tnl with one fixed far end, where one that takes it from \
             the route is needed: {serves}"
        )
    );
    assert_eq!(
        with(&[(protocol, &[41]), (external, &[])]).unwrap_err(),
        format!(
            "device overlay-tun is an ip6tnl that carries one IP version and drops the other, \
             where one that carries both is needed: {serves}"
        )
    );
}
