//! Threads and their event loops.

use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::runtime::Runtime;

use crate::config::StartError;

/// The work of a thread, in its event loop.
type Work = Box<dyn FnOnce(&Runtime) + Send>;

/// A thread that has its event loop and waits for its work. It ends without work when this is dropped.
#[derive(Debug)]
pub(crate) struct WaitingThread {
    work: mpsc::Sender<Work>,
    thread: JoinHandle<()>,
}

impl WaitingThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`StartError::Shard`]
    pub(crate) fn start(name: &str) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(StartError::Shard)?;
        let (work, waits) = mpsc::channel::<Work>();
        let body = move || waits.recv().into_iter().for_each(|work| work(&runtime));
        let thread = std::thread::Builder::new().name(name.into()).spawn(body);
        Ok(Self { work, thread: thread.map_err(StartError::Shard)? })
    }

    /// Gives the thread its work. Cannot fail: the thread waits for nothing else.
    pub(crate) fn begin(self, work: impl FnOnce(&Runtime) + Send + 'static) -> JoinHandle<()> {
        self.work.send(Box::new(work)).ok();
        self.thread
    }
}
