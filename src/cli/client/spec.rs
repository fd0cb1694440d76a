//! The values of the client's flags. Pure: text in, a typed value or one sentence out.
//!
//! The sentence says what was expected; clap puts the flag and the whole value in front of it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use metalbond::client::Route;
use metalbond::io::{ZoneError, split_zone};
use metalbond::wire::{Destination, NextHop, NextHopType, NotAPrefix, Vni};

/// Where servers listen when nothing else is said.
const PORT: u16 = 4711;

/// The kernel's table `main`, which table 0 stands for.
const MAIN_TABLE: u32 = 254;

/// The routes of one VNI go into one table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TableOfVni {
    pub(super) vni: Vni,
    pub(super) table: u32,
}

/// A route to announce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Announcement {
    pub(super) route: Route,
    /// What of the text says nothing, as the reference takes it.
    pub(super) ignored: Option<String>,
}

/// Types of routes that are not installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Excluded(pub(super) Vec<NextHopType>);

impl fmt::Display for TableOfVni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.vni.0, self.table)
    }
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.route.fmt(f)
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|kind| type_name(*kind)).collect();
        f.write_str(&names.join(","))
    }
}

/// A server as `host:port`. The name is looked up when the leaf connects, not here: it may move,
/// and a leaf must start without it.
pub(in crate::cli) fn server(text: &str) -> Result<String, String> {
    let expected =
        || "expected HOST:PORT, such as [2001:db8::1]:4711 or rr1.example:4711".to_owned();
    if let Some((address, zone)) = split_zone(text) {
        return with_zone(address, zone, PORT);
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => {
            (host, port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(expected)?)
        }
        _ => (text, PORT),
    };
    if let Some(rest) = host.strip_prefix('[') {
        let inner = rest.strip_suffix(']').ok_or_else(expected)?;
        let (address, zone) = split_zone(inner).ok_or_else(expected)?;
        return with_zone(address, zone, port);
    }
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    match host {
        // As the reference connects: to this machine.
        "" if !text.is_empty() => Ok(format!("localhost:{port}")),
        "" => Err(expected()),
        _ if is_name => Ok(format!("{host}:{port}")),
        _ => Err(expected()),
    }
}

/// An address that is given as such. The interface may come later, but it must be named.
fn with_zone(address: Ipv6Addr, zone: Option<&str>, port: u16) -> Result<String, String> {
    match zone {
        None if address.is_unicast_link_local() => Err(ZoneError::Missing(address).to_string()),
        None => Ok(format!("[{address}]:{port}")),
        Some(_) if !address.is_unicast_link_local() => {
            Err(ZoneError::NotLinkLocal(address).to_string())
        }
        Some(zone) => Ok(format!("[{address}%{zone}]:{port}")),
    }
}

/// A VNI to subscribe to: all that the protocol can carry.
pub(super) fn subscription(text: &str) -> Result<Vni, String> {
    let number = decimal(text).ok_or("expected a VNI, a number from 0 to 4294967295")?;
    Ok(Vni(number))
}

/// `vni#prefix#hop[#STD|LB|NAT[#from#to]]`. Host bits of the prefix are kept: they are part of the
/// route's identity. Types are taken as the reference takes them: in any case, unknown ones as STD, and
/// ports of others than NAT say nothing.
pub(super) fn announcement(text: &str) -> Result<Announcement, String> {
    const FORM: &str = "vni#prefix#hop[#STD|LB|NAT[#from#to]], such as 23#10.0.23.0/24#2001:db8::1";
    let parts: Vec<&str> = text.split('#').collect();
    let [vni, prefix, hop, rest @ ..] = parts.as_slice() else {
        return Err(format!("expected {FORM}"));
    };
    let (word, ports) = match rest {
        [] => ("STD", None),
        [word] => (*word, None),
        [word, from, to] => (*word, Some((*from, *to))),
        _ => return Err(format!("expected {FORM}")),
    };
    let known = known_type(word);
    let kind = known.unwrap_or(NextHopType::Standard);
    let (from, to) = match (kind, ports) {
        (NextHopType::Nat, Some((from, to))) => port_range(from, to)?,
        (NextHopType::Nat, None) => {
            return Err("NAT needs its ports, such as ...#NAT#1024#2047".to_owned());
        }
        _ => (0, 0),
    };
    let ignored = match (known, ports) {
        (None, _) => Some(format!(
            "the type {word:?} is none of STD, LB and NAT, so the leaf announces the type STD"
        )),
        (Some(NextHopType::Nat), _) | (_, None) => None,
        (Some(kind), Some(_)) => Some(format!(
            "the ports are ignored, because the type is {} and only NAT has ports",
            type_name(kind)
        )),
    };
    let address: IpAddr = hop.parse().map_err(|_| {
        format!("{hop:?} is not a next hop: expected an address, such as 2001:db8::1")
    })?;
    let next_hop = NextHop::new(address, 0, kind, from.into(), to.into());
    let next_hop = next_hop.map_err(|error| error.to_string())?;
    let (vni, destination) = (vni_of_24_bits(vni)?, destination(prefix)?);
    Ok(Announcement { route: Route { vni, destination, next_hop }, ignored })
}

fn port_range(from: &str, to: &str) -> Result<(u16, u16), String> {
    match (port(from)?, port(to)?) {
        (from, to) if from <= to => Ok((from, to)),
        (from, to) => Err(format!("the first port {from} is above the last port {to}")),
    }
}

/// `vni#table`. Table 0 is the kernel's `main`, as for `ip route`.
pub(super) fn table_of_vni(text: &str) -> Result<TableOfVni, String> {
    let (vni, table) =
        text.split_once('#').ok_or("expected vni#table, such as 23#100 for VNI 23 in table 100")?;
    let table = decimal(table).ok_or_else(|| {
        format!("{table:?} is not a routing table: expected a number from 0 to 4294967295")
    })?;
    let table = if table == 0 { MAIN_TABLE } else { table };
    Ok(TableOfVni { vni: vni_of_24_bits(vni)?, table })
}

/// A list of route types; an empty one excludes nothing.
pub(super) fn excluded(text: &str) -> Result<Excluded, String> {
    if text.is_empty() {
        return Ok(Excluded(Vec::new()));
    }
    let mut types = text.split(',').map(route_type).collect::<Result<Vec<_>, _>>()?;
    types.sort_unstable();
    types.dedup();
    Ok(Excluded(types))
}

/// The reference's words for types of next hops, which flags go by; APIs have [`NextHopType::name`].
const TYPES: [(&str, NextHopType); 3] = [
    ("STD", NextHopType::Standard),
    ("LB", NextHopType::LoadBalancerTarget),
    ("NAT", NextHopType::Nat),
];

/// What follows the next hop, in any case.
pub(in crate::cli) fn route_type(text: &str) -> Result<NextHopType, String> {
    known_type(text).ok_or_else(|| format!("{text:?} is not a route type: expected STD, LB or NAT"))
}

fn known_type(text: &str) -> Option<NextHopType> {
    let found = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, kind)| *kind)
}

fn type_name(kind: NextHopType) -> &'static str {
    TYPES.iter().find(|(_, found)| *found == kind).map_or("STD", |(name, _)| name)
}

/// As wide as tunnels carry it, and as the reference takes it here.
fn vni_of_24_bits(text: &str) -> Result<Vni, String> {
    decimal(text)
        .filter(|number| *number < 1 << 24)
        .map(Vni)
        .ok_or_else(|| format!("{text:?} is not a VNI: expected a number from 0 to 16777215"))
}

fn destination(text: &str) -> Result<Destination, String> {
    text.parse().map_err(|error: NotAPrefix| format!("{text:?} is not a prefix: {error}"))
}

fn port(text: &str) -> Result<u16, String> {
    decimal(text)
        .and_then(|number| u16::try_from(number).ok())
        .ok_or_else(|| format!("{text:?} is not a port: expected a number from 0 to 65535"))
}

/// Digits and nothing else: `parse` alone would take a sign.
fn decimal(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentence must hold what is wrong, so that it can be found in a long list.
    fn refused<T: fmt::Debug>(result: Result<T, String>, words: &str) {
        let sentence = result.unwrap_err();
        assert!(sentence.contains(words), "{words:?} not in: {sentence}");
    }

    fn route(
        vni: u32,
        prefix: &str,
        length: u8,
        next_hop: NextHop,
    ) -> Result<Announcement, String> {
        let destination = Destination::new(prefix.parse().unwrap(), length).unwrap();
        Ok(Announcement { route: Route { vni: Vni(vni), destination, next_hop }, ignored: None })
    }

    fn hop(kind: NextHopType, from: u32, to: u32) -> NextHop {
        NextHop::new("2001:db8::1".parse().unwrap(), 0, kind, from, to).unwrap()
    }

    #[test]
    fn servers_have_a_host_and_a_port() {
        for (text, expected) in [
            ("[2001:db8::1]:4711", "[2001:db8::1]:4711"),
            ("[2001:db8::1]", "[2001:db8::1]:4711"),
            ("2001:db8::1", "[2001:db8::1]:4711"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("192.0.2.1", "192.0.2.1:4711"),
            ("rr1.example:4712", "rr1.example:4712"),
            ("rr1.example", "rr1.example:4711"),
            (":4711", "localhost:4711"),
            ("[fe80::1%eth0]:4712", "[fe80::1%eth0]:4712"),
            ("[fe80::1%2]", "[fe80::1%2]:4711"),
            ("fe80::1%eth0.7", "[fe80::1%eth0.7]:4711"),
        ] {
            assert_eq!(server(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["", "rr1:", "rr1:x", "rr1:65536", "rr1:0", "[::1", "[x]:1", "a:b:1", "a b:1"] {
            refused(server(text), "HOST:PORT");
        }
        for text in ["[fe80::1%]:1", "[fe80::1%a%b]:1", "rr1%eth0:1", "[192.0.2.1%eth0]:1"] {
            refused(server(text), "HOST:PORT");
        }
        refused(server("[fe80::1]:4711"), "[fe80::1%eth0]");
        refused(server("2001:db8::1%eth0"), "takes no zone");
    }

    #[test]
    fn subscriptions_are_numbers() {
        assert_eq!(subscription("23"), Ok(Vni(23)));
        assert_eq!(subscription("4294967295"), Ok(Vni(u32::MAX)));
        for text in ["", "x", "-1", "+1", "4294967296", "0x17", " 1"] {
            refused(subscription(text), "expected a VNI");
        }
    }

    #[test]
    fn announcements_are_taken_as_the_reference_takes_them() {
        let standard = hop(NextHopType::Standard, 0, 0);
        assert_eq!(
            announcement("23#10.0.23.0/24#2001:db8::1"),
            route(23, "10.0.23.0", 24, standard)
        );
        assert_eq!(
            announcement("0#2001:db8:9::/64#2001:db8::1#STD"),
            route(0, "2001:db8:9::", 64, standard)
        );
        assert_eq!(
            announcement("16777215#0.0.0.0/0#2001:db8::1#lb"),
            route(16_777_215, "0.0.0.0", 0, hop(NextHopType::LoadBalancerTarget, 0, 0))
        );
        assert_eq!(
            announcement("23#192.0.2.9/32#2001:db8::1#nAt#0#65535"),
            route(23, "192.0.2.9", 32, hop(NextHopType::Nat, 0, 65535))
        );
        assert_eq!(
            announcement("23#10.0.0.0/8#192.0.2.1"),
            route(23, "10.0.0.0", 8, NextHop::standard("192.0.2.1".parse().unwrap()))
        );
    }

    #[test]
    fn what_says_nothing_of_a_route_is_ignored_with_a_remark() {
        for (text, kind, words) in [
            (
                "23#10.0.0.0/8#2001:db8::1#XYZ",
                NextHopType::Standard,
                "\"XYZ\" is none of STD, LB and NAT",
            ),
            (
                "23#10.0.0.0/8#2001:db8::1#",
                NextHopType::Standard,
                "\"\" is none of STD, LB and NAT",
            ),
            ("23#10.0.0.0/8#2001:db8::1#std#1#2", NextHopType::Standard, "the ports are ignored"),
            ("23#10.0.0.0/8#2001:db8::1#LB#x#2", NextHopType::LoadBalancerTarget, "the type is LB"),
        ] {
            let found = announcement(text).unwrap();
            assert_eq!(found.route.next_hop, hop(kind, 0, 0), "{text}");
            let ignored = found.ignored.unwrap();
            assert!(ignored.contains(words), "{words:?} not in: {ignored}");
        }
    }

    #[test]
    fn host_bits_of_an_announcement_are_kept() {
        let route = announcement("23#10.1.2.3/8#2001:db8::1").unwrap().route;
        assert_eq!(route.destination.to_string(), "10.1.2.3/8");
        let route = announcement("23#2001:db8::7/32#2001:db8::1").unwrap().route;
        assert_eq!(route.destination.to_string(), "2001:db8::7/32");
    }

    #[test]
    fn malformed_announcements_are_refused_by_name() {
        for (text, words) in [
            ("", "expected vni#prefix#hop"),
            ("23", "expected vni#prefix#hop"),
            ("23#10.0.0.0/8", "expected vni#prefix#hop"),
            ("23#10.0.0.0/8#::1#STD#1", "expected vni#prefix#hop"),
            ("23#10.0.0.0/8#::1#NAT#1#2#3", "expected vni#prefix#hop"),
            ("x#10.0.0.0/8#::1", "\"x\" is not a VNI"),
            ("#10.0.0.0/8#::1", "\"\" is not a VNI"),
            ("16777216#10.0.0.0/8#::1", "\"16777216\" is not a VNI"),
            ("23#10.0.0.0/33#::1", "\"10.0.0.0/33\" is not a prefix"),
            ("23#2001:db8::/129#::1", "\"2001:db8::/129\" is not a prefix"),
            ("23#10.0.0.0/256#::1", "\"10.0.0.0/256\" is not a prefix"),
            ("23#10.0.0.0#::1", "\"10.0.0.0\" is not a prefix"),
            ("23#10.0.0.0/+8#::1", "is not a prefix"),
            ("23#10.0.0/8#::1", "is not a prefix"),
            ("23#v4:10.0.0.0/8#::1", "is not a prefix"),
            ("23#10.0.0.0/8#", "\"\" is not a next hop"),
            ("23#10.0.0.0/8#::1/128", "\"::1/128\" is not a next hop"),
            ("23#10.0.0.0/8#::1#NAT", "NAT needs its ports"),
            ("23#10.0.0.0/8#::1#NAT#2#1", "first port 2 is above the last port 1"),
            ("23#10.0.0.0/8#::1#NAT#1#65536", "\"65536\" is not a port"),
            ("23#10.0.0.0/8#::1#NAT#-1#2", "\"-1\" is not a port"),
        ] {
            refused(announcement(text), words);
        }
    }

    #[test]
    fn tables_are_numbers_and_0_is_main() {
        for (text, table) in [("23#0", 254), ("23#253", 253), ("23#254", 254), ("23#255", 255)] {
            assert_eq!(table_of_vni(text), Ok(TableOfVni { vni: Vni(23), table }));
        }
        assert_eq!(table_of_vni("23#100"), Ok(TableOfVni { vni: Vni(23), table: 100 }));
        assert_eq!(table_of_vni("0#4294967295"), Ok(TableOfVni { vni: Vni(0), table: u32::MAX }));
        for (text, words) in [
            ("23", "expected vni#table"),
            ("", "expected vni#table"),
            ("x#100", "\"x\" is not a VNI"),
            ("16777216#100", "\"16777216\" is not a VNI"),
            ("23#", "\"\" is not a routing table"),
            ("23#main", "\"main\" is not a routing table"),
            ("23#1#2", "\"1#2\" is not a routing table"),
            ("23#4294967296", "is not a routing table"),
        ] {
            refused(table_of_vni(text), words);
        }
    }

    #[test]
    fn an_empty_list_excludes_nothing() {
        assert_eq!(excluded(""), Ok(Excluded(Vec::new())));
        assert_eq!(
            excluded("NAT,LB,NAT"),
            Ok(Excluded(vec![NextHopType::Nat, NextHopType::LoadBalancerTarget]))
        );
        refused(excluded("NAT,"), "\"\" is not a route type");
        assert_eq!(excluded("nat"), Ok(Excluded(vec![NextHopType::Nat])));
    }
}
