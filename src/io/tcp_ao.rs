//! Signatures of segments by TCP-AO (RFC 5925), which Linux has since 6.7.
//!
//! Stateless. Each function is at most three system calls without waiting. The layouts are those of `linux/tcp.h`.

use std::io;
use std::net::IpAddr;

/// A key for some peers.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(all(target_os = "linux", not(metalbond_portable))),
    expect(dead_code, reason = "only Linux takes keys")
)]
pub(crate) struct AoKey<'a> {
    /// An address, and the number of its bits that the peers share.
    pub(crate) prefix: (IpAddr, u8),
    /// SendID and RecvID.
    pub(crate) id: u8,
    pub(crate) secret: &'a [u8],
}

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
impl AoKey<'_> {
    /// The kernel's limit on the bytes of a secret.
    const SECRET_MAX: usize = 80;
    const TCP_AO_ADD_KEY: libc::c_int = 38;
    const TCP_AO_DEL_KEY: libc::c_int = 39;
    /// HMAC-SHA-1-96 of RFC 5926.
    const ALGORITHM: &'static [u8] = b"hmac(sha1)";
    /// The bytes of an algorithm's name.
    const NAME: usize = 64;
    const MAC: u8 = 12;
    /// `set_current` and `set_rnext`, the first two bits of a bit field.
    const IN_USE: u32 = if cfg!(target_endian = "little") { 0b11 } else { 0b11 << 30 };

    /// Signs segments of these peers, and drops other segments from there. A socket that is about to connect signs
    /// with the key that is `in_use`. A socket for IPv4 alone ignores keys for IPv6, and the other way round.
    ///
    /// # Errors
    /// The kernel's error; `InvalidInput` for a secret that is too long.
    pub(crate) fn add(&self, socket: &impl std::os::fd::AsFd, in_use: bool) -> io::Result<()> {
        let Some(address) = super::sockopt::peer_address(socket, self.prefix.0)? else {
            return Ok(());
        };
        let option = self.to_add(address, in_use)?;
        let add =
            || super::sockopt::set(socket, (libc::IPPROTO_TCP, Self::TCP_AO_ADD_KEY), &option);
        match add() {
            // An earlier process has set the key, perhaps with another secret.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.remove(socket)?;
                add()
            }
            result => result,
        }
    }

    /// Removes the key. Connections keep it.
    ///
    /// # Errors
    /// The kernel's error, unless there was no such key.
    pub(crate) fn remove(&self, socket: &impl std::os::fd::AsFd) -> io::Result<()> {
        let Some(address) = super::sockopt::peer_address(socket, self.prefix.0)? else {
            return Ok(());
        };
        let option = self.to_remove(address);
        match super::sockopt::set(socket, (libc::IPPROTO_TCP, Self::TCP_AO_DEL_KEY), &option) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            result => result,
        }
    }

    /// `struct tcp_ao_add`: the address, the algorithm's name, an interface, flags, two unused bytes, the prefix's
    /// length, SendID, RecvID, bytes of a signature, flags, bytes of the secret, the secret.
    fn to_add(self, address: IpAddr, in_use: bool) -> io::Result<Vec<u8>> {
        let length = u8::try_from(self.secret.len()).unwrap_or(u8::MAX);
        if usize::from(length) > Self::SECRET_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut option = super::sockopt::sockaddr(address);
        let name = option.len();
        option.extend(Self::ALGORITHM);
        option.resize(name + Self::NAME, 0);
        option.extend([0; 4]);
        option.extend(if in_use { Self::IN_USE } else { 0 }.to_ne_bytes());
        option.extend([0; 2]);
        option.extend([self.prefix.1, self.id, self.id, Self::MAC, 0, length]);
        let secret = option.len();
        option.extend(self.secret);
        option.resize(secret + Self::SECRET_MAX, 0);
        Ok(option)
    }

    /// `struct tcp_ao_del`: the address, an interface, flags, two unused bytes, the prefix's length, SendID, RecvID,
    /// two keys to use from now on, flags.
    fn to_remove(self, address: IpAddr) -> Vec<u8> {
        let mut option = super::sockopt::sockaddr(address);
        option.extend([0; 10]);
        option.extend([self.prefix.1, self.id, self.id, 0, 0, 0]);
        option
    }
}

/// Other systems have other options for this, or none.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
#[expect(clippy::unused_self, reason = "as on Linux")]
impl AoKey<'_> {
    pub(crate) fn add<S>(&self, _socket: &S, _in_use: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn remove<S>(&self, _socket: &S) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux", not(metalbond_portable)))]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_layout_of_the_kernel() {
        let prefix = (IpAddr::from([10, 0, 0, 0]), 8);
        let key = AoKey { prefix, id: 7, secret: b"secret" };
        let add = key.to_add(prefix.0, false).unwrap();
        assert_eq!(add.len(), 288);
        assert_eq!(&add[4..8], [10, 0, 0, 0]);
        assert_eq!(&add[128..139], b"hmac(sha1)\0");
        assert_eq!(&add[202..214], b"\x08\x07\x07\x0c\x00\x06secret");
        let remove = key.to_remove(prefix.0);
        assert_eq!((remove.len(), &remove[138..141]), (144, &[8, 7, 7][..]));
        let long = AoKey { secret: &[b'x'; 81], ..key };
        assert_eq!(long.to_add(prefix.0, true).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
