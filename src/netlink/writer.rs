//! The thread that writes routes.
//!
//! State: the two sockets and the state machine ([`Fib`]), which takes all decisions. There is one thread, so nothing
//! is ever in flight while the kernel is queried. It sleeps until a command, an event or the time wakes it, and then
//! queries and writes until all is as it should be. Bounds: [`COMMANDS`] commands wait; a caller that hands over more
//! waits too.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use ahash::RandomState;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::board::{Board, Ending};
use super::config::{EPERM, Mode, NetlinkConfig, StartError};
use super::fib::{Fib, NoteKind, Query};
use super::kernel::{Kernel, KernelMonitor};
use super::model::{KernelEvent, Request};
use super::standing::{KernelRoute, KernelVni};
use super::status::Status;
use crate::dataplane::{Route, RouteError};
use crate::ids::Moment;
use crate::wire::{Destination, Update, Vni};

/// The most commands that may wait.
pub(super) const COMMANDS: usize = 16;
/// The time between attempts to reopen sockets.
const REOPEN: Duration = Duration::from_secs(1);

/// The results of changes, one each.
pub(super) type Results = Vec<Result<(), RouteError>>;

/// Questions and orders to the writer.
#[derive(Debug)]
pub(super) enum WriterCommand {
    Apply(Vec<Update>, oneshot::Sender<Results>),
    Complete(Vni, oneshot::Sender<()>),
    Tables(BTreeMap<Vni, u32>, oneshot::Sender<()>),
    /// The state of the routes of each VNI.
    Vnis(oneshot::Sender<Vec<KernelVni>>),
    /// The state of the route to a destination, and the routes announced for it.
    Standing(Vni, Destination, Vec<Route>, oneshot::Sender<Option<KernelRoute>>),
    Stop(oneshot::Sender<()>),
}

/// The thread's main function: reports whether it could start, then serves until it is told to stop or the last sender
/// of commands is gone.
pub(super) fn run(
    config: NetlinkConfig,
    mut commands: mpsc::Receiver<WriterCommand>,
    ready: Sender<Result<(), StartError>>,
    board: Arc<Board>,
) {
    let _ending = Ending(board.clone());
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(StartError::Thread(error)))),
    };
    runtime.block_on(async {
        match Writer::open(config, board) {
            Ok(mut writer) => {
                drop(ready.send(Ok(())));
                drop(ready);
                writer.serve(&mut commands).await;
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    });
}

struct Writer {
    config: NetlinkConfig,
    mode: Mode,
    /// Whether the kernel has nexthop objects.
    objects: bool,
    kernel: Kernel,
    /// `None` while the sockets are to be reopened.
    monitor: Option<KernelMonitor>,
    fib: Fib,
    board: Arc<Board>,
    began: Instant,
    /// When sockets may be reopened.
    reopen: Instant,
}

enum Input {
    Command(Option<WriterCommand>),
    Events(io::Result<Vec<KernelEvent>>),
    Time,
}

impl Writer {
    /// Checks everything, listens, and takes in the routes and objects of an earlier run.
    fn open(config: NetlinkConfig, board: Arc<Board>) -> Result<Self, StartError> {
        let mut kernel = Kernel::open().map_err(StartError::Kernel)?;
        let device = kernel.device(&config.device).map_err(StartError::Kernel)?;
        let device = device.ok_or_else(|| StartError::NoDevice(config.device.clone()))?;
        if let Err(why) = device.kind {
            return Err(StartError::Device(why));
        }
        // There can be no object 0, but a process without the permission is told so first.
        let probe = kernel.apply(&[Request::DeleteObject { id: 0 }]).map_err(StartError::Kernel)?;
        if let Some(Err(error)) = probe.first()
            && error.errno == EPERM
        {
            return Err(StartError::Permission);
        }
        let objects = kernel.supports_objects().map_err(StartError::Kernel)?;
        let mode = if objects { config.mode } else { Mode::Inline };
        if mode != config.mode {
            warn!(
                "the kernel has no nexthop objects: the leaf writes next hops into the routes \
                 themselves"
            );
        }
        // From here on no change by other programs is missed.
        let monitor = KernelMonitor::open(kernel.port()).map_err(StartError::Kernel)?;
        let hasher = hasher();
        let mut fib = Fib::new(config.fib_config(objects, &hasher), &hasher);
        if objects {
            let tables = config.tables.values().copied().collect();
            let used = kernel.objects_used_beside(&tables).map_err(StartError::Kernel)?;
            fib.used_elsewhere(used);
        }
        let began = Instant::now();
        let monitor = Some(monitor);
        let mut this =
            Self { config, mode, objects, kernel, monitor, fib, board, began, reopen: began };
        this.fib.saw_device(Some(device), this.now());
        while let Some(query) = this.fib.next_query(this.now()) {
            this.take(query).map_err(StartError::Kernel)?;
        }
        this.show();
        let found = this.fib.summary();
        let (routes, nexthops) = (found.installed, found.objects);
        info!(device = this.config.device, ?mode, routes, nexthops, "writing routes");
        Ok(this)
    }

    fn now(&self) -> Moment {
        let micros = self.began.elapsed().as_micros();
        Moment(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    async fn serve(&mut self, commands: &mut mpsc::Receiver<WriterCommand>) {
        loop {
            let wake = self.began + Duration::from_micros(self.fib.wake().0);
            let wake = match self.monitor {
                Some(_) => wake,
                None => wake.min(self.reopen),
            };
            let events = async {
                match &mut self.monitor {
                    Some(monitor) => monitor.next().await,
                    None => std::future::pending().await,
                }
            };
            let input = tokio::select! {
                command = commands.recv() => Input::Command(command),
                events = events => Input::Events(events),
                () = tokio::time::sleep_until(wake.into()) => Input::Time,
            };
            match input {
                Input::Command(None) => return,
                Input::Command(Some(WriterCommand::Stop(answer))) => {
                    self.stop();
                    answer.send(()).ok();
                    return;
                }
                Input::Command(Some(command)) => {
                    self.hear().await;
                    self.command(command);
                }
                Input::Events(Ok(events)) => self.events(&events),
                Input::Events(Err(error)) => {
                    warn!(%error, "cannot listen to the kernel: trying again");
                    self.monitor = None;
                    self.reopen = Instant::now() + REOPEN;
                }
                Input::Time => {}
            }
            if self.monitor.is_none() && Instant::now() >= self.reopen {
                self.open_again();
            }
            self.fib.tick(self.now());
            self.flush();
            self.fib.answered();
            self.log();
        }
    }

    fn events(&mut self, events: &[KernelEvent]) {
        let now = self.now();
        for event in events {
            self.fib.event(event, now);
        }
    }

    /// Takes in earlier changes by other programs, so that they are known before anything is written.
    async fn hear(&mut self) {
        let Some(monitor) = &mut self.monitor else { return };
        let events = tokio::select! {
            biased;
            events = monitor.next() => events,
            () = std::future::ready(()) => return,
        };
        // The next read reports an error again.
        if let Ok(events) = events {
            self.events(&events);
        }
    }

    fn command(&mut self, command: WriterCommand) {
        match command {
            WriterCommand::Apply(changes, answer) => {
                let tickets: Vec<_> = changes.iter().map(|change| self.fib.apply(change)).collect();
                self.flush();
                let results = tickets.into_iter().map(|ticket| self.fib.answer(ticket)).collect();
                answer.send(results).ok();
            }
            WriterCommand::Complete(vni, answer) => {
                self.fib.complete(vni);
                self.flush();
                answer.send(()).ok();
            }
            WriterCommand::Tables(tables, answer) => {
                self.fib.set_tables(&tables, self.now());
                self.config.tables = tables;
                self.flush();
                answer.send(()).ok();
            }
            WriterCommand::Vnis(answer) => {
                answer.send(self.fib.vnis()).ok();
            }
            WriterCommand::Standing(vni, destination, routes, answer) => {
                let standing = self.fib.standing(vni, destination, &routes, self.now());
                answer.send(standing).ok();
            }
            WriterCommand::Stop(answer) => {
                answer.send(()).ok();
            }
        }
    }

    /// Queries and writes until there is nothing left to do now.
    fn flush(&mut self) {
        loop {
            let now = self.now();
            if let Some(query) = self.fib.next_query(now) {
                if let Err(error) = self.take(query) {
                    self.fib.query_failed(query, &error.to_string(), now);
                }
            } else if self.fib.plan(now) {
                let (kernel, requests) = (&mut self.kernel, self.fib.requests());
                let results = self.board.waiting(|| kernel.apply(requests));
                if let Err(error) = &results {
                    warn!(%error, "cannot write to the kernel: trying again");
                    self.lose_sockets();
                }
                self.fib.settle(results, self.now());
            } else {
                self.show();
                return;
            }
            self.show();
        }
    }

    fn show(&self) {
        self.board.show(Status::new(self.mode, &self.fib.summary()));
    }

    fn take(&mut self, query: Query) -> io::Result<()> {
        match query {
            Query::Device => {
                let (kernel, name) = (&mut self.kernel, &self.config.device);
                let device = self.board.waiting(|| kernel.device(name))?;
                self.fib.saw_device(device, self.now());
            }
            Query::OwnAddresses => {
                let own = self.board.waiting(|| self.kernel.own_addresses())?;
                self.fib.saw_own(own);
            }
            Query::Objects => {
                let dump = match self.objects {
                    true => self.board.waiting(|| self.kernel.objects())?,
                    false => Vec::new(),
                };
                self.fib.saw_objects(dump, self.now());
            }
            Query::Lost => {
                let (kernel, ids) = (&mut self.kernel, self.fib.lost());
                let found = self.board.waiting(|| kernel.objects_by_id(&ids))?;
                self.fib.saw_lost(&found, self.now());
            }
            Query::Users => {
                let used = self.users()?;
                self.fib.saw_users(used, self.now());
            }
            Query::Routes(table) => {
                let dump = self.board.waiting(|| self.kernel.routes(table, None))?;
                self.fib.saw_routes(table, dump, self.now());
            }
        }
        Ok(())
    }

    /// The nexthop objects that routes of any table use.
    fn users(&mut self) -> io::Result<BTreeSet<u32>> {
        let none = BTreeSet::new();
        self.board.waiting(|| self.kernel.objects_used_beside(&none))
    }

    /// The request socket may be unusable: both sockets are reopened, because the monitor filters by the other's
    /// port id.
    fn lose_sockets(&mut self) {
        if self.monitor.take().is_some() {
            self.reopen = Instant::now() + REOPEN;
        }
    }

    fn open_again(&mut self) {
        let sockets = Kernel::open().and_then(|kernel| {
            let monitor = KernelMonitor::open(kernel.port())?;
            Ok((kernel, monitor))
        });
        match sockets {
            Ok((kernel, monitor)) => {
                self.kernel = kernel;
                self.monitor = Some(monitor);
                self.fib.event(&KernelEvent::Overrun, self.now());
            }
            Err(error) => {
                warn!(%error, "cannot open netlink sockets: trying again");
                self.reopen = Instant::now() + REOPEN;
            }
        }
    }

    fn stop(&mut self) {
        if self.config.cleanup {
            // All own routes and objects go, known or not.
            self.fib.look_at_all(self.now());
            self.flush();
            // Routes first: the kernel deletes all routes of a deleted object, and for each it looks
            // through the whole table.
            self.fib.clear();
            self.flush();
            match self.users() {
                Ok(used) => {
                    self.fib.spare(used, self.now());
                    self.flush();
                }
                Err(error) => warn!(%error, "cannot tell who uses the nexthop objects: the leaf \
                     leaves them in the kernel"),
            }
        }
        self.log();
        let left = self.fib.summary();
        info!(routes = left.installed, nexthops = left.objects, "no longer writing routes");
    }

    fn log(&mut self) {
        let now = self.now();
        for (kind, line) in self.fib.lines(now) {
            match kind {
                NoteKind::Refused => warn!("refused by the kernel: {line}"),
                NoteKind::Conflict => warn!("conflict in the kernel: {line}"),
                NoteKind::Resolved => info!("conflict in the kernel is over: {line}"),
                NoteKind::Repair | NoteKind::Deleter => warn!("changed in the kernel: {line}"),
                NoteKind::Unusable => warn!("packets may be lost: {line}"),
                NoteKind::Down => warn!("tunnel device: {line}"),
                NoteKind::Up => info!("tunnel device: {line}"),
                NoteKind::Other => info!("state of the kernel: {line}"),
            }
        }
    }
}

/// A hasher that no peer can predict.
fn hasher() -> RandomState {
    let seed = || std::hash::RandomState::new().build_hasher().finish();
    RandomState::with_seeds(seed(), seed(), seed(), seed())
}
