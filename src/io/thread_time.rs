//! How long threads have been running on a processor.

use std::time::Duration;

/// Processor time of the calling thread; zero if the system does not report it. Costs one system call.
pub(crate) fn thread_time() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

/// The name of a thread of this process, for questions of other threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ThreadId(i32);

impl ThreadId {
    /// The calling thread; `None` where threads have no numbers.
    pub(crate) fn current() -> Option<Self> {
        #[cfg(all(target_os = "linux", not(metalbond_portable)))]
        return Some(Self(rustix::thread::gettid().as_raw_nonzero().get()));
        #[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
        None
    }

    /// Lets the thread run on any of these cores.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn allow(self, cpus: &[usize]) -> std::io::Result<()> {
        #[cfg(all(target_os = "linux", not(metalbond_portable)))]
        {
            let mut set = rustix::thread::CpuSet::new();
            let known = cpus.iter().filter(|cpu| **cpu < rustix::thread::CpuSet::MAX_CPU);
            known.for_each(|cpu| set.set(*cpu));
            let thread = rustix::thread::Pid::from_raw(self.0);
            rustix::thread::sched_setaffinity(thread, &set)?;
            Ok(())
        }
        #[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
        {
            let _ = (self.0, cpus);
            Err(std::io::ErrorKind::Unsupported.into())
        }
    }
}

/// The kernel's counts of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ThreadTimes {
    /// For how long it has run.
    pub(crate) ran: Duration,
    /// For how long it was ready to run and waited for a core.
    pub(crate) waited: Duration,
}

/// The kernel's counts of a thread of this process; `None` if the kernel does not report them. Reads a file of
/// the kernel's, which costs some microseconds.
pub(crate) fn thread_times(thread: ThreadId) -> Option<ThreadTimes> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{}/schedstat", thread.0)).ok()?;
    let mut numbers = text.split_whitespace().map_while(|number| number.parse().ok());
    let (ran, waited) = (numbers.next()?, numbers.next()?);
    Some(ThreadTimes { ran: Duration::from_nanos(ran), waited: Duration::from_nanos(waited) })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_runs_is_seen_to_run() {
        let Some(thread) = ThreadId::current() else { return };
        let before = thread_times(thread).unwrap();
        while thread_times(thread).unwrap().ran < before.ran + Duration::from_millis(5) {
            std::hint::black_box(thread_time());
        }
    }
}
