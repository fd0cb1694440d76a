//! The mesh: two shards on two threads, and the real channels between them.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::shards::{FAR, NEAR, NOW, VNI, connect, shard, subscribe, take_writes};
use super::{routes, window};
use crate::io::{Backend, LocalRuntime, allowed_cpus, pin_to, yield_turn};
use crate::reflector::mesh::{Port, ports};
use crate::shard::Shard;
use crate::wire::Action;

/// How long so many hops from one shard to the other take, rounded up to whole round trips.
///
/// A round trip is what happens when publisher and subscriber are connected to one shard and another
/// owns their VNI: bytes are decoded here, a parcel with so many updates goes there, where they are
/// applied and sealed, and a parcel with the batch comes back and is taken as a write. Each update
/// changes something: what one window announces the next withdraws.
///
/// # Errors
/// When an event loop cannot be set up.
///
/// # Panics
/// When one of the threads does.
pub fn hops(backend: Backend, updates: u32, hops: u64) -> io::Result<Duration> {
    let mut ports = ports(2).into_iter();
    let (Some(near), Some(far)) = (ports.next(), ports.next()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (stop, stopped) = oneshot::channel();
    let (ready, started) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            pin(FAR.index());
            match LocalRuntime::new(backend) {
                Ok(runtime) => {
                    drop(ready.send(Ok(())));
                    runtime.block_on(serve(far, stopped));
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        started.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        let timing = scope.spawn(move || {
            pin(NEAR.index());
            let trips = hops.div_ceil(2);
            let time = LocalRuntime::new(backend)?.block_on(drive(near, updates, trips));
            drop(stop);
            Ok(time.mul_f64(hops as f64 / (2 * trips).max(1) as f64))
        });
        timing.join().expect("the thread that counts the time")
    })
}

/// As a shard's thread is; where that is refused, the figures are a little less steady.
fn pin(shard: usize) {
    let cpus = allowed_cpus();
    if let Some(cpu) = cpus.get(shard % cpus.len().max(1)) {
        drop(pin_to(*cpu));
    }
}

/// The owner of the VNI.
async fn serve(mut port: Port, mut stopped: oneshot::Receiver<()>) {
    let mut shard = shard(FAR);
    loop {
        turn(&mut shard, &mut port);
        let is_stopped = poll_fn(|cx| {
            let is_stopped = Pin::new(&mut stopped).poll(cx).is_ready();
            let has_news = port.requests.poll_has(cx);
            if is_stopped || has_news { Poll::Ready(is_stopped) } else { Poll::Pending }
        });
        if is_stopped.await {
            return;
        }
    }
}

/// The shard of publisher and subscriber.
async fn drive(mut port: Port, updates: u32, trips: u64) -> Duration {
    let mut shard = shard(NEAR);
    subscribe(&mut shard, 1);
    let publisher = connect(&mut shard, 2);
    let routes = routes(updates);
    let windows = [Action::Add, Action::Remove].map(|action| window(VNI, action, &routes));
    take_writes(&mut shard); // what was said in the handshakes
    exchange(&mut shard, &mut port, 1).await; // the end of an empty table
    let began = Instant::now();
    for window in windows.iter().cycle().take(usize::try_from(trips).unwrap_or(usize::MAX)) {
        shard.received(NOW, publisher, window);
        exchange(&mut shard, &mut port, window.len()).await;
    }
    began.elapsed()
}

/// Turns until the subscriber has been sent so many bytes.
async fn exchange(shard: &mut Shard, port: &mut Port, bytes: usize) {
    let mut taken = 0;
    loop {
        turn(shard, port);
        taken += take_writes(shard);
        if taken >= bytes {
            return;
        }
        if shard.has_outgoing() {
            yield_turn().await;
            continue;
        }
        let news = poll_fn(|cx| match port.deliveries.poll_has(cx) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        news.await;
    }
}

/// One turn, as `reflector::driver` does it.
fn turn(shard: &mut Shard, port: &mut Port) {
    while let Some(parcel) = port.deliveries.take() {
        shard.deliveries(NOW, parcel.open());
    }
    while shard.takes_requests()
        && let Some(parcel) = port.requests.take()
    {
        shard.requests(parcel.open());
    }
    shard.turn(NOW);
    port.flush(shard);
}
