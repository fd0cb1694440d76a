//! A reflector between its two steps: its threads and listening sockets are there, and it serves nobody yet. A
//! process that takes over from another one is here for as long as that serves.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, channel, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tracing::info;

use super::acceptor::{Acceptor, Rules};
use super::balance::Balancer;
use super::config::{ReflectorConfig, StartError};
use super::descriptors;
use super::endpoints::Endpoints;
use super::handover::{Inherited, Legacy, Listeners};
use super::inspector::{Basis, Inspector};
use super::moves::Mover;
use super::service::Service;
use super::start::{Common, Handle, Machine, Reflector, control, runtime, spawn, start_shards};
use crate::ids::ShardId;
use crate::io;
use crate::shard::Restorer;
use crate::shard::moves::Answer;

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
            take_over(legacy, &self.service, &inspector, &mut rules, &handles);
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
            cpus: machine.allowed.clone(),
        };
        if http.is_some() || socket.is_some() {
            let runtime = runtime()?;
            let http_inspector = inspector.clone();
            let listener = http.map(|(_, listener)| listener);
            threads.push(spawn("http", move || {
                io::give_way();
                E::run(&runtime, listener, socket, http_inspector, http_stopped);
            })?);
        }
        let control_inspector = inspector.clone();
        threads.push(spawn("control", move || {
            let tasks = (acceptor, balancer.run());
            control(&control_runtime, listener, tasks, handles, control_inspector, stopped);
            drop(stop_http);
        })?);
        log_start(&config, &machine, listen, http_address);
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

impl Reflector {
    /// [`Reflector::start`] with these endpoints for operators.
    ///
    /// # Errors
    /// [`StartError`], as there.
    pub(crate) fn start_with<E: Endpoints>(config: &ReflectorConfig) -> Result<Self, StartError> {
        Prepared::<E>::new(config, Inherited::default(), Instant::now())?.serve(None)
    }
}

/// Gives shards what another process has left.
fn take_over(
    legacy: Legacy,
    service: &Service,
    inspector: &Inspector,
    rules: &mut Rules,
    handles: &[Handle],
) {
    let (_, sessions) = legacy.counts();
    let sessions = u64::try_from(sessions).unwrap_or(u64::MAX);
    service.go_on(inspector.now(), sessions, legacy.ledger().serving);
    let admit = |peer, remote, shard, has_begun| rules.readmit(peer, remote, shard, has_begun);
    legacy.distribute(handles, admit);
}

fn log_start(
    config: &ReflectorConfig,
    machine: &Machine,
    listen: SocketAddr,
    http: Option<SocketAddr>,
) {
    info!(
        %listen,
        http = http.map(tracing::field::display),
        control = config.control.as_deref().map(|path| tracing::field::display(path.display())),
        shards = machine.shards,
        io = %machine.backend,
        cpus = machine.places.as_deref().map(|cpus| tracing::field::display(io::Cpus(cpus))),
        "reflector started"
    );
}
