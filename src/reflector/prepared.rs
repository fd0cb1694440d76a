//! A reflector that is prepared but does not serve yet: its threads and listening sockets exist. A process that takes
//! over from another one stays in this state as long as the other one serves. Everything that may fail is done by then:
//! when it begins to serve, the other one has ended its service, so nobody would serve the sessions after a failure.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, channel, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tracing::info;

use super::acceptor::{Acceptor, Rules};
use super::descriptors;
use super::start::{Common, Machine, Reflector, control, start_shards};
use crate::balance::Balancer;
use crate::capacity::Steward;
use crate::config::{Guard, ReflectorConfig, StartError};
use crate::diary::Diary;
use crate::estate::{Inherited, Legacy, Listeners, Listening};
use crate::http_guard::HttpGuard;
use crate::ids::ShardId;
use crate::inspector::{Doors, Endpoints, Inspector};
use crate::io;
use crate::policy::Blocks;
use crate::portable::form::piece::Kind;
use crate::relaxed::Relaxed;
use crate::session::TlsCarrier;
use crate::shard::Restorer;
use crate::shard::moves::Answer;
use crate::terminator::Unstarted;
use crate::threads::{
    ControlBasis, Handle, Invitation, Mover, Question, Service, ShardOrder, WaitingThread, Wish,
};

/// A reflector that has its threads and its listening sockets, and does not serve yet.
#[derive(Debug)]
pub(crate) struct Prepared<E: Endpoints> {
    config: ReflectorConfig,
    machine: Machine,
    listeners: Listeners<E::Socket>,
    /// Copies of the listening sockets, for a later process.
    passed_on: Vec<Listening>,
    http_guard: HttpGuard,
    guard: Guard,
    began: Instant,
    hash_seeds: [u64; 4],
    service: Arc<Service>,
    diary: Arc<Diary>,
    threads: Vec<JoinHandle<()>>,
    waiting: WaitingThreads,
    handles: Vec<Handle>,
    guest: Option<Invitation>,
    answered: UnboundedReceiver<(ShardId, Answer<Mover>)>,
}

/// The threads that wait until the reflector serves.
#[derive(Debug)]
struct WaitingThreads {
    control: WaitingThread,
    /// If there are endpoints for operators.
    http: Option<WaitingThread>,
    /// If there is a listener for sessions over TLS.
    tls: Option<Unstarted>,
}

impl WaitingThreads {
    fn start<S>(
        config: &ReflectorConfig,
        machine: &Machine,
        listeners: &Listeners<S>,
    ) -> Result<Self, StartError> {
        let in_kernel = machine.tls == Some(TlsCarrier::Kernel);
        let http = listeners.any_for_operators().then(|| WaitingThread::start("http"));
        Ok(Self {
            control: WaitingThread::start("control")?,
            http: http.transpose()?,
            tls: Unstarted::new(&config.tls, in_kernel)?,
        })
    }
}

impl<E: Endpoints> Prepared<E> {
    /// Starts the threads of shards and listens, on inherited sockets where there are any. Moments are
    /// counted from `began`.
    ///
    /// # Errors
    /// [`StartError`]. Nothing is left running then.
    pub(crate) fn new(
        config: &ReflectorConfig,
        inherited: Inherited,
        began: Instant,
    ) -> Result<Self, StartError> {
        Self::hosting(config, inherited, began, None)
    }

    /// The same with a guest.
    fn hosting(
        config: &ReflectorConfig,
        mut inherited: Inherited,
        began: Instant,
        guest: Option<Invitation>,
    ) -> Result<Self, StartError> {
        config.check()?;
        let http_guard = HttpGuard::new(&config.http_rules)?;
        let machine = Machine::choose(config, guest.is_some())?;
        let listeners = Listeners::open::<E>(config, &mut inherited)?;
        let mut guard = Guard::default();
        guard.set(&config.guard, &listeners.for_sessions())?;
        let hash_seeds = std::array::from_fn(|_| RandomState::new().build_hasher().finish());
        let (service, diary) = (Arc::default(), Arc::default());
        let (answers, answered) = unbounded_channel();
        let common = Common {
            config,
            machine: &machine,
            began,
            hash_seeds,
            service: &service,
            diary: &diary,
        };
        let passed_on = listeners.copies::<E>(config).map_err(StartError::Shard)?;
        let waiting = WaitingThreads::start(config, &machine, &listeners)?;
        let (threads, handles) = start_shards(&common, &answers)?;
        let config = config.clone();
        Ok(Self {
            config,
            machine,
            listeners,
            passed_on,
            http_guard,
            guard,
            began,
            hash_seeds,
            service,
            diary,
            threads,
            waiting,
            handles,
            guest,
            answered,
        })
    }

    /// A restorer of a snapshot for these shards.
    pub(crate) fn restorer(&self) -> Restorer {
        let [a, b, c, d] = self.hash_seeds;
        let hasher = ahash::RandomState::with_seeds(a, b, c, d);
        let bounds = self.config.settings.bounds.table;
        let restorer = Restorer::new(self.machine.shards, bounds, hasher);
        match (&self.config.federation.site, self.machine.layout().guest()) {
            (Some(site), Some((shard, _))) => restorer.with_link(site, shard),
            _ => restorer,
        }
    }

    /// Takes over the legacy of another process, if there is one, and accepts connections. Cannot fail.
    pub(crate) fn serve(self, legacy: Option<Legacy>) -> Reflector {
        let Self { config, machine, listeners, guard, http_guard, began, handles, .. } = self;
        let (mut threads, waiting, answered) = (self.threads, self.waiting, self.answered);
        let Machine { shards, backend, .. } = machine;
        let first = first_in_force(&config, shards, legacy.as_ref());
        let Listeners { listen, listener, tls, http, health, control: socket, readers } = listeners;
        let tls_address = tls.as_ref().map(|it| it.0);
        let owners = handles[..shards].to_vec();
        let (in_force, latest) = watch::channel(first);
        let (wishes, granted) = channel(1);
        let inspector = Inspector::new(ControlBasis {
            began,
            backend,
            federation: handles.get(shards).cloned(),
            shards: owners.clone(),
            config: in_force,
            wishes,
            service: Arc::clone(&self.service),
            diary: self.diary,
            ledger: legacy.as_ref().map(|legacy| legacy.ledger().clone()),
        });
        let terminator = waiting.tls.zip(tls).map(|(terminator, (_, listener))| {
            terminator.start(listener, latest.clone(), shards, &inspector.control)
        });
        let (terminator, thread) = terminator.unzip();
        threads.extend(thread);
        let mut steward = steward(&latest, &owners, &inspector, legacy.as_ref());
        let mut rules = Rules::new(&latest.borrow(), &inspector.control.lobby);
        let link = legacy.map_or_else(Vec::new, |legacy| {
            take_over(legacy, &self.service, &inspector, &mut rules, (&owners, &handles))
        });
        steward.begin();
        invite(self.guest, &config, link, handles.get(shards), &inspector);
        inspector.control.listening(true);
        let (stop, stopped) = oneshot::channel();
        let control_inspector = inspector.clone();
        let (stop_http, http_stopped) = oneshot::channel();
        let [http_address, health_address] = [&http, &health].map(|it| it.as_ref().map(|it| it.0));
        let acceptor = {
            let (shards, control) = (owners.clone(), Arc::clone(&inspector.control));
            move |listener| {
                let tls = terminator;
                Acceptor { listener, news: latest, shards, control, tls, guard }.run(rules)
            }
        };
        let channels = (answered, granted);
        let balancer = balancer(&config, &machine, owners, &handles, channels, &inspector);
        let [http, health] = [http, health].map(|it| it.map(|it| it.1));
        let doors = Doors { http, health, control: socket, readers };
        let answer = answer::<E>(doors, http_guard.clone(), inspector.clone(), http_stopped);
        threads.extend(waiting.http.map(|thread| thread.begin(answer)));
        threads.push(waiting.control.begin(move |runtime| {
            let tasks = (acceptor, balancer.run_beside(steward.run()));
            control(runtime, listener, tasks, handles, control_inspector, stopped);
            drop(stop_http);
        }));
        log_start(&config, &machine, listen, [tls_address, http_address, health_address]);
        Reflector {
            listen,
            tls: tls_address,
            http: http_address,
            health: health_address,
            http_guard,
            backend,
            inspector,
            passed_on: self.passed_on,
            asked_peers: Relaxed::new(config.max_peers),
            stop: Some(stop),
            threads,
        }
    }
}

/// The first configuration in force: `config` as far as the system allows it, with blocks of an earlier process.
fn first_in_force(
    config: &ReflectorConfig,
    shards: usize,
    legacy: Option<&Legacy>,
) -> ReflectorConfig {
    let max_peers = descriptors::allow(config, shards);
    let mut first = ReflectorConfig { max_peers, ..config.clone() };
    if let Some(legacy) = legacy {
        first.keep_blocks(&legacy.ledger().blocks);
    }
    first
}

/// The balancer, which moves tables between shards.
fn balancer(
    config: &ReflectorConfig,
    machine: &Machine,
    owners: Vec<Handle>,
    all: &[Handle],
    (answers, wishes): (UnboundedReceiver<(ShardId, Answer<Mover>)>, Receiver<Wish>),
    inspector: &Inspector,
) -> Balancer {
    Balancer {
        min_shards: config.min_shards,
        wake_all_for: config.wake_all_for,
        shards: owners,
        all: all.to_vec(),
        layout: machine.layout(),
        answers,
        wishes,
        control: Arc::clone(&inspector.control),
        cpus: machine.allowed.clone(),
    }
}

/// The work of the thread that answers operators.
fn answer<E: Endpoints>(
    doors: Doors<E::Socket>,
    guard: HttpGuard,
    inspector: Inspector,
    stopped: oneshot::Receiver<()>,
) -> impl FnOnce(&Runtime) + Send + 'static {
    move |runtime| {
        io::give_way();
        E::run(runtime, doors, guard, inspector, stopped);
    }
}

impl Reflector {
    /// [`Reflector::start`] with these endpoints for operators.
    ///
    /// # Errors
    /// [`StartError`], as there.
    pub(crate) fn start_with<E: Endpoints>(config: &ReflectorConfig) -> Result<Self, StartError> {
        Ok(Prepared::<E>::new(config, Inherited::default(), Instant::now())?.serve(None))
    }

    /// The same with a guest on a shard of its own, and without federation.
    ///
    /// # Errors
    /// [`StartError`], as there.
    pub(crate) fn start_hosting<E: Endpoints>(
        config: &ReflectorConfig,
        guest: Invitation,
    ) -> Result<Self, StartError> {
        let (inherited, began) = (Inherited::default(), Instant::now());
        Ok(Prepared::<E>::hosting(config, inherited, began, Some(guest))?.serve(None))
    }
}

/// The steward, which keeps the reflector to its limits, for the routes that an earlier process leaves.
fn steward(
    config: &watch::Receiver<ReflectorConfig>,
    shards: &[Handle],
    inspector: &Inspector,
    legacy: Option<&Legacy>,
) -> Steward {
    let routes = legacy.map_or(0, Legacy::routes);
    Steward::new(config.clone(), shards.to_vec(), &inspector.control, routes)
}

/// Lets a guest begin on its shard, if there is such a shard: `guest`, or else federation.
fn invite(
    guest: Option<Invitation>,
    config: &ReflectorConfig,
    link: Vec<Kind>,
    shard: Option<&Handle>,
    inspector: &Inspector,
) {
    let Some((orders, _)) = shard else { return };
    let order = guest.map_or_else(
        || {
            let federation = Box::new(config.federation.clone());
            ShardOrder::Federate(federation, link, Arc::clone(&inspector.control.roster))
        },
        ShardOrder::Host,
    );
    orders.try_send(order).ok(); // the first order that the shard gets
}

/// Gives shards the legacy of another process. Returns its link's agreement with other sites.
fn take_over(
    legacy: Legacy,
    service: &Service,
    inspector: &Inspector,
    rules: &mut Rules,
    (handles, all): (&[Handle], &[Handle]),
) -> Vec<Kind> {
    let (_, sessions) = legacy.counts();
    let sessions = u64::try_from(sessions).unwrap_or(u64::MAX);
    service.go_on(inspector.now(), sessions, legacy.ledger().serving);
    for (peer, node) in legacy.sessions() {
        inspector.control.diary.established(peer, node);
    }
    if legacy.ledger().blocks != Blocks::default() {
        // Before the tables: so blocked routes stay filtered.
        let order = ShardOrder::settings_of(&inspector.control.config.borrow());
        for (orders, _) in all {
            drop(orders.blocking_send(order()));
        }
    }
    let admit = |peer, remote, shard, has_begun| rules.readmit(peer, remote, shard, has_begun);
    let link = legacy.distribute(handles, admit);
    if !link.is_empty() {
        // The link sends requests to owners at once, and an owner may read an order later than a request.
        handles.iter().for_each(|(orders, _)| await_orders(orders));
    }
    link
}

/// Waits until a shard has carried out its present orders.
fn await_orders(orders: &Sender<ShardOrder>) {
    let (done, is_done) = std::sync::mpsc::channel();
    let question = Question::new(move |_| done.send(()).unwrap_or_default());
    if orders.blocking_send(ShardOrder::Answer(question)).is_ok() {
        is_done.recv_timeout(Duration::from_secs(5)).ok();
    }
}

fn shown(path: &Path) -> impl tracing::Value + '_ {
    tracing::field::display(path.display())
}

fn log_start(
    config: &ReflectorConfig,
    machine: &Machine,
    listen: SocketAddr,
    [tls, http, health]: [Option<SocketAddr>; 3],
) {
    info!(
        %listen,
        tls = tls.map(tracing::field::display),
        tls_carrier = machine.tls.map(TlsCarrier::name),
        http = http.map(tracing::field::display),
        health = health.map(tracing::field::display),
        control = config.control.as_deref().map(shown),
        control_read_only = config.control_read_only.as_deref().map(shown),
        shards = machine.shards,
        io = %machine.backend,
        cpus = machine.places.as_deref().map(|cpus| tracing::field::display(io::Cpus(cpus))),
        "reflector started"
    );
}
