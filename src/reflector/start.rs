//! [`Reflector`]: the start, the reload and the end of a reflector.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::channel;
use tokio::sync::oneshot;
use tracing::warn;

use super::descriptors;
use super::driver::{self, Seed};
use super::mesh::{self, Inlet};
use crate::balance;
use crate::config::{ReflectorConfig, StartError};
use crate::counts::Refused;
use crate::diary::Diary;
use crate::estate::Listening;
use crate::http_guard::HttpGuard;
use crate::ids::ShardId;
use crate::inspector::{Inspector, blocks, drain};
use crate::io::{self, Backend};
use crate::policy::Policy;
use crate::relaxed::Relaxed;
use crate::session::TlsCarrier;
use crate::shard::{GuestKind, Layout};
use crate::threads::{Answers, Gauge, Handle, Service, ShardOrder};

/// The number of orders that may wait for a shard: connections may be accepted faster than it takes them.
const ORDERS: usize = 1024;
/// How long a stop waits for peers to take the bytes that are queued for them.
const FLUSH: Duration = Duration::from_secs(5);
const FLUSH_CHECK: Duration = Duration::from_millis(5);

/// A running reflector. Dropping it stops it like [`Reflector::stop`].
#[derive(Debug)]
pub struct Reflector {
    pub(super) listen: SocketAddr,
    pub(super) tls: Option<SocketAddr>,
    pub(super) http: Option<SocketAddr>,
    pub(super) health: Option<SocketAddr>,
    pub(super) http_guard: HttpGuard,
    pub(super) backend: Backend,
    pub(super) inspector: Inspector,
    /// Its listening sockets, for a process that takes over.
    pub(super) passed_on: Vec<Listening>,
    /// The [`ReflectorConfig::max_peers`] that was last asked for; the number in force may be lower.
    pub(super) asked_peers: Relaxed,
    /// Dropped to make the control thread drain and stop.
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

impl Reflector {
    /// Copies of its listening sockets, for a process that takes over.
    pub(crate) fn listening(&self) -> &[Listening] {
        &self.passed_on
    }

    /// The address on which it listens for sessions, with the actual port.
    #[must_use]
    pub fn listen_addr(&self) -> SocketAddr {
        self.listen
    }

    /// The address on which it listens for sessions over TLS; `None` without TLS.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// The address on which it answers HTTP; `None` without HTTP.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    /// The address on which it answers HTTP for health and metrics alone; `None` if there is none.
    #[must_use]
    pub fn health_addr(&self) -> Option<SocketAddr> {
        self.health
    }

    /// The I/O back end in use.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Its number of shards.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.inspector.control.shards().into()
    }

    /// The shards whose event loops have made no turn for 2 s. Cheap: reads one number per shard and asks no shard.
    #[must_use]
    pub fn stuck_shards(&self) -> Vec<u32> {
        self.inspector.stuck().into_iter().map(|shard| shard.0.into()).collect()
    }

    /// The number of open connections, including those before their HELLO. Cheap: asks no shard.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.inspector.control.connections()
    }

    /// A handle by which any thread can inspect the reflector and give it commands.
    #[must_use]
    pub fn inspector(&self) -> Inspector {
        self.inspector.clone()
    }

    /// Applies a new configuration. Does not wait: it applies to connections that are accepted from now on, and shards
    /// adopt it with their next turn. Settings that need a restart stay as they were; the rows of
    /// [`SETTINGS`](super::SETTINGS) say which settings those are.
    ///
    /// If there are more sessions than the new limit, none is closed, but no further one is accepted. Sessions of
    /// sources that are now denied are closed; those above a lowered number per source are not. A peer
    /// above a lowered limit keeps its routes until it announces one more. Returns whether the policy has changed; if
    /// so, shards judge all routes again.
    ///
    /// # Errors
    /// [`StartError`], if a start with this configuration would fail. Nothing changes then.
    pub fn reload(&self, new: &ReflectorConfig) -> Result<bool, StartError> {
        new.check()?;
        self.http_guard.renew(&new.http_rules)?;
        let asked = Policy::clone(&new.settings.policy);
        let in_force = &self.inspector.control.config;
        let mut new = in_force.borrow().with_reloaded(new);
        if self.asked_peers.replace(new.max_peers) == new.max_peers {
            // The same number was asked for before, and the log has said which number it allows.
            new.max_peers = in_force.borrow().max_peers;
        } else if new.max_peers > in_force.borrow().max_peers {
            new.max_peers = descriptors::allow(&new, self.shards());
        }
        let mut is_other = false;
        in_force.send_modify(|config| {
            // An operator may have added blocks meanwhile.
            let policy = asked.behind(&config.settings.policy);
            is_other = policy.generation() != config.settings.policy.generation();
            new.settings.policy = Arc::new(policy);
            *config = new;
        });
        Ok(is_other)
    }

    /// The check of HTTP requests.
    pub(crate) fn http_guard(&self) -> HttpGuard {
        self.http_guard.clone()
    }

    /// Counts of the connections that it refused, by reason.
    #[must_use]
    pub fn refused(&self) -> Refused {
        self.inspector.control.refused.read()
    }

    /// Stops: accepts and reads no more, writes queued data for up to 5 s, closes every
    /// session and waits for the threads to end. Blocks the calling thread until then.
    pub fn stop(mut self) {
        self.stop_all();
    }

    fn stop_all(&mut self) {
        drop(self.stop.take());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("a thread of the reflector panicked");
            }
        }
    }
}

impl Drop for Reflector {
    fn drop(&mut self) {
        self.stop_all();
    }
}

/// The resources of the machine for a reflector.
#[derive(Debug)]
pub(super) struct Machine {
    /// Cores that the process may use.
    pub(super) allowed: Vec<usize>,
    pub(super) shards: usize,
    /// The guest that has a further shard, if there is one.
    pub(super) guest: Option<GuestKind>,
    /// The core of each shard, if each has one.
    pub(super) places: Option<Vec<usize>>,
    pub(super) backend: Backend,
    /// The carrier of sessions over TLS, if there can be any.
    pub(super) tls: Option<TlsCarrier>,
}

impl Machine {
    /// All shards.
    pub(super) fn layout(&self) -> Layout {
        Layout::of(self.shards).hosting(self.guest)
    }

    /// Chooses them by the config. With `has_guest`, there is a guest instead of those that the config asks for.
    pub(super) fn choose(config: &ReflectorConfig, has_guest: bool) -> Result<Self, StartError> {
        let allowed = io::allowed_cpus();
        let cpus = config.pin.cpus(&allowed).len();
        let shards = config.shards.unwrap_or_else(|| io::shards_for(cpus));
        if !(1..=1024).contains(&shards) {
            return Err(StartError::Shards(shards));
        }
        let places = config.pin.places(shards, &allowed, io::present_cpu())?;
        let (backend, why) = io::choose(config.io)?;
        if let Some(why) = why {
            warn!("using epoll instead of io_uring: {why}");
        }
        let guest = match has_guest {
            true => Some(GuestKind::Proxy),
            false => config.federation.is_wanted().then_some(GuestKind::Federation),
        };
        let tls = config.tls.choose_carrier()?;
        Ok(Self { allowed, shards, guest, places, backend, tls })
    }
}

/// The values that all shards start from.
pub(super) struct Common<'a> {
    pub(super) config: &'a ReflectorConfig,
    pub(super) machine: &'a Machine,
    pub(super) began: Instant,
    pub(super) hash_seeds: [u64; 4],
    pub(super) service: &'a Arc<Service>,
    pub(super) diary: &'a Arc<Diary>,
}

/// Starts a thread for each shard, and waits until each has its event loop. The last shard is the one for a guest, if
/// there is a guest.
pub(super) fn start_shards(
    common: &Common<'_>,
    answers: &Answers,
) -> Result<(Vec<JoinHandle<()>>, Vec<Handle>), StartError> {
    let &Common { config, machine, began, hash_seeds, service, diary } = common;
    let &Machine { backend, ref places, .. } = machine;
    let layout = machine.layout();
    let (mut threads, mut handles) = (Vec::new(), Vec::new());
    let (ready, started) = mpsc::channel();
    let list = Arc::new(config.access.list.clone());
    for (port, id) in mesh::ports(layout.all()).into_iter().zip(0..) {
        let (orders, inlet) = channel(ORDERS);
        let is_owner = usize::from(id) < layout.owners();
        let gauge = Arc::new(Gauge::default());
        let seed = Seed {
            id: ShardId(id),
            layout,
            settings: config.settings.clone(),
            list: Arc::clone(&list),
            service: Arc::clone(service),
            hash_seeds,
            backend: if is_owner { backend } else { Backend::Epoll },
            began,
            port,
            orders: Inlet::new(inlet),
            gauge: Arc::clone(&gauge),
            answers: answers.clone(),
            diary: Arc::clone(diary),
        };
        handles.push((orders, gauge));
        let cpu = places.as_ref().and_then(|places| places.get(usize::from(id)).copied());
        let ready = ready.clone();
        let gauge = Arc::clone(&seed.gauge);
        let name = match layout.guest() {
            Some((_, GuestKind::Federation)) if !is_owner => "federation".into(),
            Some((_, GuestKind::Proxy)) if !is_owner => "proxy".into(),
            _ => format!("shard-{id}"),
        };
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            balance::register(&gauge, cpu.is_some());
            if let Some(Err(error)) = cpu.map(io::pin_to) {
                warn!(shard = id, %error, "cannot pin the shard to its core");
            }
            driver::run(seed, move |result| drop(ready.send(result)));
        });
        threads.push(thread.map_err(StartError::Shard)?);
    }
    drop(ready);
    for result in started.iter().take(layout.all()) {
        result.map_err(StartError::Shard)?;
    }
    Ok((threads, handles))
}

/// Runs the control thread: it accepts until told to stop, then drains and ends the shards.
pub(super) fn control<A: Future<Output = ()>>(
    runtime: &tokio::runtime::Runtime,
    listener: TcpListener,
    (acceptor, balancer): (impl FnOnce(tokio::net::TcpListener) -> A, impl Future<Output = ()>),
    shards: Vec<Handle>,
    inspector: Inspector,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
            let control = Arc::clone(&inspector.control);
            tokio::select! {
                () = acceptor(listener) => {}
                () = balancer => {}
                () = drain::run(inspector.clone()) => {}
                _ = blocks::expire(inspector) => {}
                _ = stopped => {}
            }
            control.listening(false);
        }
        // Federation first: otherwise withdrawals of ending sessions would go ahead of the message that this
        // reflector is about to end.
        for (orders, _) in shards.iter().rev() {
            drop(orders.send(ShardOrder::Drain).await);
        }
        let deadline = Instant::now() + FLUSH;
        // Flushed once is not enough: another shard may still have had something for it.
        let mut quiet = 0;
        while quiet < 3 && Instant::now() < deadline {
            tokio::time::sleep(FLUSH_CHECK).await;
            let is_flushed =
                shards.iter().all(|(_, gauge)| gauge.is_flushed.load(Ordering::Relaxed));
            quiet = if is_flushed { quiet + 1 } else { 0 };
        }
        for (orders, _) in &shards {
            drop(orders.send(ShardOrder::Exit(deadline)).await);
        }
    });
}
