//! The latest numbers of the writer.
//!
//! State: these numbers, and since when the writer waits for the kernel. The writer thread writes here, and readers
//! never ask that thread: while the kernel does not answer, they get the last numbers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::status::Status;

/// The numbers that [`super::NetlinkStatus`] reads.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    /// `None` before the first numbers and after the writer's end.
    status: Option<Status>,
    /// When the request under way was made.
    asked: Option<Instant>,
}

impl Board {
    /// Shows the current numbers.
    pub(super) fn show(&self, status: Status) {
        self.lock().status = Some(status);
    }

    /// Marks the time in which `ask` waits for the kernel.
    pub(super) fn waiting<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.lock().asked = Some(Instant::now());
        let answer = ask();
        self.lock().asked = None;
        answer
    }

    /// The last numbers; `None` when the writer has ended.
    pub(super) fn read(&self) -> Option<Status> {
        let shown = self.lock();
        let silent = shown.asked.map(|asked| asked.elapsed()).unwrap_or_default();
        shown.status.map(|status| Status { silent, ..status })
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // No code under the lock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks the writer's end, however it ends.
#[derive(Debug)]
pub(super) struct Ending(pub(super) Arc<Board>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut shown = self.0.lock();
        (shown.status, shown.asked) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Mode;
    use crate::netlink::fib::Summary;

    #[test]
    fn the_last_numbers_are_told_while_the_kernel_is_silent() {
        let board = Arc::<Board>::default();
        assert_eq!(board.read(), None);
        let summary = Summary { wanted: 7, ..Summary::default() };
        board.show(Status::new(Mode::Objects, &summary));
        assert!(board.read().unwrap().silent.is_zero());
        let there = board.clone();
        board.waiting(move || {
            let before = there.read().unwrap().silent;
            let end = Instant::now() + support::PATIENCE;
            while there.read().unwrap().silent <= before {
                assert!(Instant::now() < end, "the silence grows");
            }
            assert_eq!(there.read().unwrap().desired, 7);
        });
        assert!(board.read().unwrap().silent.is_zero());
        drop(Ending(board.clone()));
        assert_eq!(board.read(), None);
    }
}
