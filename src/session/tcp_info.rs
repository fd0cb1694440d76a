//! What the kernel says of a connection's sending side.

use std::time::Duration;

/// The state of a connection's sending side, as Linux has it in `struct tcp_info`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpInfo {
    /// The most payload a segment carries at present, in bytes (`tcpi_snd_mss`).
    pub mss: u32,
    /// Bytes the peer is ready to take beyond what it has acknowledged (`tcpi_snd_wnd`); `None`
    /// before Linux 5.4.
    pub window: Option<u32>,
    /// The power of two by which the peer scales its window (`tcpi_snd_wscale`); `None` when the
    /// connection has no window scale option.
    pub scale: Option<u8>,
    /// Bytes written here that the peer's kernel has not yet acknowledged, sent or not
    /// (`SIOCOUTQ`).
    pub unacked: u64,
    /// Bytes the peer's kernel has acknowledged since the start (`tcpi_bytes_acked`); the side
    /// that connected counts its SYN as one.
    pub acked: u64,
    /// The shortest round trip of the last minutes (`tcpi_min_rtt`); `None` before Linux 4.6.
    pub round_trip: Option<Duration>,
}
