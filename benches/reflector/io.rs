//! The I/O back ends that benches run on.

use metalbond::io::{Backend, IoChoice, choose};

/// Both, or one and a sentence that says why not the other.
pub(crate) fn back_ends(bench: &str) -> Vec<(IoChoice, Backend)> {
    let mut found = Vec::new();
    for choice in [IoChoice::Uring, IoChoice::Epoll] {
        match choose(choice) {
            Ok((backend, _)) => found.push((choice, backend)),
            Err(error) => println!("SKIPPED {bench}/{choice}: {error}"),
        }
    }
    found
}
