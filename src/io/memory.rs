//! How much memory the process may take, and how much it takes.
//!
//! The tightest of its control groups counts, and of that the lower one of two numbers: at `memory.high` the kernel slows
//! the process down, at `memory.max` it ends it.

/// The memory in bytes that the control groups of the process grant; `None` without a limit. Costs some reads of files.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    sys::limit()
}

/// The resident memory of the process in bytes; `None` if the system does not say. Costs one read of a file.
#[must_use]
pub fn resident_memory() -> Option<u64> {
    sys::resident()
}

/// The bytes that sockets take from the limit of the process's control group, in addition to the memory of the process;
/// `None` if the system does not say. Costs one read of a file, for which the kernel adds up numbers of all processors.
#[must_use]
pub fn socket_memory() -> Option<u64> {
    sys::sockets()
}

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod sys {
    use std::fs::read_to_string;

    use super::texts::{bytes, pages, sockets as sockets_of};
    use crate::io::control_group::{Group, groups, walk};

    const V2: &str = "/sys/fs/cgroup";

    fn own_groups() -> Vec<Group> {
        read_to_string("/proc/self/cgroup").map_or_else(|_| Vec::new(), |it| groups(&it, "memory"))
    }

    pub(super) fn limit() -> Option<u64> {
        let groups = own_groups();
        let limits = groups.iter().flat_map(|group| match group {
            Group::V2(path) => walk(V2, path, |dir| {
                let limit = |name| bytes(&read_to_string(dir.join(name)).ok()?);
                [limit("memory.high"), limit("memory.max")].into_iter().flatten().min()
            }),
            Group::V1(path) => walk("/sys/fs/cgroup/memory", path, |dir| {
                bytes(&read_to_string(dir.join("memory.limit_in_bytes")).ok()?)
            }),
        });
        limits.min()
    }

    pub(super) fn resident() -> Option<u64> {
        let pages = pages(&read_to_string("/proc/self/statm").ok()?)?;
        let size = u64::try_from(rustix::param::page_size()).ok()?;
        Some(pages * size)
    }

    pub(super) fn sockets() -> Option<u64> {
        own_groups().iter().find_map(|group| match group {
            Group::V2(path) => {
                let stat = |dir: &std::path::Path| {
                    sockets_of(&read_to_string(dir.join("memory.stat")).ok()?)
                };
                walk(V2, path, stat).into_iter().next()
            }
            Group::V1(_) => None,
        })
    }
}

/// Reads the files; text in, numbers out.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod texts {
    /// Version 1 writes no limit as the largest number of whole pages.
    const NO_LIMIT: u64 = 1 << 60;

    /// From `memory.max` and its like: bytes, or `max`.
    pub(super) fn bytes(text: &str) -> Option<u64> {
        text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT)
    }

    /// From `/proc/self/statm`: the second number.
    pub(super) fn pages(text: &str) -> Option<u64> {
        text.split(' ').nth(1)?.parse().ok()
    }

    /// From `memory.stat`.
    pub(super) fn sockets(text: &str) -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix("sock ")).and_then(|n| n.trim().parse().ok())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn numbers_are_found() {
            assert_eq!(bytes("max\n"), None);
            assert_eq!(bytes("536870912\n"), Some(536_870_912));
            assert_eq!(bytes("9223372036854771712\n"), None);
            assert_eq!(pages("4321 1234 567 8 0 9 0\n"), Some(1234));
            assert_eq!(sockets("anon 1\nfile 2\nsock 4096\nshmem 3\n"), Some(4096));
            assert_eq!(sockets("anon 1\n"), None);
        }
    }
}

#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
mod sys {
    pub(super) fn limit() -> Option<u64> {
        None
    }

    pub(super) fn resident() -> Option<u64> {
        None
    }

    pub(super) fn sockets() -> Option<u64> {
        None
    }
}

#[cfg(all(test, target_os = "linux", not(metalbond_portable)))]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_memory_and_what_it_takes_shows() {
        let before = resident_memory().unwrap();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident_memory().unwrap() > before + (32 << 20));
        drop(block);
        if let Some(limit) = memory_limit() {
            assert!(limit > before, "{limit}");
        }
    }
}
