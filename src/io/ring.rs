//! A shard's event loop with a ring in it, and the valve that keeps the ring moving.
//!
//! Owns tokio-uring's runtime. Made by [`LocalRuntime`](super::LocalRuntime), once per shard. The
//! event loop is tokio-uring's; only the valve is our own.
//!
//! # The valve
//!
//! tokio-uring 0.5 submits what is queued only when tokio is about to park (or the queue is
//! full), and tokio doesn't park while a task is ready: under load, sends would sit in the queue
//! for as long as there is other work. So at the start of each turn, if operations were queued
//! and tokio hasn't parked since, they are submitted here. That needs the descriptor of the ring,
//! which tokio-uring keeps to itself ([`mark`] finds it). Without `/proc`, or with a kernel that
//! does not show there how many entries a ring was given, the valve stays shut.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::os::fd::RawFd;
use std::pin::pin;

use super::mark;
use super::probe::{SUBMISSIONS, accepted, with_room};

thread_local! {
    /// Operations queued since the start of the turn, or since they were last submitted.
    static QUEUED: Cell<u32> = const { Cell::new(0) };
}

/// Notes that an operation was queued in this thread's ring.
pub(super) fn note_queued() {
    QUEUED.set(QUEUED.get().saturating_add(1));
}

/// A shard's event loop with a ring in it.
pub(super) struct UringRuntime {
    runtime: tokio_uring::Runtime,
    /// The ring's descriptor: open for as long as `runtime` is there.
    ring: Option<RawFd>,
}

impl UringRuntime {
    pub(super) fn new() -> io::Result<Self> {
        with_room(|completions| Self::with_sizes(SUBMISSIONS, completions))
    }

    pub(super) fn with_sizes(submissions: u32, completions: u32) -> io::Result<Self> {
        let ring = accepted(submissions, completions)?;
        let mut builder = tokio_uring::builder();
        builder.entries(submissions).uring_builder(&ring);
        let runtime = tokio_uring::Runtime::new(&builder)?;
        let ring = mark::find(&runtime);
        Ok(Self { runtime, ring })
    }

    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(async {
            let metrics = tokio::runtime::Handle::current().metrics();
            let mut parked = metrics.worker_park_count(0);
            let mut future = pin!(future);
            // tokio polls the outermost future in every turn, whatever has woken the loop.
            poll_fn(|cx| {
                let parks = metrics.worker_park_count(0);
                if QUEUED.replace(0) > 0 && parks == parked {
                    self.submit();
                }
                parked = parks;
                future.as_mut().poll(cx)
            })
            .await
        })
    }

    /// Submits the queued entries to the kernel.
    #[expect(unsafe_code, reason = "tokio-uring has no call for it")]
    fn submit(&self) {
        let Some(ring) = self.ring else { return };
        // SAFETY: `ring` is the descriptor of this runtime's ring, which lives at least as long
        // as `self`, and this is the thread that made it. The call has no pointer arguments. The
        // entries it submits are complete and own what they point to: tokio-uring pushed them,
        // and would submit the same ones with the same call. Nobody holds a view of the queue
        // meanwhile: tokio-uring's are made and dropped within its own calls.
        let result = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                ring,
                SUBMISSIONS,
                0,
                // IORING_ENTER_GETEVENTS: hand over completions that didn't fit as well.
                1,
                std::ptr::null::<libc::c_void>(),
                0_usize,
            )
        };
        if result < 0 {
            // Not now (EBUSY, EAGAIN, EINTR): the next turn comes round here again.
            note_queued();
        }
    }
}

impl std::fmt::Debug for UringRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UringRuntime").field("ring", &self.ring).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Unavailable;
    use super::super::probe::available;
    use super::*;
    use std::collections::VecDeque;
    use std::rc::Rc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn impossible_sizes_are_an_error_and_no_panic() {
        if let Err(Unavailable { reason, .. }) = available() {
            support::skip!(format!("no io_uring: {reason}"));
        }
        let error = UringRuntime::with_sizes(1 << 30, 16).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn each_runtime_knows_its_own_ring() {
        if let Err(Unavailable { reason, .. }) = available() {
            support::skip!(format!("no io_uring: {reason}"));
        }
        let threads: Vec<_> = (0..8)
            .map(|_| {
                std::thread::spawn(|| {
                    let runtime = UringRuntime::new().unwrap();
                    runtime.ring.unwrap()
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().unwrap() > 2);
        }
        let (a, b) = (UringRuntime::new().unwrap(), UringRuntime::new().unwrap());
        assert_ne!(a.ring, b.ring);
    }

    /// The library may run in a program with rings of its own, which come and go at any time.
    #[test]
    fn no_ring_of_the_program_is_taken_for_the_runtimes() {
        if let Err(Unavailable { reason, .. }) = available() {
            support::skip!(format!("no io_uring: {reason}"));
        }
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Each round closes a low number and opens another: numbers are used again and again.
                let mut rings = VecDeque::new();
                while !is_over.load(Ordering::Relaxed) {
                    rings.extend(io_uring::IoUring::new(8));
                    if rings.len() > 4 {
                        rings.pop_front();
                    }
                }
            });
            for _ in 0..50 {
                let runtime = UringRuntime::with_sizes(8, 16).unwrap();
                let ring = runtime.ring.expect("its ring is found");
                let before = mark::given(ring).unwrap();
                runtime.block_on(mark::no_ops(3));
                assert_eq!(mark::given(ring).unwrap().wrapping_sub(before), 3, "a foreign ring");
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }

    /// More completions at once than the queue holds: the kernel keeps the rest.
    #[test]
    fn an_overflown_completion_queue_loses_nothing() {
        use super::super::{Backend, OutBuf, Stream};
        if let Err(Unavailable { reason, .. }) = available() {
            support::skip!(format!("no io_uring: {reason}"));
        }
        let runtime = UringRuntime::with_sizes(8, 16).unwrap();
        runtime.block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap();
            let mut tasks = Vec::new();
            for _ in 0..200 {
                let near = std::net::TcpStream::connect(addr).unwrap();
                let (far, _) = listener.accept().unwrap();
                let near = Stream::from_std(Backend::Uring, near).unwrap();
                let far = Rc::new(Stream::from_std(Backend::Uring, far).unwrap());
                tasks.push(tokio::task::spawn_local(async move {
                    far.readable().await.unwrap();
                    assert_eq!(far.try_read(&mut [0; 10]).unwrap(), 3);
                }));
                tasks.push(tokio::task::spawn_local(async move {
                    let (sent, _) = near.send(OutBuf::from(vec![1, 2, 3]), 0, true).await;
                    assert_eq!(sent.unwrap(), 3);
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}
