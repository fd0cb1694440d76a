//! A look at a connection, which the kernel answers.

use std::time::Duration;

/// What the kernel says of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sight {
    /// The largest segment that is not split on the way, in bytes.
    pub(crate) mss: u32,
    /// The window the peer advertises now, in bytes, if the kernel tells.
    pub(crate) window: Option<u32>,
    /// The window counts units of two to the power of this many bytes; `None` if the peers have not
    /// agreed on a scale.
    pub(crate) scale: Option<u8>,
    /// Bytes written but not acknowledged.
    pub(crate) unacked: u64,
    /// Bytes acknowledged so far.
    pub(crate) acked: u64,
    /// The shortest round trip of late, if the kernel tells.
    pub(crate) round_trip: Option<Duration>,
}
