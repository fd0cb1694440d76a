//! Sessions over TLS that the kernel carries. Few machines that build have its TLS, so these run in a virtual machine;
//! in `tls`, threads of the reflector carry the same sessions.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use metalbond::wire::{Message, Vni};
use support::client::{Client, announcements, encode, hello_of, route, routes};
use support::tls::{Issued, Stream, Validity, connect, connect_by, exchange};
use support::{eventually, vm};

use crate::handover::{Line, exit};
use crate::process::{BINARY, Process};
use crate::tls::{Scene, address};

const EACH_IO: [&str; 2] = ["uring", "epoll"];

#[test]
fn the_kernel_carries_sessions_over_tls() {
    vm::run_tests("tls_in_kernel::inside::", &[("metalbond", Path::new(BINARY))], &[]);
}

/// A reflector and what it has counted.
struct Place {
    scene: Scene,
    line: Line,
    server: Process,
    own: Issued,
}

impl Place {
    fn new(io: &str) -> Self {
        // Where tests expect the program.
        let binary = Path::new(BINARY);
        if !binary.exists() {
            std::fs::create_dir_all(binary.parent().unwrap()).unwrap();
            symlink(format!("{}/metalbond", vm::PROGRAMS), binary).unwrap();
        }
        let (scene, line) = (Scene::new(), Line::new());
        let server = line.start(&[&scene.server()[..], &["--io", io]].concat());
        let own = scene.authority.issue(&scene.folder, "hv-1", &["hv-1"], Validity::Now);
        Self { scene, line, server, own }
    }

    fn over_tcp(&self) -> Client {
        Client::establish(self.server.address())
    }

    /// A peer that has shaken hands, said this, and heard the reflector.
    fn say(&self, node: &str, messages: &[Message]) -> Stream {
        let stream = connect(address(&self.server), &self.scene.ca, Some(&self.own));
        greet(stream, node, messages)
    }

    fn closed_by(&self, reason: &str) -> u64 {
        let name = format!("metalbond_sessions_total{{event=\"closed\",reason=\"{reason}\"}}");
        self.line.metric(&name)
    }

    fn carrier(&self) -> String {
        let peer = self.line.json(&["show", "peer", "hv-1"]);
        peer["tls_carrier"].as_str().unwrap().to_owned()
    }
}

fn greet(mut stream: Stream, node: &str, messages: &[Message]) -> Stream {
    let hello = [Message::Hello(hello_of(node)), Message::Keepalive];
    stream.write_all(&encode(hello.iter().chain(messages))).unwrap();
    stream.flush().unwrap();
    assert!(stream.read(&mut [0; 64]).unwrap() > 0);
    stream
}

mod inside {
    use super::*;

    #[test]
    #[ignore = "it runs in the virtual machine"]
    fn a_session_outlives_the_process() {
        for io in EACH_IO {
            let mut place = Place::new(io);
            assert_eq!(place.server.logged("tls_carrier=\"", '"'), "kernel");
            let leaf = place.scene.leaf(address(&place.server), &place.own);
            leaf.logged("session established", '\n');
            let mut over_tcp = place.over_tcp();
            over_tcp.announce(&route(7, 1, 1));
            leaf.logged("route added", '\n');
            place.line.ok(&["handover"]);
            let _successor = place.line.successor();
            assert_eq!(exit(&mut place.server), Some(0), "{}", place.server.log());
            over_tcp.announce(&route(7, 2, 1));
            eventually("the other route", || leaf.log().matches("route added").count() == 2);
            assert_eq!(leaf.log().matches("session established").count(), 1, "{}", leaf.log());
            assert_eq!((place.carrier().as_str(), place.closed_by("tls_keys")), ("kernel", 0));
        }
    }

    #[test]
    #[ignore = "it runs in the virtual machine"]
    fn each_end_has_its_reason_and_the_peer_is_told() {
        for io in EACH_IO {
            let mut place = Place::new(io);
            let mut clean = place.say("clean", &[]);
            clean.conn.send_close_notify();
            assert_eq!(exchange(&mut clean, b""), None);
            eventually("a clean end", || place.closed_by("peer_closed") == 1);
            let cut = place.say("cut", &[]);
            cut.sock.shutdown(std::net::Shutdown::Write).unwrap();
            eventually("an end", || place.closed_by("tls") == 1);
            let mut broken = place.say("broken", &[]);
            broken.sock.write_all(&[&[0x17, 3, 3, 0, 20][..], &[0; 20]].concat()).unwrap();
            let error = exchange(&mut broken, b"").unwrap();
            assert!(error.contains("BadRecordMac"), "{error}");
            let mut renewed = place.say("renewed", &[]);
            renewed.conn.refresh_traffic_keys().unwrap();
            let error = exchange(&mut renewed, b"").unwrap();
            assert!(error.contains("UnexpectedMessage"), "{error}");
            place.server.logged("the peer changed its keys, and the kernel cannot", '\n');
            assert_eq!(place.closed_by("tls"), 3);
            let mut last = place.say("last", &[]);
            place.server.signal("TERM");
            assert_eq!(exchange(&mut last, b""), None);
            assert_eq!(place.server.wait(), Some(0));
        }
    }

    #[test]
    #[ignore = "it runs in the virtual machine"]
    fn part_of_a_record_costs_nothing() {
        for io in EACH_IO {
            let place = Place::new(io);
            let mut watcher = place.over_tcp();
            watcher.subscribe(7);
            let mut stream = place.say("slow", &[]);
            for n in 0..2 {
                let mut record = Vec::new();
                stream.conn.writer().write_all(&announcements(&[route(7, n, 1)])).unwrap();
                stream.conn.write_tls(&mut record).unwrap();
                let (part, rest) = record.split_at(record.len() - 1);
                stream.sock.write_all(part).unwrap();
                // A reader that goes round and round leaves no such time.
                eventually("a fifth of a second in which it rests", || {
                    let before = ticks(&place.server);
                    std::thread::sleep(Duration::from_millis(200));
                    ticks(&place.server) - before <= 5
                });
                stream.sock.write_all(rest).unwrap();
                watcher.until("the route", |it| it.view.contains(&route(7, n, 1)));
            }
        }
    }

    /// Hundredths of a second that a process has been running.
    fn ticks(process: &Process) -> u64 {
        let path = format!("/proc/{}/stat", process.child.id());
        let stat = std::fs::read_to_string(path).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        fields.skip(11).take(2).map(|it| it.parse::<u64>().unwrap()).sum()
    }

    #[test]
    #[ignore = "it runs in the virtual machine"]
    fn tables_go_both_ways_through_a_slow_reader() {
        for io in EACH_IO {
            let place = Place::new(io);
            let mut over_tcp = place.over_tcp();
            let (table, back) = (routes(7, 0..1500, 1), routes(8, 0..1500, 2));
            over_tcp.announce_all(&table);
            over_tcp.subscribe(8);
            let mut stream = place.say("slow", &[]);
            stream.write_all(&encode(&[Message::Subscribe(Vni(7))])).unwrap();
            stream.flush().unwrap();
            let wanted = announcements(&table).len();
            let (mut count, mut buffer) = (0, vec![0; 3000]);
            while count < wanted {
                count += stream.read(&mut buffer).unwrap();
            }
            stream.write_all(&announcements(&back)).unwrap();
            stream.flush().unwrap();
            over_tcp.expect_view(&back);
        }
    }

    /// Keys of AES-GCM must be replaced some day.
    #[test]
    #[ignore = "it runs in the virtual machine"]
    fn a_session_whose_keys_do_not_last_is_carried_by_the_process() {
        let place = Place::new("epoll");
        let mut provider = rustls::crypto::ring::default_provider();
        let is_aes = |name: String| name.contains("AES");
        provider.cipher_suites.retain(|it| is_aes(format!("{:?}", it.suite())));
        let stream =
            connect_by(provider, address(&place.server), &place.scene.ca, Some(&place.own));
        let _stream = greet(stream, "aes", &[]);
        assert_eq!(place.carrier(), "process");
    }
}
