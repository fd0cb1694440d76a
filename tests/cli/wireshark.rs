//! The dissector in `deploy/wireshark`, run by tshark on sessions with a real reflector.
//!
//! The bytes go through a relay, which notes them, and are then written as a capture: that needs no privileges.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};

use metalbond::wire::{Digest, Installed, Message, MessageType, NextHop, NextHopType, Report, Vni};

use crate::process::Process;
use support::client::{Client, Route, modern_hello, plain_hello, prefix};

/// Where the dissector expects a server.
const PORT: u16 = 4711;
const CLIENT_PORT: u16 = 50_000;

/// Bytes of one write, and whether the server wrote them.
type Noted = (bool, Vec<u8>);

/// Runs tshark with the dissector on what was noted; the details of all messages, or their lines in the list.
fn shown(noted: &[Noted], arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = format!("lua_script:{}", root.join("deploy/wireshark/metalbond.lua").display());
    let name = format!("metalbond-{}-{:p}.pcap", std::process::id(), noted);
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, capture(noted)).unwrap();
    let mut tshark = Command::new("tshark");
    let home = env!("CARGO_TARGET_TMPDIR"); // nobody's own settings
    tshark.env("HOME", home).args(["-X", &script, "-r", file.to_str().unwrap()]).args(arguments);
    let output = tshark.output().unwrap();
    std::fs::remove_file(file).unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(output.status.success() && !err.to_lowercase().contains("lua:"), "{err}");
    out
}

/// A capture of one connection, as pcap has it with raw IP packets.
fn capture(noted: &[Noted]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]); // version 2.4
    file.extend([[0; 4], [0; 4], 65_535_u32.to_le_bytes(), 101_u32.to_le_bytes()].concat());
    let mut sequences = [1000_u32, 1000];
    for (is_server, bytes) in noted {
        // No packet is longer than this link's.
        for part in bytes.chunks(1200) {
            let from = usize::from(*is_server);
            let (own, other) = (sequences[from], sequences[1 - from]);
            sequences[from] += u32::try_from(part.len()).unwrap();
            let ports = if *is_server { [PORT, CLIENT_PORT] } else { [CLIENT_PORT, PORT] };
            let mut tcp = ports.map(u16::to_be_bytes).concat();
            tcp.extend([own.to_be_bytes(), other.to_be_bytes()].concat());
            tcp.extend([5 << 4, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
            tcp.extend(part);
            let mut packet = vec![6 << 4, 0, 0, 0];
            packet.extend(u16::try_from(tcp.len()).unwrap().to_be_bytes());
            packet.extend([6, 64]);
            packet.extend([Ipv6Addr::LOCALHOST.octets(); 2].concat());
            packet.extend(tcp);
            let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
            file.extend([[0; 4], [0; 4], length, length].concat());
            file.extend(packet);
        }
    }
    file
}

/// What `session` and a real reflector say to each other.
fn noted(session: impl FnOnce(SocketAddr)) -> Vec<Noted> {
    let server = Process::start(&[]);
    let to = server.address();
    let relay = TcpListener::bind("[::1]:0").unwrap();
    let address = relay.local_addr().unwrap();
    let (notes, noted) = channel();
    let thread = std::thread::spawn(move || {
        let (client, _) = relay.accept().unwrap();
        let upstream = TcpStream::connect(to).unwrap();
        let (client_too, upstream_too) = (client.try_clone(), upstream.try_clone());
        let answers = notes.clone();
        let back = std::thread::spawn(move || {
            carry(upstream_too.unwrap(), client_too.unwrap(), true, &answers);
        });
        carry(client, upstream, false, &notes);
        back.join().unwrap();
    });
    session(address);
    thread.join().unwrap();
    noted.into_iter().collect()
}

fn carry(mut from: TcpStream, mut to: TcpStream, is_server: bool, notes: &Sender<Noted>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        notes.send((is_server, buffer[..count].to_vec())).unwrap();
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Write).ok();
}

fn through(hop: NextHop) -> Route {
    Route { next_hop: hop, ..prefix(23, "10.0.23.0".parse().unwrap(), 24, 1) }
}

/// Says all that a client can, and receives all that a reflector can.
fn talk(address: SocketAddr) {
    let mut client = Client::connect(address).shake_hands(modern_hello());
    client.send(&Message::Subscribe(Vni(23)));
    client.until("END_OF_TABLE", |client| !client.ended.is_empty());
    let underlay = "2001:db8::1".parse().unwrap();
    let nat = NextHop::new(underlay, 7, NextHopType::Nat, 1024, 2047).unwrap();
    let balanced = NextHop::new(underlay, 0, NextHopType::LoadBalancerTarget, 0, 0).unwrap();
    let v6 = prefix(23, "2001:db8:23::".parse().unwrap(), 48, 2);
    // In one segment.
    client.announce_all(&[through(nat), through(balanced), v6]);
    client.withdraw(&v6);
    client.send(&Message::Unsubscribe(Vni(23)));
    client.send(&Message::Keepalive);
    client.until("the answer", |client| client.keepalives > 1);
    let installed = Some(Installed { wanted: 3, accepted: 2, left_out: 1 });
    let routes = Digest { routes: 4, sum: 0x1122_3344_5566_7788 };
    client.send(&Message::Report(Report { vni: Vni(23), routes, installed }));
    client.send(&Message::Goodbye);
}

#[test]
fn every_message_of_a_session_is_shown() {
    if let Some(missing) = support::missing(&["tshark"]) {
        support::skip!(missing);
    }
    let noted = noted(talk);
    let list = shown(&noted, &["-Y", "metalbond"]);
    for line in [
        "HELLO client, 60 s, test-node",
        "HELLO server, 5 s",
        "KEEPALIVE",
        "UNSUBSCRIBE VNI 23",
        " SUBSCRIBE VNI 23",
        "END_OF_TABLE VNI 23",
        "GOODBYE",
        "REPORT VNI 23 4 routes, 2 of 3 in the kernel",
        "UPDATE ADD VNI 23 10.0.23.0/24 via 2001:db8::1 target VNI 7 NAT 1024-2047, \
         UPDATE ADD VNI 23 10.0.23.0/24 via 2001:db8::1 LB, \
         UPDATE ADD VNI 23 2001:db8:23::/48 via 2001:db8::2",
        "UPDATE REMOVE VNI 23 2001:db8:23::/48 via 2001:db8::2",
    ] {
        assert!(list.contains(line), "{line:?} is not in\n{list}");
    }
    let details = shown(&noted, &["-O", "metalbond"]);
    for line in [
        "Type: HELLO (1)",
        "capabilities: 15",
        "= STREAM: True",
        "= END_OF_TABLE: True",
        "= GOODBYE: True",
        "= REPORT: True",
        "sum: 0x1122334455667788",
        "leftOut: 1",
        "agent: test",
        "node: test-node",
        "isServer: True",
        "action: REMOVE (1)",
        "ipVersion: IPv6 (1)",
        "prefix: 10.0.23.0",
        "prefixLength: 24",
        "type: LOADBALANCER_TARGET (2)",
        "natPortRangeFrom: 1024",
        "targetVNI: 7",
    ] {
        assert!(details.contains(line), "{line:?} is not in\n{details}");
    }
    assert!(!details.contains("Expert Info"), "{details}");
}

#[test]
fn messages_that_segments_cut_or_share_are_told_apart() {
    if let Some(missing) = support::missing(&["tshark"]) {
        support::skip!(missing);
    }
    let noted = noted(|address| drop(Client::connect(address).shake_hands(plain_hello())));
    // As TCP may deliver it: byte by byte.
    let bytes =
        noted.iter().flat_map(|(from, bytes)| bytes.iter().map(|byte| (*from, vec![*byte])));
    let cut: Vec<_> = bytes.collect();
    let kinds = |noted: &[Noted]| {
        let fields = shown(noted, &["-Y", "metalbond", "-T", "fields", "-e", "metalbond.type"]);
        fields.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&cut), ["1", "1", "2", "2"]);
}

#[test]
fn what_ends_or_costs_a_session_is_marked() {
    if let Some(missing) = support::missing(&["tshark"]) {
        support::skip!(missing);
    }
    for (bytes, sentence) in [
        (&[2, 0, 0, 2][..], "Not version 1"),
        (&[1, 0, 0, 99], "Unknown type"),
        (&[1, 0, 1, 3, 0xff], "no protobuf"),
        (&[1, 0, 3, 5, 0x1a, 9, 1], "no protobuf"),
        (&[1, 0xff, 0xff, 5], "Longer than 1188"),
    ] {
        let mut bytes = bytes.to_vec();
        let length = usize::from(u16::from_be_bytes([bytes[1], bytes[2]]));
        bytes.resize(4 + length, 0);
        let details = shown(&[(false, bytes)], &["-O", "metalbond"]);
        assert!(details.contains(sentence), "{sentence:?} is not in\n{details}");
    }
    let hello = vec![1, 0, 7, 1, 8, 5, 16, 1, 0x98, 1, 7];
    let serving = shown(&[(true, hello)], &["-O", "metalbond"]);
    assert!(serving.contains("servingSeconds: 7"), "{serving}");
    // A field of a later version is no fault.
    let later = shown(&[(false, vec![1, 0, 4, 6, 8, 23, 0x78, 1])], &["-O", "metalbond"]);
    assert!(later.contains("(number 15)") && !later.contains("Expert Info"), "{later}");
}

/// So that a new message, or a new field, is shown too.
#[test]
fn the_dissector_knows_the_whole_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (script, schema) = (read("deploy/wireshark/metalbond.lua"), read("proto/metalbond.proto"));
    let lines = schema.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let fields = lines.filter_map(|line| line.strip_suffix(';')?.split_once(" = "));
    let mut count = 0;
    for (declared, number) in fields {
        // Values of enumerations have no type in front.
        let Some((_, name)) = declared.split_once(' ') else { continue };
        if name.contains(' ') || declared.starts_with("option") {
            continue;
        }
        let made = format!("[{number}] = field(");
        let is_known = script
            .lines()
            .any(|line| line.contains(&made) && line.contains(&format!("\"{name}\"")));
        assert!(is_known, "deploy/wireshark/metalbond.lua lacks field {number}, {name}");
        count += 1;
    }
    assert!(count > 15, "{count}");
    for number in 0..=u8::MAX {
        let is_shown = script.contains(&format!("\n    [{number}] = \""));
        assert_eq!(MessageType::from_wire(number).is_ok(), is_shown, "message type {number}");
    }
}
