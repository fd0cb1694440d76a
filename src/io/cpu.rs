//! How many shards this process should have, and on which cores they may sit.
//!
//! Stateless; asked at the start. It reads the affinity mask and the quota of the control group, such as a container's
//! "2 CPUs" on a machine with 128 cores: a shard beyond the quota would only be throttled. Changes at run time have no
//! effect here. std's `available_parallelism` does not serve here: it rounds a quota of 1.5 cores down to one, and
//! names no cores.

use std::io;

/// The cores on which this process may run, in ascending order; never empty.
#[must_use]
pub fn allowed_cpus() -> Vec<usize> {
    let cpus = sys::affinity();
    if !cpus.is_empty() {
        return cpus;
    }
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    (0..count).collect()
}

/// The core on which the calling thread runs; 0 if the system does not say.
#[must_use]
pub(crate) fn present_cpu() -> usize {
    sys::present()
}

/// The CPU time that the control groups of this process grant, in cores; `None` without a limit. Groups are nested: the
/// lowest limit counts.
#[must_use]
pub fn cpu_quota() -> Option<f64> {
    sys::quota()
}

/// The number of shards for this number of cores: one for each, but no more than the CPU quota can run.
#[must_use]
pub fn shards_for(cpus: usize) -> usize {
    shards(cpus, cpu_quota())
}

fn shards(cpus: usize, quota: Option<f64>) -> usize {
    let whole = (1..cpus).find(|&n| quota.is_some_and(|quota| quota <= n as f64));
    whole.unwrap_or(cpus).max(1)
}

/// Keeps the calling thread on one core.
///
/// # Errors
///
/// If the core does not exist or is not allowed, or the system cannot pin threads.
pub fn pin_to(cpu: usize) -> io::Result<()> {
    sys::pin(cpu)
}

/// Lowers the priority of the calling thread: while it competes with a busy shard for a core, it gets about a tenth of
/// the shard's share. Does nothing on systems where threads have no priority of their own.
pub fn give_way() {
    sys::give_way();
}

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod sys {
    use std::fs::read_to_string;
    use std::io;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

    use super::quotas::{v1_quota, v2_quota};
    use crate::io::control_group::{Group, groups, walk};

    pub(super) fn give_way() {
        // Of this thread only: Linux counts threads one by one. The weight is only a wish, so an error does not matter.
        rustix::process::nice(10).ok();
    }

    pub(super) fn affinity() -> Vec<usize> {
        sched_getaffinity(None).map_or_else(
            |_| Vec::new(),
            |set| (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect(),
        )
    }

    pub(super) fn present() -> usize {
        sched_getcpu()
    }

    pub(super) fn pin(cpu: usize) -> io::Result<()> {
        if cpu >= CpuSet::MAX_CPU {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut set = CpuSet::new();
        set.set(cpu);
        Ok(sched_setaffinity(None, &set)?)
    }

    pub(super) fn quota() -> Option<f64> {
        let found = groups(&read_to_string("/proc/self/cgroup").ok()?, "cpu");
        let quotas = found.iter().flat_map(|group| match group {
            Group::V2(path) => walk("/sys/fs/cgroup", path, |dir| {
                v2_quota(&read_to_string(dir.join("cpu.max")).ok()?)
            }),
            Group::V1(path) => walk("/sys/fs/cgroup/cpu", path, |dir| {
                v1_quota(
                    &read_to_string(dir.join("cpu.cfs_quota_us")).ok()?,
                    &read_to_string(dir.join("cpu.cfs_period_us")).ok()?,
                )
            }),
        });
        quotas.reduce(f64::min)
    }
}

/// Reads the control group files; text in, numbers out.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod quotas {
    /// From `cpu.max`: `quota period`, with `max` for no limit.
    pub(super) fn v2_quota(text: &str) -> Option<f64> {
        let (quota, period) = text.trim().split_once(' ')?;
        ratio(quota, period)
    }

    /// From `cpu.cfs_quota_us` and `cpu.cfs_period_us`; -1 is no limit.
    pub(super) fn v1_quota(quota: &str, period: &str) -> Option<f64> {
        ratio(quota.trim(), period.trim())
    }

    fn ratio(quota: &str, period: &str) -> Option<f64> {
        let quota: u32 = quota.parse().ok()?;
        let period: u32 = period.parse().ok()?;
        (quota > 0 && period > 0).then(|| f64::from(quota) / f64::from(period))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn quotas() {
            assert_eq!(v2_quota("max 100000\n"), None);
            assert_eq!(v2_quota("150000 100000\n"), Some(1.5));
            assert_eq!(v2_quota("50000 0"), None);
            assert_eq!(v2_quota(""), None);
            assert_eq!(v1_quota("-1\n", "100000\n"), None);
            assert_eq!(v1_quota("400000\n", "100000\n"), Some(4.0));
        }
    }
}

#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
mod sys {
    use std::io;

    pub(super) fn give_way() {}

    pub(super) fn affinity() -> Vec<usize> {
        Vec::new()
    }

    pub(super) fn present() -> usize {
        0
    }

    pub(super) fn quota() -> Option<f64> {
        None
    }

    pub(super) fn pin(_cpu: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_rounds_up_and_only_ever_lowers() {
        assert_eq!(shards(8, None), 8);
        assert_eq!(shards(8, Some(2.0)), 2);
        assert_eq!(shards(8, Some(2.1)), 3);
        assert_eq!(shards(8, Some(0.2)), 1);
        assert_eq!(shards(2, Some(64.0)), 2);
        assert_eq!(shards(0, None), 1);
    }

    #[test]
    fn this_machine_has_a_core_to_pin_to() {
        let cpus = allowed_cpus();
        assert!(cpus.is_sorted() && !cpus.is_empty());
        assert!(cfg!(not(target_os = "linux")) || cpus.contains(&present_cpu()));
        assert!((1..=cpus.len()).contains(&shards_for(cpus.len())));
    }

    #[cfg(all(target_os = "linux", not(metalbond_portable)))]
    #[test]
    fn pinning_narrows_the_thread_to_the_core() {
        let last = *allowed_cpus().last().unwrap();
        let pinned = std::thread::spawn(move || {
            pin_to(last).unwrap();
            allowed_cpus()
        });
        assert_eq!(pinned.join().unwrap(), [last]);
        assert!(pin_to(1_000_000).is_err());
    }
}
