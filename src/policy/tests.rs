//! Policies as operators write them, and what they say.

use super::refusal::Reason;
use super::{ClassId, Example, Judgement, Policy, Subject};
use crate::wire::{Destination, NextHop, NextHopType, Vni};

const FLEET: &str = r#"
[server]
listen = "[::]:4711"

[policy]

[[policy.class]]
name = "router"
from = ["2001:db8:ff::/48", "192.0.2.1"]
certificates = "router-*"
verdict = "warn"

[[policy.class.rule]]
next-hops = ["own/64", "2001:db8:f0::/44"]

[[policy.class]]
name = "leaf"
from = "2001:db8::/32"
subscribe = ["100-199", 300]
announce = "100-199"
server = false
max-routes = 1000

[[policy.class.rule]]
vnis = "100-149"
prefixes = ["10.0.0.0/8 ge 24", "2001:db8:1000::/36 le 128"]
types = ["standard", "nat"]
default-routes = false
verdict = "close"

[[policy.class.rule]]
next-hops = "own/64"
target-vnis = "100-199"

[[policy.class]]
name = "site"
sites = ["fra*"]
[[policy.class.rule]]
next-hops = "2001:db8:f0::/44"
"#;

fn fleet() -> Policy {
    Policy::read(FLEET).unwrap()
}

fn from(address: &str) -> Subject<'static> {
    Subject { address: Some(address.parse().unwrap()), ..Subject::default() }
}

/// The reason for which a route is refused, or reported.
fn judge(
    policy: &Policy,
    address: &str,
    vni: u32,
    to: &str,
    hop: NextHop,
) -> Option<(u16, Reason)> {
    let rights = policy.rights(&from(address));
    let terms = policy.terms(rights, Vni(vni))?;
    match terms.judge(rights.own, &to.parse().unwrap(), &hop) {
        Judgement::Allowed => None,
        Judgement::Warned(refusal) | Judgement::Refused(refusal) => {
            Some((refusal.rule, refusal.reason))
        }
    }
}

fn via(address: &str) -> NextHop {
    NextHop::standard(address.parse().unwrap())
}

#[test]
fn the_first_class_that_fits_is_a_peers() {
    let policy = fleet();
    let class = |subject: &Subject<'_>| policy.name(policy.rights(subject).class).to_owned();
    assert_eq!(class(&from("2001:db8:ff::1")), "router");
    assert_eq!(class(&from("::ffff:192.0.2.1")), "router", "IPv4 behind an IPv6 socket");
    assert_eq!(class(&from("2001:db8:3::1")), "leaf");
    assert_eq!(class(&from("2001:db9::1")), "default");
    assert_eq!(class(&Subject { name: Some("router-7"), ..from("2001:db8:3::1") }), "router");
    let site = |name| Subject { site: Some(name), ..Subject::default() };
    assert_eq!(class(&site("fra2")), "site");
    assert_eq!(class(&site("ber1")), "default");
}

#[test]
fn each_requirement_refuses_what_does_not_meet_it() {
    let policy = fleet();
    let leaf = |vni, to: &str, hop| judge(&policy, "2001:db8:3::1", vni, to, hop);
    let own = via("2001:db8:3::7");
    assert_eq!(leaf(100, "10.1.2.0/24", own), None);
    assert_eq!(leaf(100, "10.1.0.0/16", own), Some((1, Reason::Prefix)));
    assert_eq!(leaf(150, "10.1.0.0/16", own), None, "rule 1 is about VNIs 100 to 149");
    assert_eq!(leaf(200, "10.1.2.0/24", own), Some((0, Reason::Announce)));
    assert_eq!(leaf(100, "0.0.0.0/0", own), Some((1, Reason::DefaultRoute)));
    assert_eq!(leaf(150, "0.0.0.0/0", own), None);
    assert_eq!(leaf(100, "10.1.2.0/24", via("2001:db8:7::1")), Some((2, Reason::NextHop)));
    let hop = |vni, kind| NextHop::new(own.address(), vni, kind, 0, 0).unwrap();
    let lb = hop(0, NextHopType::LoadBalancerTarget);
    assert_eq!(leaf(100, "10.1.2.0/24", lb), Some((1, Reason::Type)));
    assert_eq!(leaf(100, "10.1.2.0/24", hop(101, NextHopType::Standard)), None);
    let elsewhere = hop(7, NextHopType::Standard);
    assert_eq!(leaf(150, "10.1.2.0/24", elsewhere), Some((2, Reason::TargetVni)));
    let anybody = |hop| judge(&policy, "2001:db9::1", 7, "0.0.0.0/0", hop);
    assert_eq!(anybody(via("::1")), None, "no class, no requirement");
    let router = |hop| judge(&policy, "192.0.2.1", 7, "10.0.0.0/8", hop);
    assert_eq!(router(via("192.0.2.1")), None);
    assert_eq!(router(via("2001:db8:ff::1")), None);
    assert_eq!(router(via("192.0.2.2")), Some((1, Reason::NextHop)));
}

#[test]
fn all_addresses_of_a_certificate_are_a_peers_own() {
    let policy = fleet();
    let addresses = ["192.0.2.9", "2001:db8:3::1", "fe80::1", "2001:db8:4::1", "2001:db8:4::2"];
    let addresses = addresses.map(|it| it.parse().unwrap());
    let subject = Subject { proven: &addresses, ..from("2001:db8:7::1") };
    // A later policy gives the peer other rights, but the same ones each time.
    for policy in [policy.clone(), fleet().behind(&policy)] {
        let rights = policy.rights(&subject);
        assert_eq!(rights, policy.rights(&subject));
        let terms = policy.terms(rights, Vni(150)).unwrap();
        let judge = |hop| terms.judge(rights.own, &"10.1.2.0/24".parse().unwrap(), &via(hop));
        for own in ["2001:db8:3::7", "2001:db8:4::7", "192.0.2.9"] {
            assert_eq!(judge(own), Judgement::Allowed, "{own}");
        }
        for other in ["2001:db8:7::1", "fe80::1", "192.0.2.8"] {
            let Judgement::Refused(refusal) = judge(other) else { panic!("{other} is allowed") };
            let why = policy.explain(&refusal, rights, Vni(150), None);
            let networks =
                "2001:db8:3::/64, 192.0.2.9/32, 2001:db8:4::/64, the networks of this peer";
            assert_eq!(why, format!("the next hop is not in {networks}; class leaf, rule 2"));
        }
    }
}

#[test]
fn addresses_that_everybody_has_are_nobodys_own() {
    let policy = Policy::read(
        "[[policy.class]]\nname = \"default\"\n[[policy.class.rule]]\nnext-hops = \"own/64\"\n",
    )
    .unwrap();
    for address in ["::1", "127.0.0.1", "fe80::1"] {
        let refused = judge(&policy, address, 1, "10.0.0.0/24", via(address));
        assert_eq!(refused, Some((1, Reason::NextHop)), "{address}");
    }
    assert_eq!(judge(&policy, "2001:db8::1", 1, "10.0.0.0/24", via("2001:db8::2")), None);
}

#[test]
fn a_refusal_is_explained() {
    let policy = fleet();
    let rights = policy.rights(&from("2001:db8:3::1"));
    let terms = policy.terms(rights, Vni(100)).unwrap();
    let explained = |to: &str, hop: NextHop| {
        let destination: Destination = to.parse().unwrap();
        let Judgement::Refused(refusal) = terms.judge(rights.own, &destination, &hop) else {
            panic!("{to} is allowed")
        };
        let example = Example { destination, next_hop: hop };
        policy.explain(&refusal, rights, Vni(100), Some(&example))
    };
    assert_eq!(
        explained("10.1.2.0/24", via("2001:db8:7::1")),
        "next hop 2001:db8:7::1 is not in 2001:db8:3::/64, the network of this peer; class leaf, rule 2"
    );
    assert_eq!(
        explained("10.1.0.0/16", via("2001:db8:3::1")),
        "10.1.0.0/16 is not in 10.0.0.0/8 ge 24, 2001:db8:1000::/36 le 128; class leaf, rule 1"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, start) in [
        ("[policy]\nverdict = \"drop\"\n", 2, "verdict \"drop\": expected ignore, close or warn"),
        ("[policy]\nclas = 1\n", 2, "unknown field `clas`"),
        ("[[policy.class]]\nname = \"a\"\n", 1, "class a: say who belongs to it"),
        ("[[policy.class]]\nname = \"a\"\nfrom = \"x\"\n", 3, "from: expected a prefix"),
        ("[[policy.class]]\nname = \"a\"\nfrom = \"10.0.0.1/8\"\n", 3, "from: expected a prefix"),
        ("[[policy.class]]\nname = \"default\"\nfrom = \"::/0\"\n", 1, "class default is for"),
        (
            "[[policy.class]]\nname = \"default\"\nannounce = \"9-1\"\n",
            3,
            "announce: expected VNIs",
        ),
        (
            "[[policy.class]]\nname = \"default\"\n[[policy.class.rule]]\ntypes = \"mpls\"\n",
            4,
            "types: expected standard, nat or lb",
        ),
        (
            "[[policy.class]]\nname = \"default\"\n[[policy.class.rule]]\nprefixes = \"10.0.0.0/8 ge 4\"\n",
            4,
            "prefixes: expected a prefix such as",
        ),
        (
            "[[policy.class]]\nname = \"a\"\nfrom = \"::/0\"\n[[policy.class]]\nname = \"a\"\nfrom = \"::/0\"\n",
            4,
            "there are two classes a",
        ),
    ] {
        let wrong = Policy::read(text).unwrap_err();
        assert_eq!(wrong[0].line, line, "{wrong:?}");
        assert!(wrong[0].sentence.starts_with(start), "{wrong:?}");
    }
    assert!(Policy::read("[server]\nlisten = \"[::1]:0\"\n").unwrap().is_none());
}

#[test]
fn classes_keep_their_numbers_from_policy_to_policy() {
    let first = fleet();
    let leaf = first.rights(&from("2001:db8:3::1")).class;
    let text = "[[policy.class]]\nname = \"new\"\nfrom = \"2001:db8:4::/48\"\n\
                [[policy.class]]\nname = \"leaf\"\nfrom = \"2001:db8::/32\"\nannounce = \"1\"\n";
    let second = Policy::read(text).unwrap().behind(&first);
    assert_eq!(second.rights(&from("2001:db8:3::1")).class, leaf);
    assert_eq!(second.generation(), first.generation() + 1);
    let router = first.rights(&from("192.0.2.1")).class;
    assert_eq!(second.name(router), "router", "its counts keep their name");
    let earlier = first.rights(&from("192.0.2.1"));
    let undecided = second.terms(earlier, Vni(7)).unwrap();
    let judged = undecided.judge(0, &"10.0.0.0/8".parse().unwrap(), &via("::1"));
    assert!(!judged.allows(), "another policy knows its class");
    let new = second.rights(&from("2001:db8:4::1")).class;
    assert_ne!(new, router);
    let third = Policy::read(text).unwrap().behind(&second);
    assert_eq!(third.generation(), second.generation(), "it is the same policy");
    assert_ne!(leaf, ClassId::default());
}
