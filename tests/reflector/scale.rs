//! Many peers, many routes, and peers that don't read.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::harness::client::{encode, modern_hello, plain_hello};
#[cfg(target_os = "linux")]
use crate::harness::process::Process;
use crate::harness::{
    Client, PATIENCE, ReflectorConfig, closed_by, eventually, expect_empty, on_each_io, peers,
    peers_by_shard, route, routes, start,
};
use metalbond::wire::{Message, Vni};

on_each_io!(
    two_thousand_peers_at_once,
    peers_spread_evenly_over_shards,
    a_burst_of_100_000_routes_arrives_and_goes_with_its_publisher,
    a_stuck_reader_holds_up_nobody_and_ends_with_the_right_view,
    a_stuck_reader_is_closed_in_the_end,
    a_deployed_client_that_reads_nothing_is_closed_in_the_end,
    a_flapping_route_costs_a_stuck_reader_nothing,
);

#[cfg(target_os = "linux")]
on_each_io!(an_idle_session_with_a_vni_of_its_own_is_small);

fn two_thousand_peers_at_once(config: ReflectorConfig) {
    metalbond::io::raise_nofile().unwrap();
    let (reflector, address) = start(&config);
    let mut bytes = encode(&[Message::Hello(modern_hello()), Message::Keepalive]);
    bytes.extend(encode(&[Message::Subscribe(Vni(1)), Message::Subscribe(Vni(2))]));
    let mut clients: Vec<_> = (0..2000)
        .map(|_| {
            let mut client = Client::connect(address);
            client.spoke(modern_hello());
            client.write(&bytes);
            client
        })
        .collect();
    for client in &mut clients {
        client.until("both dumps", |client| client.ended.len() == 2);
    }
    assert_eq!(peers_by_shard(&reflector), [1000, 1000]);
    let mut publisher = Client::establish(address);
    let some = [route(1, 1, 1), route(2, 1, 1), route(2, 2, 1)];
    publisher.announce_all(&some);
    for client in &mut clients {
        client.expect_view(&some);
    }
    drop(publisher);
    for client in &mut clients {
        client.expect_view([]);
    }
    drop(clients);
    expect_empty(&reflector);
}

/// 2.5 KiB, of which each session's table has a part. A debug build takes as much as a release one, because
/// what is counted is values in memory: the difference was below 1 %. Of few sessions the allocator's pages that are
/// not full would be a large part: 200 to 500 bytes each of 2,000 sessions, and another number in each run.
#[cfg(target_os = "linux")]
fn an_idle_session_with_a_vni_of_its_own_is_small(config: ReflectorConfig) {
    const SESSIONS: u32 = 5000;
    metalbond::io::raise_nofile().unwrap();
    let reflector = Process::start(&config);
    let mut clients: Vec<Client> = Vec::new();
    let mut grow = |to: u32| {
        let from = u32::try_from(clients.len()).unwrap();
        clients.extend((from..to).map(|n| {
            let mut client = Client::connect(reflector.address);
            client.spoke(modern_hello());
            client.write(&encode(&[Message::Hello(modern_hello()), Message::Keepalive]));
            client.write(&encode(&[Message::Subscribe(Vni(n))]));
            client
        }));
        for client in &mut clients[from as usize..] {
            client.until("the dump", |client| client.ended.len() == 1);
        }
    };
    // The first ones bring what all share.
    grow(100);
    let before = reflector.resident();
    // A busy reflector ends connections that it has not heard a HELLO from when too many wait.
    (0..=SESSIONS).step_by(500).for_each(|more| grow(100 + more));
    let took = || (reflector.resident() - before) / u64::from(SESSIONS);
    println!("{} bytes at once", took());
    // What a dump has needed is given back, and a VNI in which nothing happens is packed.
    let mut least = u64::MAX;
    let deadline = Instant::now() + PATIENCE;
    while least > 2560 {
        least = least.min(took());
        assert!(Instant::now() < deadline, "{least} bytes per session");
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("{least} bytes at rest");
}

fn peers_spread_evenly_over_shards(config: ReflectorConfig) {
    for shards in 1..5 {
        let (reflector, address) =
            start(&ReflectorConfig { shards: Some(shards), ..config.clone() });
        let mut clients = Vec::new();
        for _ in 0..9 {
            clients.push(Client::establish(address));
            let counts = peers_by_shard(&reflector);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "{counts:?}");
        }
    }
}

fn a_burst_of_100_000_routes_arrives_and_goes_with_its_publisher(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let mut subscriber = Client::establish(address);
    subscriber.subscribe(1);
    let all = routes(1, 0..100_000, 1);
    let mut publisher = Client::establish(address);
    publisher.announce_all(&all);
    subscriber.expect_view(&all);
    let late = std::thread::spawn(move || {
        let mut late = Client::establish(address);
        late.subscribe(1);
        late.expect_end_of_table(1);
        late
    });
    // The client takes no route twice: that many updates are each route once.
    assert_eq!(subscriber.updates.len(), all.len());
    let mut late = late.join().unwrap();
    assert_eq!(late.view, subscriber.view);
    drop(publisher);
    subscriber.expect_view([]);
    late.expect_view([]);
    assert_eq!(subscriber.updates.len(), 2 * all.len());
    drop((subscriber, late));
    expect_empty(&reflector);
}

/// A subscriber of VNI 1 that is in sync and has little room for what it does not read.
fn stuck_reader(address: SocketAddr) -> Client {
    let mut stuck = Client::connect_narrow(address, 4096).shake_hands(modern_hello());
    stuck.subscribe(1);
    stuck.expect_end_of_table(1);
    stuck
}

fn a_stuck_reader_holds_up_nobody_and_ends_with_the_right_view(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut stuck = stuck_reader(address);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    subscriber.subscribe(1);
    subscriber.expect_end_of_table(1);
    let kept = routes(1, 0..1000, 1);
    publisher.announce_all(&kept);
    for round in 2..7 {
        let began = Instant::now();
        let churn = routes(1, 1000..11_000, round);
        publisher.announce_all(&churn);
        subscriber.expect_view(kept.iter().chain(&churn));
        publisher.withdraw_all(&churn);
        subscriber.expect_view(&kept);
        println!("round {round}: {:?}", began.elapsed());
    }
    let last = routes(1, 5000..6000, 9);
    publisher.announce_all(&last);
    let all: Vec<_> = kept.iter().chain(&last).copied().collect();
    subscriber.expect_view(&all);
    stuck.expect_view(&all);
    // Nothing is on its way to either any more.
    publisher.announce(&route(1, 1 << 20, 1));
    let all: Vec<_> = all.into_iter().chain([route(1, 1 << 20, 1)]).collect();
    stuck.expect_view(&all);
    subscriber.expect_view(&all);
    // What came and went while it did not look never came.
    assert!(stuck.updates.len() < subscriber.updates.len() / 2, "{}", stuck.updates.len());
}

fn a_stuck_reader_is_closed_in_the_end(mut config: ReflectorConfig) {
    config.settings.send_hold = Duration::from_secs(2);
    let (reflector, address) = start(&config);
    let mut stuck = Client::connect_narrow(address, 4096).shake_hands(modern_hello());
    stuck.subscribe(1);
    stuck.announce(&route(2, 1, 1));
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    subscriber.subscribe(1);
    subscriber.subscribe(2);
    subscriber.expect_view([&route(2, 1, 1)]);
    let all = routes(1, 0..100_000, 1);
    let began = Instant::now();
    publisher.announce_all(&all);
    subscriber.until("all of it", |subscriber| subscriber.view.len() >= all.len());
    eventually("the stuck reader is closed", || peers(&reflector) == 2);
    assert!(began.elapsed() > Duration::from_secs(2));
    subscriber.expect_view(&all);
    publisher.withdraw_all(&all);
    subscriber.expect_view([]);
}

/// Its kernel takes and acknowledges what the program never reads, answers to KEEPALIVEs included.
fn a_deployed_client_that_reads_nothing_is_closed_in_the_end(mut config: ReflectorConfig) {
    config.settings.send_hold = Duration::from_secs(2);
    let (reflector, address) = start(&config);
    let mut stuck = Client::connect(address).shake_hands(plain_hello());
    stuck.subscribe(1);
    let mut publisher = Client::establish(address);
    publisher.announce_all(&routes(1, 0..5_000, 1));
    let began = Instant::now();
    let mut asked = began;
    eventually("the stuck client is closed", || {
        if asked.elapsed() > Duration::from_millis(300) {
            stuck.write_anyway(&encode(&[Message::Keepalive]));
            asked = Instant::now();
        }
        closed_by(&reflector, "send_hold") == 1
    });
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

/// The reader's updates wait as a cursor: a route that came and went leaves no trace.
fn a_flapping_route_costs_a_stuck_reader_nothing(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut stuck = stuck_reader(address);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    subscriber.subscribe(1);
    // Fills whatever holds bytes between here and there.
    let plug = routes(1, 0..60_000, 1);
    publisher.announce_all(&plug);
    subscriber.expect_view(&plug);
    let flapping = route(1, 1 << 20, 1);
    let deadline = Instant::now() + PATIENCE;
    for _ in 0..500 {
        publisher.announce(&flapping);
        subscriber.until("up", |subscriber| subscriber.view.contains(&flapping));
        publisher.withdraw(&flapping);
        subscriber.until("down", |subscriber| !subscriber.view.contains(&flapping));
        assert!(Instant::now() < deadline);
    }
    publisher.announce(&flapping);
    stuck.expect_view(plug.iter().chain([&flapping]));
    assert!(stuck.updates.len() < plug.len() + 100, "{}", stuck.updates.len());
}
