//! A pair of well-behaved peers in a VNI of their own, while others misbehave: one announces a route
//! every 20 ms, the other notes when it comes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Bystanders, Client, PATIENCE, Received, route};

/// Between two updates.
const PERIOD: Duration = Duration::from_millis(20);
/// The route that ends the test.
const LAST: u32 = 0xFF_FFFF;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Bystander {
    vni: u32,
    is_over: Arc<AtomicBool>,
    publisher: JoinHandle<Sent>,
    subscriber: JoinHandle<Vec<Instant>>,
}

/// What a pair has exchanged.
#[derive(Debug)]
pub(crate) struct Exchanged {
    vni: u32,
    /// When each update was sent, and how long it took.
    took: Vec<(Instant, Duration)>,
    /// By how much the machine woke the publisher late at most.
    late: Duration,
}

/// What was announced.
#[derive(Debug)]
struct Sent {
    at: Vec<Instant>,
    /// By how much the machine woke the publisher late at most.
    late: Duration,
    /// Its routes are there for as long as it is.
    _publisher: Client,
}

impl Bystander {
    /// Connects a subscriber, then a publisher, and begins.
    pub(crate) fn start(address: SocketAddr, vni: u32) -> Self {
        let Bystanders { publisher, subscriber, .. } = Bystanders::new(address, vni);
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        Self {
            vni,
            is_over,
            publisher: std::thread::spawn(move || publish(publisher, vni, &until)),
            subscriber: std::thread::spawn(move || receive(subscriber, vni)),
        }
    }

    /// Ends, when the last update has come too.
    pub(crate) fn end(self) -> Exchanged {
        self.is_over.store(true, Ordering::Relaxed);
        let Sent { at: sent, late, _publisher } = self.publisher.join().unwrap();
        let came = self.subscriber.join().unwrap();
        assert_eq!(came.len(), sent.len());
        let took = sent.iter().zip(&came).map(|(sent, came)| (*sent, *came - *sent)).collect();
        Exchanged { vni: self.vni, took, late }
    }
}

impl Exchanged {
    /// How long one in a hundred of the updates took that were sent in some stretch of time.
    pub(crate) fn p99(&self, from: Instant, to: Instant) -> Duration {
        let took = self.took.iter().filter(|(sent, _)| (from..to).contains(sent));
        let mut took: Vec<_> = took.map(|(_, took)| *took).collect();
        took.sort_unstable();
        took[took.len() - 1 - took.len() / 100]
    }

    /// Fails unless each update came within a time, beyond what the machine itself stood still.
    pub(crate) fn expect_prompt(&self, prompt: Duration) {
        let worst = self.took.iter().map(|(_, took)| *took).max().unwrap();
        let (vni, late) = (self.vni, self.late);
        println!("bystander in VNI {vni}: at most {worst:?}; woken {late:?} late");
        assert!(worst < prompt + 5 * late, "a bystander's update took {worst:?}");
    }
}

/// Only one attack at a time: attacks must disturb the bystander, not each other.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ATTACK: Mutex<()> = Mutex::new(());
    ATTACK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn publish(mut publisher: Client, vni: u32, is_over: &AtomicBool) -> Sent {
    let (mut at, mut late) = (Vec::new(), Duration::ZERO);
    let mut due = Instant::now();
    for n in 0..LAST {
        // The rate is the point here; nothing is waited for.
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        late = late.max(now - due);
        due = now + PERIOD;
        let is_last = is_over.load(Ordering::Relaxed);
        at.push(now);
        publisher.announce(&route(vni, if is_last { LAST } else { n }, 0xb));
        if is_last {
            break;
        }
    }
    Sent { at, late, _publisher: publisher }
}

/// When each update came. They come in the order in which they were sent.
fn receive(mut subscriber: Client, vni: u32) -> Vec<Instant> {
    let mut came = Vec::new();
    let last = route(vni, LAST, 0xb);
    let mut deadline = Instant::now() + PATIENCE;
    while !subscriber.view.contains(&last) {
        let before = subscriber.updates.len();
        match subscriber.receive(deadline) {
            Received::Message(_) => {}
            end => panic!("{end} instead of the bystander's updates"),
        }
        let now = Instant::now();
        came.extend((before..subscriber.updates.len()).map(|_| now));
        deadline = now + PATIENCE;
    }
    came
}
