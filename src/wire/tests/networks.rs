//! Prefixes with bits below their length.

use std::net::IpAddr;

use super::super::Destination;

fn prefix(text: &str) -> Destination {
    let (address, length) = text.split_once('/').unwrap();
    Destination::new(address.parse::<IpAddr>().unwrap(), length.parse().unwrap()).unwrap()
}

#[test]
fn a_network_and_its_last_prefix_differ_in_the_host_bits_alone() {
    for (any, network, last) in [
        ("10.2.0.5/16", "10.2.0.0/16", "10.2.255.255/16"),
        ("10.2.0.5/0", "0.0.0.0/0", "255.255.255.255/0"),
        ("10.2.0.5/32", "10.2.0.5/32", "10.2.0.5/32"),
        ("10.2.171.5/21", "10.2.168.0/21", "10.2.175.255/21"),
        ("fd00::1/127", "fd00::/127", "fd00::1/127"),
        ("fd00::1/128", "fd00::1/128", "fd00::1/128"),
        ("fd00::1/9", "fd00::/9", "fd7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff/9"),
        ("fd00::1/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/0"),
    ] {
        assert_eq!(prefix(any).network(), prefix(network));
        assert_eq!(prefix(any).last_of_network(), prefix(last));
        assert!(prefix(network) <= prefix(any) && prefix(any) <= prefix(last));
    }
}
