//! Addresses that a machine has but may not use yet.
//!
//! Before IPv6 uses an address it asks the network, for a second or two, whether another machine has it. Until then no
//! program can listen on the address, and the error is the same as for an address that does not exist. A program whose
//! configuration names such an address meets this right after the boot.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use thiserror::Error;
use tracing::info;

use super::listener::bind;

/// How long to wait for the network: twice the default time of the detection.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

/// Why an address of this machine is not usable yet. It is inside the `std::io::Error` of [`bind_when_ready`].
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Unready {
    /// Duplicate address detection has not ended.
    #[error(
        "duplicate address detection on {0} has not ended within {PATIENCE:?}, so the address is \
         still tentative"
    )]
    Tentative(String),
    /// Another machine has the same address.
    #[error("another machine on {0} has the same address (duplicate address detection has failed)")]
    Duplicate(String),
}

impl Unready {
    /// The `Unready` inside an error.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// Like [`bind`], but waits up to 5 s for the end of duplicate address detection. Blocks the calling thread for that
/// time.
///
/// # Errors
/// As [`bind`], and [`Unready`].
pub fn bind_when_ready(address: SocketAddr) -> io::Result<TcpListener> {
    let until = Instant::now() + PATIENCE;
    let mut is_logged = false;
    loop {
        let error = match bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => error,
            result => return result,
        };
        match detection(address.ip()) {
            Some(Unready::Tentative(interface)) if Instant::now() < until => {
                if !is_logged {
                    is_logged = true;
                    info!(%address, interface, "waiting for the end of duplicate address detection");
                }
                std::thread::sleep(LOOK);
            }
            Some(unready) => return Err(io::Error::new(error.kind(), unready)),
            // The address may have become ready since.
            None => return bind(address),
        }
    }
}

/// The state for which an address of this machine waits.
fn detection(address: IpAddr) -> Option<Unready> {
    let IpAddr::V6(address) = address else { return None };
    state(&std::fs::read_to_string("/proc/net/if_inet6").ok()?, address)
}

/// Finds the state in the lines of that file: address, index, prefix length, scope, flags and interface.
fn state(text: &str, address: Ipv6Addr) -> Option<Unready> {
    /// Of linux/if_addr.h.
    const FAILED: u8 = 0x08;
    const TENTATIVE: u8 = 0x40;
    let digits = format!("{:032x}", address.to_bits());
    let mut found = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some(&digits) {
            continue;
        }
        let flags = words.nth(3).and_then(|flags| u8::from_str_radix(flags, 16).ok());
        let (Some(flags), Some(interface)) = (flags, words.next()) else { continue };
        match flags {
            flags if flags & FAILED != 0 => found = Some(Unready::Duplicate(interface.to_owned())),
            flags if flags & TENTATIVE != 0 => {
                return Some(Unready::Tentative(interface.to_owned()));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_is_read() {
        let text = "00000000000000000000000000000001 01 80 10 80       lo\n\
                    fd000000000000000000000000000001 02 40 00 c0     eth0\n\
                    fd000000000000000000000000000002 02 40 00 c8     eth0\n\
                    fe800000000000000000000000000001 02 40 20 80     eth0\n\
                    fe800000000000000000000000000001 03 40 20 40     eth1\n\
                    cut short\n";
        for (address, expected) in [
            ("::1", None),
            ("fd00::1", Some(Unready::Tentative("eth0".into()))),
            ("fd00::2", Some(Unready::Duplicate("eth0".into()))),
            ("fd00::3", None),
            ("fe80::1", Some(Unready::Tentative("eth1".into()))),
        ] {
            assert_eq!(state(text, address.parse().unwrap()), expected, "{address}");
        }
    }
}
