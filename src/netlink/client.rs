//! The handle that the leaf holds: [`NetlinkClient`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{Builder, JoinHandle};

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::board::Board;
use super::config::{NetlinkConfig, StartError, check_tables};
use super::standing::{KernelRoute, KernelVni};
use super::status::Status;
use super::writer::{self, COMMANDS, WriterCommand};
use crate::dataplane::{NetworkClient, Retry, Route, RouteError};
use crate::wire::{Destination, Update, Vni};

/// Writes routes to the Linux kernel: one route per destination, in the table of its VNI, over a
/// tunnel device.
///
/// A thread of its own does the work. It repairs routes that others change, installs all routes again when
/// the device comes back, never touches routes of another protocol, and repeats requests that the kernel
/// refuses.
///
/// If you drop it without [`NetworkClient::stop`], it ends and leaves all routes in place.
#[derive(Debug)]
pub struct NetlinkClient {
    commands: mpsc::Sender<WriterCommand>,
    board: Arc<Board>,
    turn: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

/// A handle that reads the state of a [`NetlinkClient`] from any thread.
#[derive(Clone, Debug)]
pub struct NetlinkStatus {
    board: Arc<Board>,
    /// Does not keep the thread running.
    commands: mpsc::WeakSender<WriterCommand>,
    /// One question at a time, however many callers ask: routes wait for one question at most.
    turn: Arc<Semaphore>,
}

/// A handle that changes the tables of a [`NetlinkClient`] from any thread.
#[derive(Clone, Debug)]
pub struct NetlinkTables {
    /// The client's own sender keeps the channel open; this one does not.
    commands: mpsc::WeakSender<WriterCommand>,
}

impl NetlinkClient {
    /// Checks the configuration, the device and the permission, takes over the routes of an earlier run
    /// and starts the thread. Works in the network namespace of the calling thread.
    ///
    /// Blocks until then: about half a second for each 100,000 routes that it takes over.
    ///
    /// # Errors
    /// [`StartError`]. Then nothing was changed and no thread is left running.
    pub fn start(config: NetlinkConfig) -> Result<Self, StartError> {
        config.check()?;
        let (commands, inlet) = mpsc::channel(COMMANDS);
        let (ready, started) = channel();
        let board = Arc::<Board>::default();
        let shown = board.clone();
        let thread = Builder::new()
            .name("netlink".to_owned())
            .spawn(move || writer::run(config, inlet, ready, shown))
            .map_err(StartError::Thread)?;
        // A thread that ends without an answer has panicked; the panic is on standard error.
        started
            .recv()
            .unwrap_or_else(|gone| Err(StartError::Thread(std::io::Error::other(gone))))?;
        Ok(Self { commands, board, turn: Arc::new(Semaphore::new(1)), thread: Some(thread) })
    }

    /// A handle that reads the client's state.
    #[must_use]
    pub fn status(&self) -> NetlinkStatus {
        let (board, turn) = (self.board.clone(), self.turn.clone());
        NetlinkStatus { board, commands: self.commands.downgrade(), turn }
    }

    /// A handle that changes the client's tables.
    #[must_use]
    pub fn tables(&self) -> NetlinkTables {
        NetlinkTables { commands: self.commands.downgrade() }
    }

    /// Hands a command to the thread and waits for its answer. `None` when the thread has ended.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> WriterCommand) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.ok()?;
        answered.await.ok()
    }
}

impl NetlinkTables {
    /// Checks tables as [`NetlinkTables::set`] does.
    ///
    /// # Errors
    /// [`StartError::Vni`] or [`StartError::Table`].
    pub fn check(tables: &BTreeMap<Vni, u32>) -> Result<(), StartError> {
        check_tables(tables)
    }

    /// Sets the tables of all VNIs, in place of [`NetlinkConfig::tables`]. Removes the routes of each VNI whose table
    /// changes, and all routes of the client in a table that no VNI has any more; does not touch other routes. Returns
    /// when that is done; removals that the kernel refuses are repeated later.
    ///
    /// The client forgets the routes of VNIs whose table changes. To get them into the new table, call
    /// [`MetalBond::withhold`](crate::client::MetalBond::withhold) before and
    /// [`MetalBond::hand_over`](crate::client::MetalBond::hand_over) after, for each such VNI. Does nothing once the
    /// client has stopped.
    ///
    /// # Errors
    /// As [`NetlinkTables::check`]; nothing has changed then.
    pub async fn set(&self, tables: BTreeMap<Vni, u32>) -> Result<(), StartError> {
        check_tables(&tables)?;
        let Some(commands) = self.commands.upgrade() else { return Ok(()) };
        let (answer, answered) = oneshot::channel();
        // A client that has stopped meanwhile has no tables.
        if commands.send(WriterCommand::Tables(tables, answer)).await.is_ok() {
            drop(answered.await);
        }
        Ok(())
    }
}

impl NetlinkStatus {
    /// The client's state; `None` once the client has stopped.
    ///
    /// Never waits: while a request to the kernel is under way, these are the numbers from before the request, and
    /// [`Status::silent`] says how old they are.
    #[must_use]
    pub fn get(&self) -> Option<Status> {
        self.board.read()
    }

    /// The state of each VNI's routes; `None` once the client has stopped. Waits while a request to the kernel is under
    /// way.
    pub async fn vnis(&self) -> Option<Vec<KernelVni>> {
        self.ask(WriterCommand::Vnis).await
    }

    /// The state of the route to a destination, and which of `routes`, the announced routes to it, are not part of it.
    /// `None` once the client has stopped, `Some(None)` if the VNI has no table. Waits while a request to the kernel is
    /// under way.
    pub async fn route(
        &self,
        vni: Vni,
        destination: Destination,
        routes: Vec<Route>,
    ) -> Option<Option<KernelRoute>> {
        self.ask(|answer| WriterCommand::Standing(vni, destination, routes, answer)).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> WriterCommand) -> Option<T> {
        let _turn = self.turn.acquire().await.ok()?;
        let (answer, answered) = oneshot::channel();
        self.commands.upgrade()?.send(command(answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Results come when the kernel has answered. A call whose future is dropped may have been carried out: its results
/// are lost, but the client looks after its routes like all others.
impl NetworkClient for NetlinkClient {
    async fn apply(&mut self, changes: &[Update]) -> Vec<Result<(), RouteError>> {
        if changes.is_empty() {
            return Vec::new();
        }
        let copy = changes.to_vec();
        let results = self.ask(|answer| WriterCommand::Apply(copy, answer)).await;
        results.unwrap_or_else(|| {
            let reason = "the netlink writer has stopped".to_owned();
            vec![Err(RouteError { reason, retry: Retry::Offer }); changes.len()]
        })
    }

    async fn complete(&mut self, vni: Vni) {
        self.ask(|answer| WriterCommand::Complete(vni, answer)).await;
    }

    /// With [`NetlinkConfig::cleanup`] all own routes and nexthop objects are gone when this returns: two
    /// seconds for each 100,000 routes, at most. Without it they stay.
    async fn stop(&mut self) {
        self.ask(WriterCommand::Stop).await;
        if let Some(thread) = self.thread.take() {
            // The thread has answered and ends.
            drop(thread.join());
        }
    }
}
