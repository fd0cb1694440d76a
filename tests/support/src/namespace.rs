//! Network namespaces: work in one, and their end.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs `work` on a thread in `namespace`; the sockets that it opens stay there.
pub fn at<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let file = File::open(format!("/run/netns/{namespace}")).unwrap();
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Whether the namespaces of the calling test stay: it has failed, and `METALBOND_KEEP_LAB` is in the
/// environment and not empty.
pub fn stays() -> bool {
    let keep = std::env::var_os("METALBOND_KEEP_LAB").is_some_and(|value| !value.is_empty());
    keep && std::thread::panicking()
}

/// Deletes namespaces at the end of a test, in this order. If they [stay](stays), it prints how to enter and
/// how to delete them instead. Skips missing namespaces.
///
/// Many nexthop objects in a namespace would hold the lock of all networking while it is deleted: withdraw
/// them first.
pub fn end(names: &[&str]) {
    if !stays() {
        for name in names {
            drop(Command::new("ip").args(["netns", "delete", name]).output());
        }
        if std::thread::panicking() {
            eprintln!("--- set METALBOND_KEEP_LAB=1 to keep the network namespaces of this test");
        }
        return;
    }
    eprintln!("--- METALBOND_KEEP_LAB keeps the network namespaces of this test. To enter one:");
    for name in names {
        eprintln!("ip netns exec {name} bash");
    }
    eprintln!("--- To delete them:");
    for name in names {
        eprintln!("ip netns delete {name}");
    }
}
