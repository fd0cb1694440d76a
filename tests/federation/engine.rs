//! The engine ends, stands still, starts empty, and is out of reach.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Client, Nats, Process, eventually, route, routes};

/// A server, two sites, and a client at each that knows what the other announces.
struct Scene {
    nats: Nats,
    one: Process,
    other: Process,
    first: Client,
    second: Client,
}

fn scene() -> Option<Scene> {
    support::log_to_output();
    let nats = Nats::start("")?;
    let one = Process::start(&nats, "one", &[]);
    let other = Process::start(&nats, "other", &[]);
    let mut first = Client::establish(one.address);
    let mut second = Client::establish(other.address);
    first.announce_all(&routes(7, 0..10, 1));
    second.announce_all(&routes(7, 100..110, 2));
    first.subscribe(7);
    second.subscribe(7);
    first.expect_view(&routes(7, 100..110, 2));
    second.expect_view(&routes(7, 0..10, 1));
    Some(Scene { nats, one, other, first, second })
}

#[test]
fn sites_work_on_without_the_engine_and_catch_up_when_it_is_back_empty() {
    let Some(mut scene) = scene() else { return };
    scene.nats.kill();
    eventually("sites alone", || {
        [&scene.one, &scene.other].iter().all(|site| site.federation()["is_connected"] == false)
    });
    // Local leaves go on.
    let mut local = Client::establish(scene.one.address);
    local.subscribe(7);
    scene.first.announce_all(&routes(7, 10..2_000, 1));
    scene.first.withdraw_all(&routes(7, 0..3, 1));
    local.until("what the other announces", |local| local.view.contains(&route(7, 1_999, 1)));
    scene.second.withdraw(&route(7, 100, 2));
    scene.second.keepalive();
    scene.nats.run();
    scene.second.expect_view(&routes(7, 3..2_000, 1));
    scene.first.expect_view(&routes(7, 101..110, 2));
    assert_eq!((scene.first.removes(), scene.second.removes()), (1, 3), "nothing else went");
}

#[test]
fn an_engine_that_stands_still_is_noticed_and_loses_nothing() {
    let Some(mut scene) = scene() else { return };
    scene.nats.signal(Signal::STOP);
    scene.first.announce_all(&routes(7, 10..3_000, 1));
    eventually("sites alone", || scene.one.seen("other")["state"] == "stale");
    scene.first.withdraw_all(&routes(7, 0..3, 1));
    scene.nats.signal(Signal::CONT);
    scene.second.expect_view(&routes(7, 3..3_000, 1));
    assert_eq!(scene.second.removes(), 3);
}

/// Far more than the engine's client and the link keep: what is missed is a position in the table.
#[test]
fn a_dead_engine_costs_no_memory() {
    let Some(mut scene) = scene() else { return };
    scene.nats.kill();
    eventually("a site alone", || scene.one.federation()["is_connected"] == false);
    for round in 0..40 {
        scene.first.announce_all(&routes(7, 1_000 * round + 10..1_000 * (round + 1) + 10, 1));
        scene.first.keepalive();
    }
    let status = scene.one.federation();
    assert!(status["queued_bytes"].as_u64() < Some(1_500_000), "{status}");
    assert!(status["fell_behind"].as_u64() > Some(0), "{status}");
    scene.nats.run();
    scene.second.expect_view(&routes(7, 0..40_010, 1));
}

/// A relay between one site and the engine that forwards nothing any more: no connection ends.
#[test]
fn a_black_hole_is_noticed_and_survived() {
    support::log_to_output();
    let Some(mut nats) = Nats::start("") else { return };
    let relay = relay::Relay::start(nats.port());
    let one = Process::start(&nats, "one", &[]);
    nats.set_url(format!("nats://{}", relay.address()));
    let other = Process::start(&nats, "other", &[]);
    let mut first = Client::establish(one.address);
    let mut second = Client::establish(other.address);
    first.announce_all(&routes(7, 0..10, 1));
    second.subscribe(7);
    second.expect_view(&routes(7, 0..10, 1));
    relay.swallow(true);
    let began = Instant::now();
    eventually("a site that hears nothing", || other.seen("one")["state"] == "stale");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    first.announce_all(&routes(7, 10..1_000, 1));
    first.withdraw(&route(7, 0, 1));
    first.keepalive();
    relay.swallow(false);
    second.expect_view(&routes(7, 1..1_000, 1));
    assert_eq!(second.removes(), 1);
}

mod relay {
    //! Forwards bytes, or swallows them.

    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    pub(super) struct Relay {
        address: SocketAddr,
        swallows: Arc<AtomicBool>,
    }

    impl Relay {
        pub(super) fn start(port: u16) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let swallows = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&swallows);
            std::thread::spawn(move || {
                for client in listener.incoming().map_while(Result::ok) {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                    for (from, to) in [(&client, &server), (&server, &client)] {
                        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                        let flag = Arc::clone(&flag);
                        std::thread::spawn(move || forward(from, to, &flag));
                    }
                }
            });
            Self { address, swallows }
        }

        pub(super) fn address(&self) -> SocketAddr {
            self.address
        }

        pub(super) fn swallow(&self, swallows: bool) {
            self.swallows.store(swallows, Ordering::Relaxed);
        }
    }

    fn forward(mut from: TcpStream, mut to: TcpStream, swallows: &AtomicBool) {
        from.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut buffer = [0; 16_384];
        let mut was_cut = false;
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                // What was swallowed is lost, so nothing that comes later may go through.
                Ok(_) if was_cut || swallows.load(Ordering::Relaxed) => was_cut = true,
                Ok(count) if to.write_all(&buffer[..count]).is_ok() => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                _ => break,
            }
        }
        drop(to.shutdown(std::net::Shutdown::Both));
    }
}
