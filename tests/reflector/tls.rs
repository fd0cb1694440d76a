//! Sessions over TLS: who may connect, what is proven, and what happens beside and behind a handshake.

use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metalbond::client::{Backoff, LeafConfig, LeafTls, MetalBond};
use metalbond::policy::Policy;
use metalbond::reflector::TlsConfig;
use metalbond::reflector::inspect::PeerInfo;
use metalbond::wire::{Message, Vni};
use support::tls::{Authority, Folder, Issued, Stream, Validity, connect, exchange};

use crate::harness::client::{announcements, encode, hello_of};
use crate::harness::{
    Bystanders, Client, Reflector, ReflectorConfig, Route, ask, closed_by, counters, eventually,
    on_each_io, peers, route, routes,
};

on_each_io!(
    a_leaf_over_tls_exchanges_routes_and_proves_its_name,
    who_proves_nothing_gets_no_session,
    a_session_ends_cleanly_by_close_notify_and_with_a_reason_without,
    a_peer_that_reads_nothing_over_tls_is_closed,
    two_sessions_that_claim_one_name_are_told_apart,
    new_files_are_taken_up_and_wrong_ones_are_not,
    silent_and_costly_handshakes_hold_up_nobody,
    a_table_over_tls_arrives_whole_through_a_slow_reader,
    a_stop_flushes_what_is_queued_over_tls,
    a_certificate_decides_on_class_and_next_hops,
    a_program_that_ends_with_its_leaf_has_said_goodbye,
);

/// A place with one authority and a reflector that it has issued a certificate to.
struct Scene {
    folder: Folder,
    authority: Authority,
    ca: PathBuf,
    reflector: Reflector,
    config: ReflectorConfig,
}

impl Scene {
    fn new(config: ReflectorConfig) -> Self {
        let (folder, authority) = (Folder::default(), Authority::new("ca"));
        let ca = authority.file(&folder, "ca.pem");
        let own = authority.issue(&folder, "reflector", &["::1", "spiffe://dc1/rr"], Validity::Now);
        let tls = TlsConfig {
            listen: Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))),
            certificate: Some(own.certificate),
            key: Some(own.key),
            ca: Some(ca.clone()),
            crl: None,
            ..TlsConfig::default()
        };
        let config = ReflectorConfig { tls, ..config };
        let reflector = Reflector::start(&config).unwrap();
        Self { folder, authority, ca, reflector, config }
    }

    fn address(&self) -> SocketAddr {
        self.reflector.tls_addr().unwrap()
    }

    fn plain(&self) -> Client {
        Client::establish(self.reflector.listen_addr())
    }

    fn issue(&self, name: &str) -> Issued {
        self.authority.issue(&self.folder, name, &[name], Validity::Now)
    }

    fn connect(&self, own: Option<&Issued>) -> Stream {
        connect(self.address(), &self.ca, own)
    }

    /// A peer that has shaken hands and said this.
    fn say(&self, own: &Issued, messages: &[Message]) -> Stream {
        let mut stream = self.connect(Some(own));
        stream.write_all(&encode(messages)).unwrap();
        stream.flush().unwrap();
        stream
    }

    fn find(&self, name: &str) -> Vec<PeerInfo> {
        ask(self.reflector.inspector().find_peer(name)).unwrap()
    }

    fn handshakes(&self, result: &str) -> u64 {
        counters(&self.reflector).tls.handshakes.get(result).copied().unwrap_or_default()
    }

    fn leaf_config(&self, own: &Issued) -> LeafConfig {
        let tls = LeafTls {
            ca: self.ca.clone(),
            certificate: Some(own.certificate.clone()),
            key: Some(own.key.clone()),
            server_name: None,
        };
        let (min, max) = (Duration::from_millis(10), Duration::from_millis(100));
        let backoff = Backoff { min, max };
        LeafConfig { node: "claimed".into(), tls: Some(tls), backoff, ..LeafConfig::default() }
    }
}

/// Runs leaves.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn a_certificate_decides_on_class_and_next_hops(mut config: ReflectorConfig) {
    let policy = "[[policy.class]]\nname = \"leaf\"\ncertificates = \"spiffe://dc1/hv/*\"\n\
                  [[policy.class.rule]]\nnext-hops = \"own/64\"\n\
                  [[policy.class]]\nname = \"default\"\nannounce = []\n";
    config.settings.policy = Arc::new(Policy::read(policy).unwrap());
    let scene = Scene::new(config);
    let mut watcher = scene.plain();
    watcher.subscribe(7);
    watcher.expect_end_of_table(7);
    let announce = |names: &[&str], n| {
        let own = scene.authority.issue(&scene.folder, &format!("leaf{n}"), names, Validity::Now);
        let mut stream = scene.say(&own, &hello("any"));
        stream.write_all(&announcements(&[route(7, n, 1)])).unwrap();
        stream.flush().unwrap();
        stream
    };
    let refused = |class: &str, reason: &str| {
        let total = counters(&scene.reflector).total;
        let is = |key: &[String; 4]| key[0] == class && key[2] == reason;
        total.refused.iter().filter(|(key, _)| is(key)).map(|(_, count)| count).sum::<u64>()
    };
    // The network of the next hop is that of one of the addresses.
    let _good = announce(&["spiffe://dc1/hv/1", "192.0.2.1", "2001:db8::17"], 1);
    watcher.expect_view([&route(7, 1, 1)]);
    let _other_host = announce(&["spiffe://dc1/hv/2", "2001:db8:3::17"], 2);
    eventually("a refusal", || refused("leaf", "next_hop") == 1);
    let _other_name = announce(&["spiffe://dc1/vm/3", "2001:db8::17"], 3);
    eventually("a refusal", || refused("default", "announce") == 1);
    let mut plain = scene.plain();
    plain.announce(&route(7, 4, 1));
    eventually("a refusal", || refused("default", "announce") == 2);
    let names = ["spiffe://dc1/hv/5", "2001:db8:5::17", "192.0.2.1", "2001:db8::17"];
    let _several = announce(&names, 5);
    watcher.expect_view([&route(7, 1, 1), &route(7, 5, 1)]);
}

fn hello(node: &str) -> [Message; 2] {
    [Message::Hello(hello_of(node)), Message::Keepalive]
}

fn a_leaf_over_tls_exchanges_routes_and_proves_its_name(config: ReflectorConfig) {
    let scene = Scene::new(config);
    let names = ["spiffe://dc1/hv/17", "hv-17.example", "2001:db8::17", "192.0.2.17"];
    let own = scene.authority.issue(&scene.folder, "leaf", &names, Validity::Now);
    let mut publisher = scene.plain();
    publisher.announce_all(&routes(7, 0..3000, 1));
    let runtime = runtime();
    let start = |server_name: Option<&str>| {
        let mut config = scene.leaf_config(&own);
        config.tls.as_mut().unwrap().server_name = server_name.map(str::to_owned);
        runtime.block_on(async {
            let leaf = MetalBond::start(config);
            leaf.add_peer(scene.address().to_string(), None).await.unwrap();
            leaf.subscribe(Vni(7)).await.unwrap();
            leaf
        })
    };
    for server_name in [None, Some("spiffe://dc1/rr")] {
        let leaf = start(server_name);
        eventually("the routes", || runtime.block_on(leaf.routes(Vni(7))).unwrap().len() == 3000);
        let found = scene.find("spiffe://dc1/hv/17");
        let [peer] = found.as_slice() else { panic!("{found:?}") };
        let identity = &peer.tls.as_ref().unwrap().identity;
        assert_eq!((&*peer.node, identity.name()), ("claimed", Some("spiffe://dc1/hv/17")));
        let addresses = names[2..].iter().map(|it| it.parse::<std::net::IpAddr>().unwrap());
        assert!(identity.addresses().iter().copied().eq(addresses));
        runtime.block_on(leaf.shutdown());
        eventually("the end of the session", || peers(&scene.reflector) == 1);
    }
    assert_eq!(closed_by(&scene.reflector, "peer_closed"), 2);
    // Of a server with another name the leaf wants nothing.
    let leaf = start(Some("spiffe://dc1/other"));
    eventually("a refusal", || scene.handshakes("alert") > 0);
    runtime.block_on(leaf.shutdown());
}

fn a_program_that_ends_with_its_leaf_has_said_goodbye(mut config: ReflectorConfig) {
    config.settings.stale_hold = Duration::from_secs(3600);
    let scene = Scene::new(config);
    let own = scene.issue("hv-17");
    let mut watcher = scene.plain();
    watcher.subscribe(7);
    // As the program has it: no thread goes on when the leaf has ended.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut watcher = runtime.block_on(async {
        let leaf = MetalBond::start(scene.leaf_config(&own));
        leaf.add_peer(scene.address().to_string(), None).await.unwrap();
        let Route { vni, destination, next_hop } = route(7, 1, 17);
        leaf.announce_route(vni, destination, next_hop).await.unwrap();
        let watching = tokio::task::spawn_blocking(move || {
            watcher.expect_view([&route(7, 1, 17)]);
            watcher
        });
        let watcher = watching.await.unwrap();
        leaf.shutdown().await;
        watcher
    });
    runtime.shutdown_background();
    watcher.expect_view(&[]);
}

fn who_proves_nothing_gets_no_session(config: ReflectorConfig) {
    let scene = Scene::new(config);
    let stranger = Authority::new("stranger");
    let wrong = stranger.issue(&scene.folder, "stranger", &["hv-1"], Validity::Now);
    let past = scene.authority.issue(&scene.folder, "past", &["hv-2"], Validity::Past);
    let revoked = scene.issue("hv-3");
    let crl = scene.authority.revoke(&scene.folder, "crl.pem", &[&revoked]);
    let mut new = scene.config.clone();
    new.tls.crl = Some(crl);
    scene.reflector.reload(&new).unwrap();
    let bytes = encode(&hello("any"));
    for (own, result, alert) in [
        (None, "no_certificate", "CertificateRequired"),
        (Some(&wrong), "unknown_ca", "UnknownCA"),
        (Some(&past), "expired", "CertificateExpired"),
    ] {
        let error = exchange(&mut scene.connect(own), &bytes);
        assert!(error.as_ref().is_some_and(|it| it.contains(alert)), "{error:?}");
        // The peer may know before it is counted.
        eventually(result, || scene.handshakes(result) == 1);
    }
    // The list is taken up a moment after the call.
    eventually("a refusal", || {
        let error =
            exchange(&mut scene.connect(Some(&revoked)), b"no message, which ends a session");
        error.is_some_and(|it| it.contains("CertificateRevoked"))
    });
    eventually("a refusal that is counted", || scene.handshakes("revoked") == 1);
    // Who speaks no TLS.
    Client::connect(scene.address()).write_anyway(&bytes);
    eventually("a refusal", || scene.handshakes("protocol") == 1);
    drop(TcpStream::connect(scene.address()).unwrap());
    eventually("a refusal", || scene.handshakes("connection") == 1);
    assert_eq!(peers(&scene.reflector), 0);
    let mut good = scene.say(&scene.issue("hv-4"), &hello("any"));
    assert!(good.read(&mut [0; 64]).unwrap() > 0);
    assert_eq!(scene.find("hv-4").len(), 1);
}

fn a_session_ends_cleanly_by_close_notify_and_with_a_reason_without(config: ReflectorConfig) {
    let scene = Scene::new(config);
    let own = scene.issue("hv-1");
    let mut clean = scene.say(&own, &hello("clean"));
    assert!(clean.read(&mut [0; 64]).unwrap() > 0);
    clean.conn.send_close_notify();
    clean.flush().unwrap();
    // Its answer is close_notify as well.
    assert_eq!(exchange(&mut clean, b""), None);
    eventually("a clean end", || closed_by(&scene.reflector, "peer_closed") == 1);
    let cut = scene.say(&own, &hello("cut"));
    eventually("a session", || peers(&scene.reflector) == 1);
    cut.sock.shutdown(std::net::Shutdown::Write).unwrap();
    eventually("an end", || closed_by(&scene.reflector, "tls") == 1);
    let mut broken = scene.say(&own, &hello("broken"));
    assert!(broken.read(&mut [0; 64]).unwrap() > 0);
    broken.sock.write_all(&[0x17, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    broken.sock.write_all(&[0; 12]).unwrap();
    eventually("an end", || closed_by(&scene.reflector, "tls") == 2);
    let error = exchange(&mut broken, b"");
    assert!(error.as_ref().is_some_and(|it| it.contains("BadRecordMac")), "{error:?}");
}

fn a_peer_that_reads_nothing_over_tls_is_closed(mut config: ReflectorConfig) {
    config.settings.send_hold = Duration::from_secs(1);
    let scene = Scene::new(config);
    let own = scene.issue("hv-1");
    let mut subscribe = hello("stuck").to_vec();
    subscribe.push(Message::Subscribe(Vni(7)));
    let stuck = scene.say(&own, &subscribe);
    eventually("a session", || peers(&scene.reflector) == 1);
    let mut publisher = scene.plain();
    let mut watcher = scene.plain();
    watcher.subscribe(7);
    // More than kernels hold.
    let mut number = 0;
    eventually("an end", || {
        publisher.announce_all(&routes(7, number..number + 20_000, 1));
        number += 20_000;
        watcher.until("the routes", |it| it.view.len() == number as usize);
        closed_by(&scene.reflector, "send_hold") == 1
    });
    assert_eq!(peers(&scene.reflector), 2);
    drop(stuck);
}

fn two_sessions_that_claim_one_name_are_told_apart(config: ReflectorConfig) {
    let scene = Scene::new(config);
    let _true = scene.say(&scene.issue("hv-1"), &hello("hv-1"));
    let _false = Client::connect(scene.reflector.listen_addr()).shake_hands(hello_of("hv-1"));
    let mut found = Vec::new();
    eventually("both sessions", || {
        found = scene.find("hv-1");
        found.len() == 2
    });
    let proven: Vec<_> = found.iter().filter_map(|it| it.tls.as_ref()?.identity.name()).collect();
    assert_eq!(proven, ["hv-1"]);
}

fn new_files_are_taken_up_and_wrong_ones_are_not(config: ReflectorConfig) {
    let scene = Scene::new(config);
    let own = scene.issue("hv-1");
    let mut old = scene.say(&own, &hello("old"));
    assert!(old.read(&mut [0; 64]).unwrap() > 0);
    let shown = |stream: &Stream| stream.conn.peer_certificates().unwrap()[0].to_vec();
    let before = shown(&old);
    // Half of a change: the key is of another certificate.
    let certificate =
        std::fs::read_to_string(scene.config.tls.certificate.as_ref().unwrap()).unwrap();
    let next = scene.authority.issue(&scene.folder, "next", &["::1"], Validity::Now);
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    scene.folder.write("reflector.key", &read(&next.key));
    eventually("a failure", || counters(&scene.reflector).tls.reload_failures == 1);
    assert!(scene.reflector.reload(&scene.config).is_err(), "a reload says so itself");
    let mut between = scene.say(&own, &hello("between"));
    assert!(between.read(&mut [0; 64]).unwrap() > 0);
    assert_eq!(shown(&between), before);
    // The other half.
    scene.folder.write("reflector.pem", &read(&next.certificate));
    eventually("the new certificate", || {
        let mut stream = scene.say(&own, &hello("new"));
        assert!(stream.read(&mut [0; 64]).unwrap() > 0);
        shown(&stream) != before
    });
    assert_ne!(certificate, read(&next.certificate));
    // Who was there stays.
    old.write_all(&encode(&[Message::Keepalive])).unwrap();
    assert!(old.read(&mut [0; 64]).unwrap() > 0);
}

/// More than there are places for handshakes, half of them with a first message that costs.
fn silent_and_costly_handshakes_hold_up_nobody(config: ReflectorConfig) {
    let scene = Scene::new(config);
    metalbond::io::raise_nofile().unwrap();
    let mut over_tcp = Bystanders::new(scene.reflector.listen_addr(), 7);
    let own = scene.issue("hv-1");
    let mut over_tls = scene.say(&own, &hello("beside"));
    let mut greeting = Vec::new();
    let mut first = connect(scene.address(), &scene.ca, None);
    first.conn.write_tls(&mut greeting).unwrap();
    let flood: Vec<_> = (0..1500)
        .map(|n| {
            let mut socket = TcpStream::connect(scene.address()).unwrap();
            if n % 2 == 0 {
                socket.write_all(&greeting).unwrap();
            }
            socket
        })
        .collect();
    for _ in 0..20 {
        over_tcp.exchange(&[]);
        over_tls.write_all(&encode(&[Message::Keepalive])).unwrap();
        assert!(over_tls.read(&mut [0; 64]).unwrap() > 0);
    }
    // Who comes now has a place, since those that are silent lose theirs.
    let mut late = scene.say(&own, &hello("late"));
    assert!(late.read(&mut [0; 64]).unwrap() > 0);
    assert!(scene.handshakes("no_room") > 0);
    drop(flood);
    eventually("their ends", || peers(&scene.reflector) == 4);
}

fn a_table_over_tls_arrives_whole_through_a_slow_reader(config: ReflectorConfig) {
    let scene = Scene::new(config);
    let mut publisher = scene.plain();
    let table = routes(7, 0..50_000, 1);
    publisher.announce_all(&table);
    let mut messages = hello("slow").to_vec();
    messages.push(Message::Subscribe(Vni(7)));
    let mut stream = scene.say(&scene.issue("hv-1"), &messages);
    let wanted = announcements(&table).len();
    let (mut count, mut buffer) = (0, vec![0; 3000]);
    while count < wanted {
        count += stream.read(&mut buffer).unwrap();
    }
    // And as much towards the reflector.
    let mut watcher = scene.plain();
    watcher.subscribe(8);
    let back = routes(8, 0..50_000, 2);
    stream.write_all(&announcements(&back)).unwrap();
    stream.flush().unwrap();
    watcher.expect_view(&back);
}

fn a_stop_flushes_what_is_queued_over_tls(config: ReflectorConfig) {
    let scene = Scene::new(config);
    let mut messages = hello("reads late").to_vec();
    messages.push(Message::Subscribe(Vni(7)));
    let mut stream = scene.say(&scene.issue("hv-1"), &messages);
    eventually("its subscription", || {
        scene.find("hv-1").first().is_some_and(|peer| peer.subscriptions == 1)
    });
    let mut publisher = scene.plain();
    let mut watcher = scene.plain();
    watcher.subscribe(7);
    publisher.announce(&route(7, 1, 1));
    watcher.expect_view([&route(7, 1, 1)]);
    let Scene { reflector, folder, .. } = scene;
    reflector.stop();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let update = announcements(&[route(7, 1, 1)]);
    assert!(bytes.windows(update.len()).any(|it| it == update), "the update came");
    drop(folder);
}
