//! Finds the ring of a runtime among all rings of the process.
//!
//! Other rings may come and go meanwhile: the library may run inside a program that has its own. So a new descriptor
//! proves nothing. Instead the runtime submits two random numbers of no-ops, one after the other. The ring is the one
//! to which, as the kernel reports, exactly these numbers of entries were submitted.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::os::fd::RawFd;
use std::time::Duration;

use io_uring::{cqueue, opcode};
use tokio_uring::{OneshotOutputTransform, UnsubmittedOneshot};

/// How often to ask for a ring's counter, and how long to wait in between.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_micros(100);

/// The descriptor of a runtime's ring, if the kernel tells. It is open for as long as the runtime is.
pub(super) fn find(runtime: &tokio_uring::Runtime) -> Option<RawFd> {
    let random = RandomState::new();
    let [first, second] = [0, 1].map(|n| 16 + u32::try_from(random.hash_one(n) % 240).unwrap_or(0));
    let begin = rings();
    runtime.block_on(no_ops(first));
    let middle = rings();
    runtime.block_on(no_ops(second));
    let end = rings();
    let is_marked = |ring: &RawFd| {
        let of = |all: &BTreeMap<RawFd, u32>| all.get(ring).copied();
        let (Some(begin), Some(middle), Some(end)) = (of(&begin), of(&middle), of(&end)) else {
            return false;
        };
        middle.wrapping_sub(begin) == first && end.wrapping_sub(middle) == second
    };
    let mut marked = end.keys().copied().filter(is_marked);
    marked.next().filter(|_| marked.next().is_none())
}

/// Gives the ring of the present runtime this number of no-op entries, and waits for them.
pub(super) async fn no_ops(count: u32) {
    for _ in 0..count {
        UnsubmittedOneshot::new((), Done, opcode::Nop::new().build()).submit().await;
    }
}

struct Done;

impl OneshotOutputTransform for Done {
    type Output = ();
    type StoredData = ();

    fn transform_oneshot_output(self, _data: (), _entry: cqueue::Entry) {}
}

/// The number of entries that each ring of this process was given.
fn rings() -> BTreeMap<RawFd, u32> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return BTreeMap::new();
    };
    let ring = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        if target.as_os_str() != "anon_inode:[io_uring]" {
            return None;
        }
        let ring = entry.file_name().to_str()?.parse().ok()?;
        Some((ring, given(ring)?))
    };
    entries.flatten().filter_map(ring).collect()
}

/// The number of entries that a ring was given, as far as its counter goes.
///
/// A kernel that shows the counter shows nothing of a ring in use, for example because another shard
/// looks for its own ring at the same time. So this asks again, for 10 ms or more. Kernels that never show
/// the counter show other lines of the ring, and are asked once.
pub(super) fn given(ring: RawFd) -> Option<u32> {
    for _ in 0..ATTEMPTS {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{ring}")).ok()?;
        if let Some(tail) = info.lines().find_map(|line| line.strip_prefix("SqTail:")) {
            return tail.trim().parse().ok();
        }
        if info.contains("\nSq") {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
    None
}
