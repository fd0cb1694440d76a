//! Next hops that no packet can be sent to.

use super::super::{Flaw, NextHop};

#[test]
fn addresses_that_are_no_other_hosts_are_found() {
    let flaw = |address: &str| NextHop::standard(address.parse().unwrap()).flaw();
    for (flaws, addresses) in [
        (Some(Flaw::Unspecified), &["::", "0.0.0.0", "0.255.255.255"][..]),
        (Some(Flaw::Multicast), &["ff00::", "ff02::1", "ffff::", "224.0.0.1", "239.255.255.255"]),
        (Some(Flaw::Multicast), &["255.255.255.255"]),
        (Some(Flaw::Loopback), &["::1", "127.0.0.1", "127.255.255.255"]),
        (Some(Flaw::Mapped), &["::ffff:0.0.0.0", "::ffff:192.0.2.1", "::ffff:255.255.255.255"]),
        (Some(Flaw::LinkLocal), &["fe80::", "fe80::1", "febf:ffff::1", "169.254.0.1"]),
        (None, &["2001:db8::1", "fe7f::1", "fec0::1", "fd00::1", "::2", "::fffe:192.0.2.1"]),
        (None, &["1.0.0.0", "126.0.0.1", "169.253.0.1", "223.255.255.255", "240.0.0.1"]),
    ] {
        for address in addresses {
            assert_eq!(flaw(address), flaws, "{address}");
        }
    }
}
