//! Prefixes with bits below their length.

use crate::wire::{Destination, NotAPrefix};

fn prefix(text: &str) -> Destination {
    text.parse().unwrap()
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

#[test]
fn a_prefix_is_read_as_it_is_displayed() {
    for text in ["10.2.0.5/16", "0.0.0.0/0", "fd00::1/127", "::/0"] {
        assert_eq!(text.parse::<Destination>().unwrap().to_string(), text);
    }
    for text in ["10.2.0.5", "10.2.0.5/33", "10.2.0.5/+8", "10.2.0.5/", "::/129", "/8", "10.2/8"] {
        assert_eq!(text.parse::<Destination>(), Err(NotAPrefix), "{text}");
    }
    let full = ["10.2.0.5", "fd00::1"].map(|text| Destination::host(text.parse().unwrap()));
    assert_eq!(full, [prefix("10.2.0.5/32"), prefix("fd00::1/128")]);
}

#[test]
fn a_prefix_contains_those_that_begin_as_it_does() {
    let contains = |outer, inner| prefix(outer).contains(&prefix(inner));
    assert!(contains("10.2.0.0/16", "10.2.7.0/24"));
    assert!(contains("10.2.9.9/16", "10.2.7.1/16"), "host bits do not count");
    assert!(contains("0.0.0.0/0", "192.0.2.1/32"));
    assert!(contains("fd00::/9", "fd7f::/16"));
    assert!(!contains("10.2.0.0/16", "10.3.0.0/16"));
    assert!(!contains("10.2.0.0/16", "10.2.0.0/15"), "it is wider");
    assert!(!contains("0.0.0.0/0", "::/0"));
    assert!(!contains("fd00::/9", "fd80::/9"));
}
