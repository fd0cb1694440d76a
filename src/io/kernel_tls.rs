//! TLS by the kernel: once it has the keys that a handshake has agreed on, a TCP socket encrypts what is written and
//! decrypts what is read.
//!
//! Stateless. The keys belong to the connection: they go along when its descriptor goes to another thread or process.
//! The only cipher is ChaCha20-Poly1305 of TLS 1.3, because its keys need no replacement however long a connection
//! lasts; the kernel cannot replace keys, and those of AES-GCM are used up by some million records.
//!
//! No crate is used for it: `ktls` wraps the streams of tokio-rustls, and reads and writes for them; `ktls-core` says
//! that it is unstable (0.0.x). What is needed is three socket options.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use super::sockopt::set;

/// Of `linux/tls.h`.
const SOL_TLS: libc::c_int = 282;
const VERSION_1_3: u16 = 0x0304;
const CHACHA20_POLY1305: u16 = 54;
/// How long [`try_out`] waits for its own bytes to arrive.
const PATIENCE: Duration = Duration::from_secs(1);

/// The direction of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Send,
    Receive,
}

/// Keys of ChaCha20-Poly1305 for one direction.
#[derive(Clone, Copy)]
pub(crate) struct TlsKeys {
    pub(crate) key: [u8; 32],
    pub(crate) iv: [u8; 12],
    /// The number of the next record.
    pub(crate) sequence: u64,
}

impl std::fmt::Debug for TlsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsKeys").finish_non_exhaustive()
    }
}

/// Prepares a connected socket for keys. Until it gets keys it works as before, even if it never gets any.
///
/// # Errors
/// When the kernel has no TLS, or the connection is gone.
pub(crate) fn prepare(socket: &impl AsFd) -> io::Result<()> {
    set(socket, (libc::IPPROTO_TCP, libc::TCP_ULP), b"tls")
}

/// Gives keys to a [prepared](prepare) socket. Bytes that have arrived and were not read yet are taken for records.
///
/// # Errors
/// When the kernel lacks the cipher. Then the direction is unchanged.
pub(crate) fn set_keys(socket: &impl AsFd, direction: Direction, keys: &TlsKeys) -> io::Result<()> {
    let name = match direction {
        Direction::Send => libc::TLS_TX,
        Direction::Receive => libc::TLS_RX,
    };
    // `struct tls12_crypto_info_chacha20_poly1305`: version, cipher, IV, key, no salt, number of the record.
    let mut option = Vec::with_capacity(56);
    option.extend(VERSION_1_3.to_ne_bytes());
    option.extend(CHACHA20_POLY1305.to_ne_bytes());
    option.extend(keys.iv);
    option.extend(keys.key);
    option.extend(keys.sequence.to_be_bytes());
    set(socket, (SOL_TLS, name), &option)
}

/// Whether the kernel does TLS: gives keys to a connection of this process with itself, and sends some bytes over it.
/// Takes a moment.
///
/// # Errors
/// The missing feature of the kernel.
pub(crate) fn try_out() -> io::Result<()> {
    let any_port = |address| TcpListener::bind::<SocketAddr>(address);
    let listener = any_port((Ipv6Addr::LOCALHOST, 0).into())
        .or_else(|_| any_port((Ipv4Addr::LOCALHOST, 0).into()))?;
    let mut near = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
    let (mut far, _) = listener.accept()?;
    far.set_read_timeout(Some(PATIENCE))?;
    let keys = TlsKeys { key: [0x4d; 32], iv: [0x42; 12], sequence: 7 };
    for (socket, direction) in [(&near, Direction::Send), (&far, Direction::Receive)] {
        prepare(socket)?;
        set_keys(socket, direction, &keys)?;
    }
    near.write_all(b"metalbond")?;
    let mut received = [0; 9];
    far.read_exact(&mut received)?;
    if &received == b"metalbond" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
