//! What the seam costs: measurements, not tests. Run them one at a time, optimised:
//! `cargo test --release --lib -- --ignored --nocapture --test-threads=1 io::tests::cost`.

use std::cell::Cell;
use std::io::Read as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio::task::spawn_local;

use super::*;

/// CPU time of this thread, kernel included.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

#[test]
#[ignore = "a measurement"]
fn tcp_info() {
    on_each_backend(async |backend| {
        let (near, _far) = pair(backend);
        let rounds = 200_000;
        let start = Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(near.tcp_info());
        }
        println!("{:?} per tcp_info()", start.elapsed() / rounds);
    });
}

/// The same 38 bytes to 50 peers, a task per peer, round after round.
#[test]
#[ignore = "a measurement"]
fn sends() {
    const PEERS: u32 = 50;
    const ROUNDS: u32 = 4000;
    on_each_backend(async |backend| {
        let sent = Rc::new(Cell::new(0_u32));
        let (round, _) = watch::channel(0);
        let mut peers = Vec::new();
        for _ in 0..PEERS {
            let (near, mut far) = sockets();
            std::thread::spawn(move || {
                let mut sink = [0; 1 << 16];
                while far.read(&mut sink).is_ok_and(|n| n > 0) {}
            });
            let near = Rc::new(Stream::from_std(backend, near).unwrap());
            let mut round = round.subscribe();
            let sent = Rc::clone(&sent);
            peers.push(spawn_local(async move {
                let bytes = Bytes::from(pattern(38));
                while round.changed().await.is_ok() {
                    let bytes = OutBuf::Shared(bytes.clone());
                    near.send(bytes, 0, true).await.0.unwrap();
                    sent.set(sent.get() + 1);
                }
            }));
        }
        let start = cpu_time();
        for i in 0..ROUNDS {
            round.send(i).unwrap();
            // Until each has had its turn and its bytes are out.
            for _ in 0..4 {
                crate::io::yield_turn().await;
            }
        }
        let took = cpu_time() - start;
        drop(round);
        for peer in peers {
            peer.await.unwrap();
        }
        println!("{:?} of CPU per send", took / sent.get());
    });
}

/// Measures how much memory of this process a waiting session takes.
#[test]
#[ignore = "a measurement"]
fn idle() {
    drop(crate::io::raise_nofile());
    on_each_backend(async |backend| {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/statm").unwrap();
            let pages: u64 = status.split(' ').nth(1).unwrap().parse().unwrap();
            pages * 4096
        };
        let (listener, addr) = listener();
        let sessions: Vec<_> = (0..4000)
            .map(|_| {
                let near = TcpStream::connect(addr).unwrap();
                (near, listener.accept().unwrap().0)
            })
            .collect();
        let before = resident();
        let mut far = Vec::new();
        for (near, end) in sessions {
            let near = Stream::from_std(backend, near).unwrap();
            spawn_local(async move { near.readable().await });
            far.push(end);
        }
        for _ in 0..100 {
            crate::io::yield_turn().await;
        }
        println!("{} bytes per idle session", (resident() - before) / 4000);
    });
}
