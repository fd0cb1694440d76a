//! The system's numbers about the process, under the names that all exporters use. Only on Linux: other systems have no
//! `/proc`, and nothing is written there. A number that cannot be read is left out.

use crate::metrics::Text;

#[cfg(not(target_os = "linux"))]
pub(crate) fn write(_: &mut Text) {}

#[cfg(target_os = "linux")]
pub(crate) fn write(text: &mut Text) {
    use rustix::time::{ClockId, clock_gettime};

    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let cpu = format!("{}.{:09}", cpu.tv_sec, cpu.tv_nsec);
    text.counter("process_cpu_seconds_total", "Processor time, in seconds.").sample(&[], cpu);
    let gauges = [
        ("process_resident_memory_bytes", "Resident memory, in bytes.", linux::resident()),
        ("process_virtual_memory_bytes", "Address space, in bytes.", linux::address_space()),
        ("process_open_fds", "Open file descriptors.", linux::open_fds()),
        ("process_max_fds", "Limit on open file descriptors.", linux::max_fds()),
        ("process_start_time_seconds", "Start time, in seconds since 1970.", linux::start()),
    ];
    let known = gauges.into_iter().filter_map(|(name, help, value)| Some((name, help, value?)));
    text.gauges(known);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    pub(super) fn resident() -> Option<u64> {
        pages(1)
    }

    pub(super) fn address_space() -> Option<u64> {
        pages(0)
    }

    pub(super) fn open_fds() -> Option<u64> {
        // One of the entries is the directory that is being read.
        Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64)
    }

    pub(super) fn max_fds() -> Option<u64> {
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current
    }

    /// The second of the system's boot, and the ticks from there.
    pub(super) fn start() -> Option<u64> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // The program's name may hold anything, also spaces and parentheses.
        let (_, fields) = own.rsplit_once(')')?;
        let ticks: u64 = fields.split_whitespace().nth(19)?.parse().ok()?;
        let boot: u64 = boot.trim().parse().ok()?;
        Some(boot + ticks / rustix::param::clock_ticks_per_second())
    }

    fn pages(field: usize) -> Option<u64> {
        let statm = fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = statm.split_whitespace().nth(field)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }
}
