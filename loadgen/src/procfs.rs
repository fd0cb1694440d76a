//! What a process has used, from `/proc`.

use std::fs;
use std::iter::Sum;
use std::ops::{Add, Sub};

use rustix::time::{ClockId, clock_gettime};

/// The resources used by a process until one moment, or between two.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// CPU time of all its threads that still run, in ns (schedstat, exact to a tick).
    pub(crate) cpu_ns: u64,
    /// CPU time in user mode and in the kernel, in ticks of 10 ms; the split is sampled.
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
    /// The number of times that a thread went to sleep.
    pub(crate) voluntary: u64,
    /// The number of times that a thread had to wait for a core.
    pub(crate) involuntary: u64,
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns + other.cpu_ns,
            user_ticks: self.user_ticks + other.user_ticks,
            system_ticks: self.system_ticks + other.system_ticks,
            voluntary: self.voluntary + other.voluntary,
            involuntary: self.involuntary + other.involuntary,
        }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), Add::add)
    }
}

impl Usage {
    /// The part of the CPU time that was spent in user mode, from 0 to 1.
    pub(crate) fn user_share(&self) -> f64 {
        self.user_ticks as f64 / ((self.user_ticks + self.system_ticks).max(1)) as f64
    }

    /// What a process has used so far.
    ///
    /// # Errors
    /// One sentence, when there is no such process.
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let read = |path: String| {
            fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))
        };
        let stat = read(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold anything; utime and stime are fields 14 and 15.
        let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut times = behind_name.split_ascii_whitespace().skip(11);
        let mut tick = || times.next().and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut usage = Self { user_ticks: tick(), system_ticks: tick(), ..Self::default() };
        let tasks = format!("/proc/{pid}/task");
        let entries =
            fs::read_dir(&tasks).map_err(|error| format!("cannot read {tasks}: {error}"))?;
        for task in entries.flatten() {
            // A thread may end meanwhile.
            let Some(ran) = ran_ns(&task) else { continue };
            usage.cpu_ns += ran;
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            usage.voluntary += field(&status, "voluntary_ctxt_switches").unwrap_or(0);
            usage.involuntary += field(&status, "nonvoluntary_ctxt_switches").unwrap_or(0);
        }
        Ok(usage)
    }
}

/// How long a thread has run.
fn ran_ns(task: &fs::DirEntry) -> Option<u64> {
    let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

/// CPU time in ns of a process, and its resident memory in bytes, at almost no cost. The memory is exact to some
/// hundreds of KiB: the kernel knows it without a walk through page tables.
pub(crate) fn glance(pid: u32) -> Option<(u64, u64)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let cpu_ns = tasks.flatten().filter_map(|task| ran_ns(&task)).sum();
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((cpu_ns, pages * rustix::param::page_size() as u64))
}

/// Resident memory of a process in bytes.
///
/// From its page tables: VmRSS in `status` is counted per CPU and off by hundreds of KiB.
///
/// # Errors
/// One sentence, when there is no such process or it belongs to another user.
pub(crate) fn resident(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let rollup =
        fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    field(&rollup, "Rss").map(|kib| kib * 1024).ok_or_else(|| format!("{path} has no Rss"))
}

/// CPU time in ns of all threads of loadgen, including ended ones.
pub(crate) fn own_cpu_ns() -> u64 {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    own.tv_sec.cast_unsigned() * 1_000_000_000 + own.tv_nsec.cast_unsigned()
}

/// The number after `name:` at the start of a line.
fn field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let pid = std::process::id();
        let before = Usage::of(pid).unwrap();
        let began = std::time::Instant::now();
        while began.elapsed().as_millis() < 30 {}
        let used = Usage::of(pid).unwrap() - before;
        assert!(used.cpu_ns > 1_000_000, "{used:?}");
        assert!(resident(pid).unwrap() > 100_000);
        let (cpu_ns, memory) = glance(pid).unwrap();
        assert!(cpu_ns > 1_000_000 && memory > 100_000, "{cpu_ns} ns, {memory} bytes");
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Rssx:\t1 kB\nRss:\t  20 kB\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(field(status, "Rss"), Some(20));
        assert_eq!(field(status, "voluntary_ctxt_switches"), None);
    }
}
