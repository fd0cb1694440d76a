//! Deployed clients, which lose their session when they are sent more than they read.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::harness::go_client::GoClient;
use crate::harness::{Client, ReflectorConfig, on_each_io, routes, start};

on_each_io!(
    a_deployed_client_survives_a_large_dump,
    a_deployed_client_survives_a_burst,
    a_deployed_client_that_installs_slowly_survives,
    a_deployed_client_with_a_small_buffer_survives,
);

#[cfg(target_os = "linux")]
on_each_io!(
    a_deployed_client_survives_behind_ethernet,
    a_deployed_client_that_stops_reading_survives,
    a_deployed_client_without_window_scaling_survives,
);

/// The config for each loopback: their addresses differ in more than their length, since IPv4 has
/// segments of another size.
fn each_loopback(config: ReflectorConfig, script: impl Fn(SocketAddr, &mut Client)) {
    for ip in [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()] {
        let config = ReflectorConfig { listen: SocketAddr::new(ip, 0), ..config.clone() };
        let (_reflector, address) = start(&config);
        script(address, &mut Client::establish(address));
    }
}

fn a_deployed_client_survives_a_large_dump(config: ReflectorConfig) {
    each_loopback(config, |address, publisher| {
        let all = routes(1, 0..50_000, 1);
        publisher.announce_all(&all);
        publisher.keepalive();
        let mut client = GoClient::establish(address, 1);
        let began = std::time::Instant::now();
        client.expect_view(&all);
        println!("dump: {:?}, longest read {}", began.elapsed(), client.longest_read);
    });
}

fn a_deployed_client_survives_a_burst(config: ReflectorConfig) {
    each_loopback(config, |address, publisher| {
        let few = routes(1, 0..10, 1);
        publisher.announce_all(&few);
        let mut client = GoClient::establish(address, 1);
        client.expect_view(&few);
        let all = routes(1, 0..20_000, 1);
        publisher.announce_all(&all[10..]);
        let began = std::time::Instant::now();
        client.expect_view(&all);
        publisher.withdraw_all(&all[10..]);
        client.expect_view(&few);
        println!("burst: {:?}, longest read {}", began.elapsed(), client.longest_read);
    });
}

fn a_deployed_client_that_installs_slowly_survives(config: ReflectorConfig) {
    each_loopback(config, |address, publisher| {
        let all = routes(1, 0..3000, 1);
        publisher.announce_all(&all);
        publisher.keepalive();
        let mut client = GoClient::establish(address, 1);
        client.per_route = Duration::from_millis(1);
        let began = std::time::Instant::now();
        client.expect_view(&all);
        println!("slow: {:?}, longest read {}", began.elapsed(), client.longest_read);
    });
}

fn a_deployed_client_with_a_small_buffer_survives(config: ReflectorConfig) {
    each_loopback(config, |address, publisher| {
        let all = routes(1, 0..20_000, 1);
        publisher.announce_all(&all);
        publisher.keepalive();
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        socket.connect(&address.into()).unwrap();
        let mut client = GoClient::over(TcpStream::from(socket), 1);
        let began = std::time::Instant::now();
        client.expect_view(&all);
        println!("small: {:?}, longest read {}", began.elapsed(), client.longest_read);
    });
}

#[cfg(target_os = "linux")]
fn a_deployed_client_survives_behind_ethernet(config: ReflectorConfig) {
    use crate::harness::ethernet::Ethernet;

    let Some(ethernet) = Ethernet::new() else { return };
    let (_reflector, address) = ethernet.start(config);
    let (mut publisher, all) = ethernet.publish(address, 50_000);
    ethernet.at_client(|| {
        let mut client = GoClient::establish(address, 1);
        let began = std::time::Instant::now();
        client.expect_view(&all);
        println!("dump: {:?}, longest read {}", began.elapsed(), client.longest_read);
        let began = std::time::Instant::now();
        publisher.withdraw_all(&all[1000..]);
        client.expect_view(&all[..1000]);
        println!("burst: {:?}, longest read {}", began.elapsed(), client.longest_read);
        drop(client);
        let mut client = GoClient::establish(address, 1);
        client.per_route = Duration::from_millis(1);
        client.expect_view(&all[..1000]);
        println!("slow first: longest read {}", client.longest_read);
        // Slow while a burst is under way.
        client.per_route = Duration::from_millis(1);
        publisher.announce_all(&all[1000..4000]);
        client.expect_view(&all[..4000]);
        println!("slow: longest read {}", client.longest_read);
    });
}

/// It stops after it has read fast, when its receive buffer has just grown or is about to.
#[cfg(target_os = "linux")]
fn a_deployed_client_that_stops_reading_survives(config: ReflectorConfig) {
    use crate::harness::ethernet::Ethernet;

    let Some(ethernet) = Ethernet::new() else { return };
    let (_reflector, address) = ethernet.start(config);
    let (_publisher, all) = ethernet.publish(address, 30_000);
    ethernet.at_client(|| {
        std::thread::scope(|scope| {
            for (stop, seconds) in [
                (10, 10),
                (300, 3),
                (600, 3),
                (1000, 10),
                (2000, 3),
                (5000, 3),
                (10_000, 3),
                (20_000, 10),
            ] {
                let all = &all;
                scope.spawn(move || {
                    let began = std::time::Instant::now();
                    let mut client = GoClient::establish(address, 1);
                    client.expect_count(stop);
                    std::thread::sleep(Duration::from_secs(seconds));
                    client.expect_view(all);
                    let took = began.elapsed();
                    println!("stop at {stop}: {took:?}, longest read {}", client.longest_read);
                });
            }
        });
    });
}

/// Its window stays at 65,535 whatever it has read, so it is sent to by the clock.
#[cfg(target_os = "linux")]
fn a_deployed_client_without_window_scaling_survives(config: ReflectorConfig) {
    use metalbond::NoEvidence;
    use metalbond::reflector::inspect::Cursor;

    use crate::harness::ethernet::Ethernet;
    use crate::harness::{ask, eventually};

    let Some(ethernet) = Ethernet::new() else { return };
    ethernet.at_client(|| {
        std::fs::write("/proc/sys/net/ipv4/tcp_window_scaling", "0").unwrap();
    });
    let (reflector, address) = ethernet.start(config);
    let (_publisher, all) = ethernet.publish(address, 5_000);
    ethernet.at_client(|| {
        let mut client = GoClient::establish(address, 1);
        client.per_route = Duration::from_millis(1);
        let began = std::time::Instant::now();
        client.expect_view(&all);
        println!("no scaling: {:?}, longest read {}", began.elapsed(), client.longest_read);
        eventually("it is told why the pace is fixed", || {
            let peers = ask(reflector.inspector().peers(Cursor::default(), 10)).unwrap().rows;
            let why: Vec<_> = peers.iter().filter_map(|peer| peer.unproven).collect();
            why == [NoEvidence::NoScale]
        });
    });
}
