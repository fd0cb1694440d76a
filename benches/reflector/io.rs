//! The I/O back ends that benches run on.

use metalbond::io::{Backend, IoChoice, choose};

/// Both back ends, or one and a sentence that says why the other is missing.
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
