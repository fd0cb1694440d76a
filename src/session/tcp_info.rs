//! What the kernel says of a connection's sending side.

use std::time::Duration;

/// The state of a connection's sending side, from `struct tcp_info` of Linux.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpInfo {
    /// The most bytes of payload that a segment carries at present (`tcpi_snd_mss`).
    pub mss: u32,
    /// The window: the bytes that the peer is ready to take beyond those that it has acknowledged (`tcpi_snd_wnd`);
    /// `None` before Linux 5.4.
    pub window: Option<u32>,
    /// The power of two by which the peer scales its window (`tcpi_snd_wscale`); `None` if the connection has no window
    /// scale option.
    pub scale: Option<u8>,
    /// The bytes written here that the peer's kernel has not acknowledged yet, sent or not (`SIOCOUTQ`).
    pub unacked: u64,
    /// The bytes that the peer's kernel has acknowledged since the start (`tcpi_bytes_acked`); on the side that
    /// connected, the SYN counts as one byte.
    pub acked: u64,
    /// The shortest round trip of the last minutes (`tcpi_min_rtt`); `None` before Linux 4.6.
    pub round_trip: Option<Duration>,
}
