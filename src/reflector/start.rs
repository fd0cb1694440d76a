//! Start and end of a reflector.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Sender, UnboundedReceiver, channel, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tracing::{info, warn};

use super::acceptor::{Acceptor, Rules};
use super::balance::{self, Balancer};
use super::config::{ReflectorConfig, StartError};
use super::descriptors;
use super::driver::{self, Answers, Gauge, Seed, ShardOrder};
use super::endpoints::Endpoints;
use super::handover::{Inherited, Legacy, Listeners, Listening};
use super::inspector::{Basis, Inspector, drain};
use super::mesh::{self, Inlet};
use super::moves::Mover;
use super::refused::Refused;
use super::service::Service;
use crate::ids::ShardId;
use crate::io::{self, Backend};
use crate::shard::Restorer;
use crate::shard::moves::Answer;

/// Orders that may wait for a shard: connections accepted faster than it takes them.
const ORDERS: usize = 1024;
/// How long a stop waits for peers to take what is queued for them.
const FLUSH: Duration = Duration::from_secs(5);
const FLUSH_CHECK: Duration = Duration::from_millis(5);

/// A running reflector. Dropping it stops it like [`Reflector::stop`].
#[derive(Debug)]
pub struct Reflector {
    listen: SocketAddr,
    http: Option<SocketAddr>,
    backend: Backend,
    inspector: Inspector,
    /// Its listening sockets, for a process that takes over.
    passed_on: Vec<Listening>,
    /// What is in force.
    news: watch::Sender<ReflectorConfig>,
    /// The last [`ReflectorConfig::max_peers`] that was asked for, which may be more than is in force.
    asked_peers: AtomicU64,
    /// Dropped to make the control thread drain and stop.
    stop: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// A reflector that has its threads and its listening sockets, and serves nobody yet.
#[derive(Debug)]
pub(crate) struct Prepared<E: Endpoints> {
    config: ReflectorConfig,
    machine: Machine,
    listeners: Listeners<E::Socket>,
    began: Instant,
    hash_seeds: [u64; 4],
    service: Arc<Service>,
    threads: Vec<JoinHandle<()>>,
    handles: Vec<Handle>,
    answered: UnboundedReceiver<(ShardId, Answer<Mover>)>,
}

impl<E: Endpoints> Prepared<E> {
    /// Starts the threads of shards and listens, with what is inherited of listening sockets. `began` is
    /// where moments are counted from.
    ///
    /// # Errors
    /// [`StartError`]. Nothing is left running then.
    pub(crate) fn new(
        config: &ReflectorConfig,
        mut inherited: Inherited,
        began: Instant,
    ) -> Result<Self, StartError> {
        config.check()?;
        let machine = Machine::choose(config)?;
        let listeners = Listeners::open::<E>(config, &mut inherited)?;
        let hash_seeds = std::array::from_fn(|_| RandomState::new().build_hasher().finish());
        let service = Arc::default();
        let (answers, answered) = unbounded_channel();
        let common = Common { config, machine: &machine, began, hash_seeds, service: &service };
        let (threads, handles) = start_shards(&common, &answers)?;
        let config = config.clone();
        Ok(Self {
            config,
            machine,
            listeners,
            began,
            hash_seeds,
            service,
            threads,
            handles,
            answered,
        })
    }

    /// What reads a snapshot for these shards.
    pub(crate) fn restorer(&self) -> Restorer {
        let [a, b, c, d] = self.hash_seeds;
        let hasher = ahash::RandomState::with_seeds(a, b, c, d);
        Restorer::new(self.machine.shards, self.config.settings.bounds.table, hasher)
    }

    /// Takes over what another process has left, if it has, and accepts connections.
    ///
    /// # Errors
    /// [`StartError::Shard`], when there can be no more threads.
    pub(crate) fn serve(self, legacy: Option<Legacy>) -> Result<Reflector, StartError> {
        let Self { config, machine, listeners, began, handles, mut threads, answered, .. } = self;
        let (shards, backend) = (machine.shards, machine.backend);
        let mut first = config.clone();
        first.max_peers = descriptors::allow(config.max_peers, shards);
        let passed_on = listeners.copies::<E>(&config).map_err(StartError::Shard)?;
        let Listeners { listen, listener, http, socket } = listeners;
        let (news, latest) = watch::channel(first);
        let (wishes, granted) = channel(1);
        let inspector = Inspector::new(Basis {
            began,
            backend,
            shards: handles.clone(),
            config: latest.clone(),
            wishes,
            service: Arc::clone(&self.service),
            ledger: legacy.as_ref().map(|legacy| legacy.ledger().clone()),
        });
        let mut rules = Rules::new(&latest.borrow(), &inspector.control.lobby);
        if let Some(legacy) = legacy {
            take_in(legacy, &self.service, &inspector, &handles, &mut rules);
        }
        inspector.control.listening(true);
        let (stop, stopped) = oneshot::channel();
        let control_runtime = runtime()?;
        let (stop_http, http_stopped) = oneshot::channel();
        let http_address = http.as_ref().map(|(address, _)| *address);
        let acceptor = {
            let (shards, control) = (handles.clone(), Arc::clone(&inspector.control));
            move |listener| Acceptor { listener, news: latest, shards, control }.run(rules)
        };
        let balancer = Balancer {
            min_shards: config.min_shards,
            wake_all_for: config.wake_all_for,
            shards: handles.clone(),
            answers: answered,
            wishes: granted,
            control: Arc::clone(&inspector.control),
            cpus: machine.allowed,
        };
        if http.is_some() || socket.is_some() {
            let listener = http.map(|(_, listener)| listener);
            threads.push(spawn_http::<E>(listener, socket, inspector.clone(), http_stopped)?);
        }
        let control_inspector = inspector.clone();
        threads.push(spawn("control", move || {
            let tasks = (acceptor, balancer.run());
            control(&control_runtime, listener, tasks, handles, control_inspector, stopped);
            drop(stop_http);
        })?);
        info!(
            listen = %listen,
            http = http_address.map(tracing::field::display),
            control = config.control.as_deref().map(|path| tracing::field::display(path.display())),
            shards,
            io = %backend,
            cpus = machine.places.as_deref().map(|cpus| tracing::field::display(io::Cpus(cpus))),
            "reflector started"
        );
        Ok(Reflector {
            listen,
            http: http_address,
            backend,
            inspector,
            passed_on,
            news,
            asked_peers: AtomicU64::new(config.max_peers),
            stop: Some(stop),
            threads,
        })
    }
}

/// Takes in what another process has left.
fn take_in(
    legacy: Legacy,
    service: &Service,
    inspector: &Inspector,
    handles: &[Handle],
    rules: &mut Rules,
) {
    let (_, sessions) = legacy.counts();
    let sessions = u64::try_from(sessions).unwrap_or(u64::MAX);
    service.go_on(inspector.now(), sessions, legacy.ledger().serving);
    let admit = |peer, remote, shard, has_begun| rules.readmit(peer, remote, shard, has_begun);
    legacy.distribute(handles, admit);
}

/// Starts the thread that answers operators.
fn spawn_http<E: Endpoints>(
    listener: Option<TcpListener>,
    socket: Option<E::Socket>,
    inspector: Inspector,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, StartError> {
    let runtime = runtime()?;
    spawn("http", move || {
        io::give_way();
        E::run(&runtime, listener, socket, inspector, stopped);
    })
}

impl Reflector {
    /// [`Reflector::start`] with these endpoints for operators.
    ///
    /// # Errors
    /// [`StartError`], as there.
    pub(crate) fn start_with<E: Endpoints>(config: &ReflectorConfig) -> Result<Self, StartError> {
        Prepared::<E>::new(config, Inherited::default(), Instant::now())?.serve(None)
    }

    /// Copies of its listening sockets, for a process that takes over.
    pub(crate) fn listening(&self) -> &[Listening] {
        &self.passed_on
    }

    /// Where it listens for sessions.
    #[must_use]
    pub fn listen_addr(&self) -> SocketAddr {
        self.listen
    }

    /// Where it answers HTTP, if it does.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    /// How its sockets are driven.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Its number of shards.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.inspector.control.shards().into()
    }

    /// Shards that have not turned their loops for 2 s. Costs a look at a number per shard; no shard
    /// is asked.
    #[must_use]
    pub fn stuck_shards(&self) -> Vec<u32> {
        self.inspector.stuck().into_iter().map(|shard| shard.0.into()).collect()
    }

    /// Connections held, those that have not shaken hands yet included. Costs as little.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.inspector.control.connections()
    }

    /// A handle to look into the reflector and to tell it what to do, from any thread.
    #[must_use]
    pub fn inspector(&self) -> Inspector {
        self.inspector.clone()
    }

    /// Goes on by this. Does not wait: connections that come from now on meet it, and shards take it
    /// up with their next turn. What needs a restart stays as it was: the rows of
    /// [`SETTINGS`](super::SETTINGS) say what does.
    ///
    /// With more sessions than are allowed now none is closed, but no further one is taken. Sessions of
    /// sources that are now denied are closed; those above a lowered number per source are not. A peer
    /// above a lowered limit stays as it is until it adds one more.
    ///
    /// # Errors
    /// [`StartError`], when a start would refuse it. Nothing changes then.
    pub fn reload(&self, new: &ReflectorConfig) -> Result<(), StartError> {
        new.check()?;
        let mut new = self.news.borrow().with_reloaded(new);
        if self.asked_peers.swap(new.max_peers, Ordering::Relaxed) == new.max_peers {
            // It has been said what comes of it.
            new.max_peers = self.news.borrow().max_peers;
        } else if new.max_peers > self.news.borrow().max_peers {
            new.max_peers = descriptors::allow(new.max_peers, self.shards());
        }
        self.news.send_replace(new);
        Ok(())
    }

    /// Connections that it did not take.
    #[must_use]
    pub fn refused(&self) -> Refused {
        self.inspector.control.refused.read()
    }

    /// Stops: accepts and reads no more, writes out what is queued for up to 5 s, closes every
    /// session and waits for the threads to end. Blocks for as long.
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

/// What the machine has for a reflector.
#[derive(Debug)]
struct Machine {
    /// Cores that the process may use.
    allowed: Vec<usize>,
    shards: usize,
    /// The core of each shard, if each has one.
    places: Option<Vec<usize>>,
    backend: Backend,
}

impl Machine {
    fn choose(config: &ReflectorConfig) -> Result<Self, StartError> {
        let allowed = io::allowed_cpus();
        let cpus = config.pin.cpus(&allowed).len();
        let shards = config.shards.unwrap_or_else(|| io::shards_for(cpus));
        if !(1..=1024).contains(&shards) {
            return Err(StartError::Shards(shards));
        }
        let places = config.pin.places(shards, &allowed)?;
        let (backend, remark) = io::choose(config.io)?;
        if let Some(remark) = remark {
            warn!("{remark}");
        }
        Ok(Self { allowed, shards, places, backend })
    }
}

/// Where a shard takes orders, and what it shows of itself.
type Handle = (Sender<ShardOrder>, Arc<Gauge>);

/// What all shards start from.
struct Common<'a> {
    config: &'a ReflectorConfig,
    machine: &'a Machine,
    began: Instant,
    hash_seeds: [u64; 4],
    service: &'a Arc<Service>,
}

/// Starts a thread for each shard, and waits until each has its event loop.
fn start_shards(
    common: &Common<'_>,
    answers: &Answers,
) -> Result<(Vec<JoinHandle<()>>, Vec<Handle>), StartError> {
    let &Common { config, machine, began, hash_seeds, service } = common;
    let &Machine { shards, backend, ref places, .. } = machine;
    let (mut threads, mut handles) = (Vec::new(), Vec::new());
    let (ready, started) = mpsc::channel();
    for (port, id) in mesh::ports(shards).into_iter().zip(0..) {
        let (orders, inlet) = channel(ORDERS);
        let gauge = Arc::new(Gauge::default());
        let seed = Seed {
            id: ShardId(id),
            shards,
            settings: config.settings.clone(),
            service: Arc::clone(service),
            hash_seeds,
            backend,
            began,
            port,
            orders: Inlet::new(inlet),
            gauge: Arc::clone(&gauge),
            answers: answers.clone(),
        };
        handles.push((orders, gauge));
        let cpu = places.as_ref().and_then(|places| places.get(usize::from(id)).copied());
        let ready = ready.clone();
        let gauge = Arc::clone(&seed.gauge);
        let thread = std::thread::Builder::new().name(format!("shard-{id}")).spawn(move || {
            balance::register(&gauge, cpu.is_some());
            if let Some(Err(error)) = cpu.map(io::pin_to) {
                warn!(shard = id, %error, "cannot pin the shard to its core");
            }
            driver::run(seed, move |result| drop(ready.send(result)));
        });
        threads.push(thread.map_err(StartError::Shard)?);
    }
    drop(ready);
    for result in started.iter().take(shards) {
        result.map_err(StartError::Shard)?;
    }
    Ok((threads, handles))
}

/// An event loop for a thread that serves no sessions.
fn runtime() -> Result<tokio::runtime::Runtime, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(StartError::Shard)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name.into()).spawn(body).map_err(StartError::Shard)
}

/// The control thread: accepts until told to stop, then sees the shards off.
fn control<A: Future<Output = ()>>(
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
                () = drain::run(inspector) => {}
                _ = stopped => {}
            }
            control.listening(false);
        }
        for (orders, _) in &shards {
            drop(orders.send(ShardOrder::Drain).await);
        }
        let deadline = Instant::now() + FLUSH;
        // Flushed once is not enough: another shard may have had something for it.
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
