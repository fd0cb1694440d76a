//! What the server holds of memory, as the kernel counts it.

use std::time::{Duration, Instant};

use metalbond::wire::{Message, Vni};

use crate::process::Process;
use support::client::{Client, PATIENCE, Route, encode, route, routes};

const MIB: f64 = 1_048_576.0;

/// Bytes that a process holds of its own. Pages of its program are left out: how many are there depends on which of
/// its code has run.
fn resident(server: &Process) -> f64 {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", server.child.id())).unwrap();
    let pages: Vec<f64> = statm.split(' ').map(|it| it.trim().parse().unwrap()).collect();
    (pages[1] - pages[2]) * rustix::param::page_size() as f64
}

/// Waits until a server that held `before` holds no more than `more` beside that, but not for longer than `patience`.
/// What it held then.
fn shrinks(server: &Process, before: f64, more: f64, patience: Duration) -> f64 {
    let began = Instant::now();
    loop {
        let held = resident(server) - before;
        if held <= more || began.elapsed() > patience {
            println!("{:.0} bytes more after {:?}", held, began.elapsed());
            return held;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What all sessions share has come, and goes no more.
fn warm(server: &Process) -> f64 {
    let mut publisher = Client::establish(server.address());
    let some = routes(1, 0..100, 1);
    publisher.announce_all(&some);
    let mut subscriber = Client::establish(server.address());
    subscriber.subscribe(1);
    subscriber.expect_view(&some);
    resident(server)
}

/// In most of three runs: the allocator has pages that are used in part, more of them when other programs keep the
/// machine busy.
#[test]
fn memory_is_given_back_when_everybody_has_left() {
    for io in ["epoll", "auto"] {
        let mut kept = Vec::new();
        let is_little = |kept: &f64| *kept <= 8.0 * MIB;
        while kept.iter().filter(|it| is_little(it)).count() < 2 {
            kept.push(kept_of_everybody(io));
            assert!(kept.len() < 3 || is_little(&kept[2]), "{kept:?}");
        }
    }
}

/// What a server holds in the end after many peers with many routes have come and gone.
fn kept_of_everybody(io: &str) -> f64 {
    let server = Process::start(&["--io", io]);
    let before = warm(&server);
    // A large table that two announce, many small ones, and a subscriber of each.
    let all = routes(1, 0..150_000, 1);
    let mut publishers: Vec<_> = (0..2).map(|_| Client::establish(server.address())).collect();
    for publisher in &mut publishers {
        publisher.announce_all(&all);
    }
    let small: Vec<Route> = (2..3000).flat_map(|vni| routes(vni, 0..5, 1)).collect();
    publishers[0].announce_all(&small);
    let mut subscriber = Client::establish(server.address());
    for vni in 1..3000 {
        subscriber.subscribe(vni);
    }
    subscriber.until("all routes", |subscriber| subscriber.view.len() == all.len() + small.len());
    let idle: Vec<_> = (0..300).map(|_| Client::establish(server.address())).collect();
    let most = resident(&server) - before;
    println!("{io}: {:.1} MiB more with everybody", most / MIB);
    assert!(most > 16.0 * MIB);
    drop((publishers, subscriber, idle));
    shrinks(&server, before, 8.0 * MIB, Duration::from_secs(20))
}

#[test]
fn networks_in_which_nothing_happens_take_little() {
    const VNIS: u32 = 10_000;
    let server = Process::start(&["--max-subscriptions-per-peer", "20000", "--keepalive", "60"]);
    let before = warm(&server);
    let mut subscriber = Client::establish(server.address());
    let subscribe: Vec<_> = (1..=VNIS).map(|vni| Message::Subscribe(Vni(vni))).collect();
    subscriber.write(&encode(&subscribe));
    subscriber.until("all dumps", |subscriber| subscriber.ended.len() == VNIS as usize);
    // The owner's part and that of the subscriber's session, and what the allocator keeps of the dumps for as
    // long as nothing happens.
    let each = shrinks(&server, before, 700.0 * f64::from(VNIS), PATIENCE) / f64::from(VNIS);
    println!("{each:.0} bytes for each network with a subscriber");
    assert!(each <= 700.0);
    let mut publisher = Client::establish(server.address());
    let all: Vec<Route> = (1..=VNIS).map(|vni| route(vni, 1, 1)).collect();
    publisher.announce_all(&all);
    subscriber.expect_view(&all);
    let each = shrinks(&server, before, 1500.0 * f64::from(VNIS), PATIENCE) / f64::from(VNIS);
    println!("{each:.0} bytes for each network with a subscriber, a publisher and a route");
    assert!(each <= 1500.0);
}
