//! What the kernel knows about a connection: how far its peer has read.
//!
//! Stateless. Pacing asks this about peers that would lose their session if they were sent more than they read. Two
//! system calls without waiting. The code here reports and doesn't judge.

#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
use std::time::Duration;

use crate::session::TcpInfo;

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub(crate) use linux::{heard, read};

/// Other systems don't report it; their peers are paced by time.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub(crate) fn read<S>(_socket: &S) -> Option<TcpInfo> {
    None
}

/// Other systems don't report it.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub(crate) fn heard<S>(_socket: &S) -> Option<Duration> {
    None
}

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod linux {
    use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
    use std::time::Duration;

    use super::TcpInfo;

    /// Offsets into `struct tcp_info` of `linux/tcp.h`. It only ever grows at its end.
    const OPTIONS: usize = 5;
    const WSCALE: usize = 6;
    const SND_MSS: usize = 16;
    const LAST_DATA_RECEIVED: usize = 52;
    const LAST_ACK_RECEIVED: usize = 56;
    const BYTES_ACKED: usize = 120;
    const MIN_RTT: usize = 148;
    const SND_WND: usize = 228;
    /// `TCPI_OPT_WSCALE` of `tcpi_options`.
    const OPT_WSCALE: u8 = 4;
    /// The struct up to and including `tcpi_snd_wnd`; kernels that know more are asked for this much.
    const LENGTH: usize = SND_WND + 4;

    pub(crate) fn read(socket: &impl AsFd) -> Option<TcpInfo> {
        let mut info = [0; LENGTH];
        // In this order: bytes that are acknowledged in between count twice rather than not at all.
        let unacked = unacked(socket.as_fd())?;
        let length = get_tcp_info(socket.as_fd(), &mut info)?;
        parse(info.get(..length)?, unacked)
    }

    /// The time since the peer's kernel was last heard, by data or an acknowledgement.
    pub(crate) fn heard(socket: &impl AsFd) -> Option<Duration> {
        let mut info = [0; LENGTH];
        let length = get_tcp_info(socket.as_fd(), &mut info)?;
        let millis = |at: usize| {
            let bytes: &[u8; 4] = info[..length].get(at..)?.first_chunk()?;
            Some(u32::from_ne_bytes(*bytes))
        };
        let latest = millis(LAST_DATA_RECEIVED)?.min(millis(LAST_ACK_RECEIVED)?);
        Some(Duration::from_millis(latest.into()))
    }

    fn parse(info: &[u8], unacked: u64) -> Option<TcpInfo> {
        // Two bit fields of four bits: the peer's scale comes first.
        let scales = *info.get(WSCALE)?;
        let scale = if cfg!(target_endian = "big") { scales >> 4 } else { scales & 15 };
        let micros = info.get(MIN_RTT..).and_then(<[u8]>::first_chunk);
        let round_trip = micros.map(|bytes| u32::from_ne_bytes(*bytes));
        Some(TcpInfo {
            // Before the first measurement all bits are set.
            round_trip: round_trip
                .filter(|micros| (1..u32::MAX).contains(micros))
                .map(|micros| Duration::from_micros(micros.into())),
            scale: (info.get(OPTIONS)? & OPT_WSCALE != 0).then_some(scale),
            mss: u32::from_ne_bytes(*info.get(SND_MSS..)?.first_chunk()?),
            window: info
                .get(SND_WND..)
                .and_then(<[u8]>::first_chunk)
                .map(|bytes| u32::from_ne_bytes(*bytes)),
            unacked,
            acked: u64::from_ne_bytes(*info.get(BYTES_ACKED..)?.first_chunk()?),
        })
    }

    /// Fills `info` and returns how many bytes of it the kernel knows.
    #[expect(unsafe_code, reason = "no safe wrapper knows TCP_INFO")]
    fn get_tcp_info(socket: BorrowedFd<'_>, info: &mut [u8; LENGTH]) -> Option<usize> {
        let mut length = libc::socklen_t::try_from(info.len()).ok()?;
        // SAFETY: the descriptor is borrowed for the call. The kernel writes at most `length`
        // bytes to `info`, which has that many and takes any, and the new length to `length`.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return None;
        }
        usize::try_from(length).ok()
    }

    /// Bytes written and not yet acknowledged. `bytes_sent - bytes_acked` would leave out bytes
    /// not sent yet and count retransmitted bytes twice.
    #[expect(unsafe_code, reason = "no safe wrapper knows SIOCOUTQ")]
    fn unacked(socket: BorrowedFd<'_>) -> Option<u64> {
        let mut bytes: libc::c_int = 0;
        // SAFETY: the descriptor is borrowed for the call. SIOCOUTQ, which Linux also calls
        // TIOCOUTQ, writes one `int` to its argument.
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        if result != 0 {
            return None;
        }
        u64::try_from(bytes).ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_shorter_struct_of_an_older_kernel_has_no_window() {
            let mut info = [0; LENGTH];
            info[OPTIONS] = OPT_WSCALE;
            info[MIN_RTT..][..4].copy_from_slice(&1500_u32.to_ne_bytes());
            info[WSCALE] = if cfg!(target_endian = "big") { 0x7a } else { 0xa7 };
            info[SND_MSS..][..4].copy_from_slice(&1448_u32.to_ne_bytes());
            info[BYTES_ACKED..][..8].copy_from_slice(&(5_u64 << 32).to_ne_bytes());
            info[SND_WND..].copy_from_slice(&65_535_u32.to_ne_bytes());
            let full = TcpInfo {
                mss: 1448,
                window: Some(65_535),
                scale: Some(7),
                round_trip: Some(Duration::from_micros(1500)),
                unacked: 7,
                acked: 5 << 32,
            };
            assert_eq!(parse(&info, 7), Some(full));
            let old = TcpInfo { window: None, ..full };
            assert_eq!(parse(&info[..SND_WND], 7), Some(old));
            assert_eq!(parse(&info[..BYTES_ACKED], 7), None);
            info[OPTIONS] = 0;
            assert_eq!(parse(&info, 7), Some(TcpInfo { scale: None, ..full }));
        }
    }
}
