//! A flag that one task sets and another waits for, both on the same thread.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

/// Wakes its one waiter once, however often it is set. Setting it again costs nothing, so that a burst
/// makes one wake.
#[derive(Debug, Default)]
pub(super) struct WakeFlag {
    is_set: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl WakeFlag {
    pub(super) fn set(&self) {
        if self.is_set.replace(true) {
            return;
        }
        if let Some(waker) = self.waiter.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Ready once it is set, which clears it.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.is_set.replace(false) {
            return Poll::Ready(());
        }
        let mut waiter = self.waiter.borrow_mut();
        if !waiter.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waiter = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}
