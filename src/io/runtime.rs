//! The event loop of one shard: one thread, its tasks, timers and sockets.
//!
//! Owns the scheduler and the reactor or ring. Made and run by the thread of a shard; tasks are
//! started inside with `tokio::task::spawn_local`. It doesn't stop tasks: what still runs when it
//! is dropped is dropped with it.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use super::{Backend, uring};

/// A single-threaded runtime for tasks that are not `Send`.
#[derive(Debug)]
pub struct LocalRuntime(Inner);

#[derive(Debug)]
enum Inner {
    /// The tasks go first: their sockets deregister from the reactor.
    Epoll {
        tasks: LocalSet,
        runtime: Runtime,
    },
    Uring(uring::UringRuntime),
}

impl LocalRuntime {
    /// Sets up the event loop in the calling thread, where it stays.
    ///
    /// # Errors
    ///
    /// If the kernel refuses a descriptor or a ring. [`choose`](super::choose) finds out beforehand whether the kernel
    /// grants rings at all.
    pub fn new(backend: Backend) -> io::Result<Self> {
        Ok(Self(match backend {
            Backend::Epoll => Inner::Epoll {
                tasks: LocalSet::new(),
                runtime: Builder::new_current_thread().enable_all().build()?,
            },
            Backend::Uring => Inner::Uring(uring::UringRuntime::new()?),
        }))
    }

    /// Runs `future`, and the tasks that it starts, until `future` ends. Tasks that have not ended continue with the
    /// next call.
    ///
    /// # Panics
    ///
    /// Inside another runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.0 {
            Inner::Epoll { tasks, runtime } => tasks.block_on(runtime, future),
            Inner::Uring(runtime) => runtime.block_on(future),
        }
    }
}

/// Lets the other tasks and the sockets of this shard have a turn.
///
/// Meanwhile the queued entries of the ring are submitted. It does the same as `tokio::task::yield_now`, but needs no
/// tokio runtime.
pub async fn yield_turn() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
