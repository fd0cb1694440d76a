//! What the kernel drops of peers' packets: by TTL, and by signature.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use metalbond::client::{Backoff, LeafConfig, MetalBond, PeerState};
use metalbond::reflector::{GuardConfig, Reflector};
use support::tls::Folder;

use crate::harness::{Client, ReflectorConfig, eventually, on_each_io, peers, start};

on_each_io!(
    packets_from_beyond_a_router_are_dropped,
    unsigned_packets_of_a_prefix_with_a_key_are_dropped,
    keys_of_tcp_ao_change_one_machine_after_the_other,
    a_file_with_more_keys_than_the_kernel_takes_leaves_none_behind,
);

/// What shows that nothing answers.
const SILENCE: Duration = Duration::from_millis(1500);

fn leaf(runtime: &tokio::runtime::Runtime, address: SocketAddr, config: LeafConfig) -> MetalBond {
    let (min, max) = (Duration::from_millis(10), Duration::from_millis(100));
    let config = LeafConfig { backoff: Backoff { min, max }, ..config };
    runtime.block_on(async {
        let leaf = MetalBond::start(config);
        leaf.add_peer(address.to_string(), None).await.unwrap();
        leaf
    })
}

fn is_up(runtime: &tokio::runtime::Runtime, leaf: &MetalBond) -> bool {
    let peers = runtime.block_on(leaf.peers()).unwrap();
    peers.iter().any(|(_, status)| status.state == PeerState::Established)
}

/// A connection whose packets seem to have passed a router is none.
fn packets_from_beyond_a_router_are_dropped(mut config: ReflectorConfig) {
    config.guard.min_ttl = 255;
    let (reflector, address) = start(&config);
    let domain = socket2::Domain::for_address(address);
    let far = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
    far.set_unicast_hops_v6(254).unwrap();
    assert!(far.connect_timeout(&address.into(), SILENCE).is_err());
    let near = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
    near.set_unicast_hops_v6(255).unwrap();
    near.connect(&address.into()).unwrap();
    // And it answers as that asks for.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let guarded = leaf(&runtime, address, LeafConfig { min_ttl: 255, ..LeafConfig::default() });
    eventually("a session", || is_up(&runtime, &guarded));
    // From now on others may come, too.
    let guard = GuardConfig::default();
    reflector.reload(&ReflectorConfig { guard, ..config }).unwrap();
    eventually("a session", || {
        let far = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        far.set_unicast_hops_v6(254).unwrap();
        far.connect_timeout(&address.into(), SILENCE).is_ok()
    });
    runtime.block_on(guarded.shutdown());
}

fn unsigned_packets_of_a_prefix_with_a_key_are_dropped(mut config: ReflectorConfig) {
    let folder = Folder::default();
    let keys = |name: &str, text: &str| -> PathBuf { folder.write(name, text) };
    let ours = keys("keys", "2001:db8::/32 other\n::/0 secret\n");
    config.guard.md5_keys = Some(ours.clone());
    let (reflector, address) = start(&config);
    assert!(TcpStream::connect_timeout(&address, SILENCE).is_err(), "unsigned");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let with = |file: PathBuf| LeafConfig { md5_keys: Some(file), ..LeafConfig::default() };
    let signed = leaf(&runtime, address, with(keys("leaf", "::1 secret")));
    eventually("a session", || is_up(&runtime, &signed));
    let wrong = leaf(&runtime, address, with(keys("wrong", "::1 guessed")));
    std::thread::sleep(SILENCE); // in which it gets nowhere
    assert_eq!(peers(&reflector), 1);
    runtime.block_on(wrong.shutdown());
    // Without a key for the prefix anybody may come, and who is there stays.
    keys("keys", "2001:db8::/32 other\n");
    reflector.reload(&config).unwrap();
    eventually("a connection", || TcpStream::connect_timeout(&address, SILENCE).is_ok());
    let mut plain = Client::establish(address);
    plain.keepalive();
    assert!(is_up(&runtime, &signed));
    runtime.block_on(signed.shutdown());
}

/// Or the reflector says that the kernel has no TCP-AO, as many have not.
fn keys_of_tcp_ao_change_one_machine_after_the_other(mut config: ReflectorConfig) {
    let folder = Folder::default();
    let keys = |name: &str, text: &str| -> PathBuf { folder.write(name, text) };
    config.guard.ao_keys = Some(keys("keys", "::1 1 old\n2001:db8::/32 1 other\n"));
    let (reflector, address) = match Reflector::start(&config) {
        Ok(reflector) => {
            let address = reflector.listen_addr();
            (reflector, address)
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("CONFIG_TCP_AO") && said.contains("key 1 of ::1/128"), "{said}");
            assert!(said.contains("Protocol not available"), "{said}");
            return;
        }
    };
    assert!(TcpStream::connect_timeout(&address, SILENCE).is_err(), "unsigned");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let with = |file: &PathBuf| LeafConfig { ao_keys: Some(file.clone()), ..LeafConfig::default() };
    let file = keys("leaf", "::/0 1 old\n");
    let old = leaf(&runtime, address, with(&file));
    eventually("a session", || is_up(&runtime, &old));
    let wrong = leaf(&runtime, address, with(&keys("wrong", "::1 1 guessed")));
    std::thread::sleep(SILENCE); // in which it gets nowhere
    assert_eq!(peers(&reflector), 1);
    runtime.block_on(wrong.shutdown());
    // First the reflector has both keys, then leaves have the new one, then the old one goes.
    keys("keys", "::1 1 old\n::1 2 new\n");
    reflector.reload(&config).unwrap();
    let new = leaf(&runtime, address, with(&keys("new", "::/0 2 new\n::/0 1 old\n")));
    eventually("a session", || is_up(&runtime, &new));
    keys("keys", "::1 2 new\n");
    reflector.reload(&config).unwrap();
    let late = leaf(&runtime, address, with(&file));
    std::thread::sleep(SILENCE); // in which it gets nowhere
    assert!(!is_up(&runtime, &late) && is_up(&runtime, &old) && is_up(&runtime, &new));
    for leaf in [late, old, new] {
        runtime.block_on(leaf.shutdown());
    }
}

/// The kernel takes some keys of the file, and then no more.
fn a_file_with_more_keys_than_the_kernel_takes_leaves_none_behind(mut config: ReflectorConfig) {
    let folder = Folder::default();
    let good = "2001:db8::/32 other\n";
    let file = folder.write("keys", good);
    config.guard.md5_keys = Some(file);
    let (reflector, address) = start(&config);
    let connects = || TcpStream::connect_timeout(&address, SILENCE).is_ok();
    assert!(connects());
    let many = (0..8000).map(|number| format!("2001:db8:{number:x}::/48 other\n"));
    // Shorter prefixes come first.
    let bad: String = ["::/0 secret\n".to_owned()].into_iter().chain(many).collect();
    folder.write("keys", &bad);
    reflector.reload(&config).unwrap();
    eventually("an unsigned connection is dropped", || !connects());
    folder.write("keys", good);
    reflector.reload(&config).unwrap();
    eventually("a connection", connects);
}
