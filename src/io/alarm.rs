//! A timer finer than tokio's, which rounds up to the next millisecond.
//!
//! Owns one kernel timer; a task that gathers for a few hundred microseconds keeps one of its own
//! and sets it again and again. One deadline at a time: a second task needs
//! a second alarm.

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub use linux::Alarm;
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub use portable::Alarm;

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod linux {
    use std::cell::Cell;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Instant;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// A timer with microsecond precision, for one task.
    #[derive(Debug)]
    pub struct Alarm {
        timer: AsyncFd<OwnedFd>,
        /// The deadline that the kernel knows: a wait that is dropped and taken up
        /// again in a `select!` costs no system call.
        set: Cell<Option<Instant>>,
    }

    impl Alarm {
        /// A timer that is not set.
        ///
        /// # Errors
        ///
        /// If the process has no descriptor left.
        ///
        /// # Panics
        ///
        /// Outside a `LocalRuntime`.
        #[expect(unsafe_code, reason = "tokio can't check what it is told of a descriptor")]
        pub fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // SAFETY: an `OwnedFd` is open, and stays the same descriptor, for as long as the
            // `AsyncFd` has it; nobody else closes it.
            let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
            Ok(Self { timer, set: Cell::new(None) })
        }

        /// Waits until `deadline` or a little longer. You may drop the future; the timer may then wake the event loop
        /// once for nothing.
        pub async fn until(&self, deadline: Instant) {
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return;
                }
                if self.set.get() != Some(deadline) && self.arm(left).is_ok() {
                    self.set.set(Some(deadline));
                }
                if self.expired().await.is_err() {
                    // The reactor is shutting down: nobody will be woken, so don't spin.
                    std::future::pending::<()>().await;
                }
            }
        }

        fn arm(&self, left: std::time::Duration) -> io::Result<()> {
            let spec = Itimerspec {
                it_interval: Timespec::default(),
                it_value: left.try_into().map_err(io::Error::other)?,
            };
            timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
            Ok(())
        }

        /// Waits for the timer to go off, and notes that it isn't set any more.
        async fn expired(&self) -> io::Result<()> {
            loop {
                let mut guard = self.timer.readable().await?;
                let mut ticks = [0; 8];
                match guard.try_io(|timer| Ok(rustix::io::read(timer, &mut ticks)?)) {
                    Ok(result) => {
                        self.set.set(None);
                        return result.map(drop);
                    }
                    Err(_not_yet) => {}
                }
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
mod portable {
    use std::io;
    use std::time::Instant;

    /// A timer; on this system with tokio's precision of a millisecond.
    #[derive(Debug)]
    pub struct Alarm(());

    impl Alarm {
        /// A timer that is not set.
        ///
        /// # Errors
        ///
        /// Never here.
        pub fn new() -> io::Result<Self> {
            Ok(Self(()))
        }

        /// Waits until `deadline` or a little longer. You may drop the future.
        pub async fn until(&self, deadline: Instant) {
            tokio::time::sleep_until(deadline.into()).await;
        }
    }
}
