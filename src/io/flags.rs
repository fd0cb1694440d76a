//! Flags of sends, for both kinds of I/O.

/// Of a send: with `eor` no later byte shares a segment with its last one.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub(super) fn send_flags(eor: bool) -> i32 {
    libc::MSG_NOSIGNAL | if eor { libc::MSG_EOR } else { 0 }
}

/// Rust's start-up code ignores SIGPIPE, and MSG_EOR means nothing to other systems' TCP.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub(super) fn send_flags(_eor: bool) -> i32 {
    0
}
