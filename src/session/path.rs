//! Whether large packets reach the peer.
//!
//! Sometimes the path takes only smaller packets than both ends believe, and no router reports that (a black hole of
//! the path's MTU). Then a session is established, because its handshake is small, and ends when the first table is
//! sent, again and again. The sign of that: nothing of the first large write is acknowledged, although the peer's
//! window has room and packets come from the peer. Once a part of it is acknowledged, large packets get through, and
//! the path is not checked again.
//!
//! Pure: what was written and what the kernel says go in.

use std::time::Duration;

use super::TcpInfo;
use crate::ids::Moment;

/// A write of this many bytes fills a packet that a black hole swallows.
const LARGE: usize = 1000;
/// How long no byte must have been acknowledged: by then retransmissions have failed several times.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much later than the write the peer must have been heard.
const AFTER: Duration = Duration::from_secs(1);

/// The state of the path to one peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Path {
    /// No large write was made yet.
    #[default]
    Untried,
    /// At this moment a large write began. `behind`: how many bytes will be acknowledged when all earlier ones are, as
    /// the kernel counts. That is more than was written where TLS is in the kernel: also its handshake and its headers.
    Tried { behind: u64, at: Moment },
    /// No byte of it is acknowledged, though it should be.
    Swallows { behind: u64, at: Moment },
    /// Large packets get through, or the kernel does not say.
    Passes,
}

impl Path {
    /// A write of this many bytes is about to begin. `ask` asks the kernel, which happens once.
    pub(crate) fn before_write(
        &mut self,
        now: Moment,
        length: usize,
        ask: impl FnOnce() -> Option<TcpInfo>,
    ) {
        if *self == Self::Untried && length >= LARGE {
            *self = ask().map_or(Self::Passes, |TcpInfo { acked, unacked, .. }| Self::Tried {
                behind: acked + unacked,
                at: now,
            });
        }
    }

    /// Whether the caller should ask the kernel and call [`Self::look`].
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Tried { .. } | Self::Swallows { .. })
    }

    /// Whether large packets are swallowed, as far as is known.
    pub(crate) fn swallows(&self) -> bool {
        matches!(self, Self::Swallows { .. })
    }

    /// Takes the kernel's state, and the time since it last received anything from the peer, if that counts. `true`
    /// when it has just become clear that large packets are swallowed.
    pub(crate) fn look(
        &mut self,
        now: Moment,
        tcp_info: &TcpInfo,
        heard: Option<Duration>,
    ) -> bool {
        let (Self::Tried { behind, at } | Self::Swallows { behind, at }) = *self else {
            return false;
        };
        if tcp_info.acked > behind {
            *self = Self::Passes;
            return false;
        }
        let waited = now.since(at);
        // A peer that reads nothing has no room; that is not the path's fault.
        let has_room = tcp_info.window.is_none_or(|window| window >= tcp_info.mss);
        let is_heard = heard.is_none_or(|heard| heard + AFTER <= waited);
        let is_swallowed = waited >= PATIENCE && tcp_info.unacked > 0 && has_room && is_heard;
        if self.swallows() || !is_swallowed {
            return false;
        }
        *self = Self::Swallows { behind, at };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn tcp_info(acked: u64, window: u32) -> TcpInfo {
        TcpInfo {
            mss: 1448,
            window: Some(window),
            scale: Some(7),
            round_trip: None,
            unacked: 5000,
            acked,
        }
    }

    /// A path on which 5000 bytes were written behind 60, in second 10. Of the 60, 20 were not acknowledged then.
    fn tried() -> Path {
        tried_behind(0)
    }

    /// The same where the kernel has sent more bytes than were written.
    fn tried_behind(more: u64) -> Path {
        let mut path = Path::default();
        let asked = |acked, unacked| Some(TcpInfo { unacked, ..tcp_info(more + acked, 64_000) });
        path.before_write(Moment(SECOND), 60, || panic!("a small write proves nothing"));
        assert!(!path.is_open());
        path.before_write(Moment(10 * SECOND), 5000, || asked(40, 20));
        path.before_write(Moment(11 * SECOND), 2000, || panic!("it asks once"));
        path
    }

    fn look(path: &mut Path, second: u64, tcp_info: &TcpInfo, heard: u64) -> bool {
        path.look(Moment(second * SECOND), tcp_info, Some(Duration::from_secs(heard)))
    }

    #[test]
    fn large_writes_of_which_nothing_is_acknowledged_are_swallowed() {
        let mut path = tried();
        assert!(!look(&mut path, 12, &tcp_info(60, 64_000), 0), "too early");
        assert!(!look(&mut path, 14, &tcp_info(60, 64_000), 4), "not heard since");
        assert!(!look(&mut path, 14, &tcp_info(60, 0), 0), "it reads nothing");
        assert!(look(&mut path, 15, &tcp_info(60, 64_000), 0));
        assert!(!look(&mut path, 16, &tcp_info(60, 64_000), 0), "said once");
        assert!(path.swallows());
        // The path works again.
        assert!(!look(&mut path, 17, &tcp_info(1508, 64_000), 0));
        assert_eq!(path, Path::Passes);
    }

    #[test]
    fn what_is_acknowledged_once_gets_through() {
        let mut path = tried();
        assert!(!look(&mut path, 14, &tcp_info(61, 64_000), 0));
        path.before_write(Moment(20 * SECOND), 5000, || panic!("it is known"));
        assert!(!path.is_open());
        assert!(!look(&mut path, 30, &tcp_info(61, 64_000), 0));
    }

    #[test]
    fn acknowledged_bytes_of_the_tls_handshake_prove_nothing() {
        let handshake = 1800;
        let mut path = tried_behind(handshake);
        assert!(look(&mut path, 15, &tcp_info(handshake + 60, 64_000), 0));
        assert!(!look(&mut path, 17, &tcp_info(handshake + 1508, 64_000), 0));
        assert_eq!(path, Path::Passes);
    }

    #[test]
    fn without_a_kernel_that_counts_nobody_asks_again() {
        let mut path = Path::default();
        path.before_write(Moment(SECOND), 5000, || None);
        assert!(!path.is_open());
    }
}
