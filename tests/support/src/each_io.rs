//! Tests of each way to drive sockets.

use metalbond::io::{self, IoChoice};

/// Makes two tests of each script, one for each I/O back end: `uring` and `epoll`. They call `harness::run`
/// of the test program with the back end and the script.
#[macro_export]
#[allow(clippy::crate_in_macro_def, reason = "the harness is that of the test program")]
macro_rules! on_each_io {
    ($($script:ident),* $(,)?) => {$(
        mod $script {
            #[test]
            fn uring() {
                crate::harness::run(metalbond::io::IoChoice::Uring, super::$script);
            }

            #[test]
            fn epoll() {
                crate::harness::run(metalbond::io::IoChoice::Epoll, super::$script);
            }
        }
    )*};
}

/// Whether an I/O back end is available here; if not, the calling test is skipped.
#[track_caller]
pub fn has_io(io: IoChoice) -> bool {
    if let Err(error) = io::choose(io) {
        crate::skip!(error.to_string());
    }
    true
}
