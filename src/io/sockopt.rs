//! Socket options that no safe wrapper knows: addresses of packets' origins, and signatures of segments.
//!
//! Stateless. Each function is one or two system calls without waiting.

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub(super) use linux::{peer_address, set, sockaddr};
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub(crate) use linux::{set_full_ttl, set_min_ttl, set_tcp_md5};
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub(crate) use other::{set_full_ttl, set_min_ttl, set_tcp_md5};

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod linux {
    use std::io;
    use std::net::{IpAddr, SocketAddr};
    use std::os::fd::{AsFd, AsRawFd as _};

    use socket2::{SockAddr, SockRef};

    /// The kernel's limit on the bytes of a key for TCP-MD5.
    const TCP_MD5_KEY_MAX: usize = 80;
    /// The TTL of a packet that has passed no router, if it began with this TTL.
    const FULL: u8 = 255;
    /// `TCP_MD5SIG_EXT` of `linux/tcp.h`: a key for a prefix.
    const TCP_MD5SIG_EXT: libc::c_int = 32;
    const FLAG_PREFIX: u8 = 1;
    /// From `linux/in6.h`.
    const IPV6_MINHOPCOUNT: libc::c_int = 73;

    /// Sends packets with the largest TTL, so that the other end sees how many routers they have passed.
    ///
    /// # Errors
    /// The kernel's error.
    pub(crate) fn set_full_ttl(socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        socket.set_ttl_v4(FULL.into())?;
        if is_v6(&socket)? { socket.set_unicast_hops_v6(FULL.into()) } else { Ok(()) }
    }

    /// Drops packets with a lower TTL (RFC 5082); 0 drops none. Kernels that cannot look at the TTL drop none either.
    ///
    /// # Errors
    /// The kernel's error.
    pub(crate) fn set_min_ttl(socket: &impl AsFd, ttl: u8) -> io::Result<()> {
        match set_min_ttl_of_both(socket, ttl) {
            // From emulated kernels, such as qemu-user.
            Err(error) if ttl == 0 && error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(()),
            result => result,
        }
    }

    fn set_min_ttl_of_both(socket: &impl AsFd, ttl: u8) -> io::Result<()> {
        let ttl = libc::c_int::from(ttl).to_ne_bytes();
        set(socket, (libc::IPPROTO_IP, libc::IP_MINTTL), &ttl)?;
        if is_v6(&SockRef::from(socket))? {
            set(socket, (libc::IPPROTO_IPV6, IPV6_MINHOPCOUNT), &ttl)?;
        }
        Ok(())
    }

    /// Signs segments from and to these addresses with a key, and drops other segments from there (RFC 2385). An
    /// empty key removes the prefix's key. A socket for IPv4 alone ignores keys for IPv6, and the other way
    /// round.
    ///
    /// # Errors
    /// The kernel's error; `InvalidInput` for a key that is too long.
    pub(crate) fn set_tcp_md5(
        socket: &impl AsFd,
        (address, length): (IpAddr, u8),
        key: &[u8],
    ) -> io::Result<()> {
        let Some(address) = peer_address(socket, address)? else { return Ok(()) };
        let option = tcp_md5sig(address, length, key)?;
        match set(socket, (libc::IPPROTO_TCP, TCP_MD5SIG_EXT), &option) {
            // There was no key to remove.
            Err(error) if key.is_empty() && error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            result => result,
        }
    }

    /// A peer's address in the form for options of this socket; `None` when the socket can have no such peer.
    pub(in crate::io) fn peer_address(
        socket: &impl AsFd,
        address: IpAddr,
    ) -> io::Result<Option<IpAddr>> {
        let socket = SockRef::from(socket);
        Ok(match (address, is_v6(&socket)?) {
            (IpAddr::V4(address), true) if !socket.only_v6()? => {
                Some(IpAddr::V6(address.to_ipv6_mapped()))
            }
            (IpAddr::V4(_), true) | (IpAddr::V6(_), false) => None,
            (address, _) => Some(address),
        })
    }

    fn is_v6(socket: &SockRef<'_>) -> io::Result<bool> {
        Ok(socket.local_addr()?.is_ipv6())
    }

    /// `struct tcp_md5sig`: the address in 128 bytes, flags, the prefix's length, the key's length, an interface,
    /// the key.
    fn tcp_md5sig(address: IpAddr, length: u8, key: &[u8]) -> io::Result<Vec<u8>> {
        if key.len() > TCP_MD5_KEY_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut option = sockaddr(address);
        option.extend([FLAG_PREFIX, length]);
        option.extend(u16::try_from(key.len()).unwrap_or(0).to_ne_bytes());
        option.extend([0; 4]);
        option.extend(key);
        option.resize(size_of::<libc::sockaddr_storage>() + 8 + TCP_MD5_KEY_MAX, 0);
        Ok(option)
    }

    /// `struct sockaddr_storage` with port 0.
    pub(in crate::io) fn sockaddr(address: IpAddr) -> Vec<u8> {
        let family = SockAddr::from(SocketAddr::new(address, 0)).family();
        let mut bytes = family.to_ne_bytes().to_vec();
        bytes.extend([0; 2]); // the port
        match address {
            IpAddr::V4(address) => bytes.extend(address.octets()),
            IpAddr::V6(address) => {
                bytes.extend([0; 4]); // the flow
                bytes.extend(address.octets());
            }
        }
        bytes.resize(size_of::<libc::sockaddr_storage>(), 0);
        bytes
    }

    #[expect(unsafe_code, reason = "no safe wrapper knows these options")]
    pub(in crate::io) fn set(
        socket: &impl AsFd,
        (level, name): (libc::c_int, libc::c_int),
        value: &[u8],
    ) -> io::Result<()> {
        let length = libc::socklen_t::try_from(value.len()).unwrap_or(0);
        // SAFETY: the descriptor is borrowed for the call, and the kernel reads `length` bytes of `value`, which has
        // that many.
        let result = unsafe {
            let value = value.as_ptr().cast();
            libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, value, length)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Other systems have other options for this, or none.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
mod other {
    use std::io;
    use std::net::IpAddr;

    pub(crate) fn set_full_ttl<S>(_socket: &S) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn set_min_ttl<S>(_socket: &S, ttl: u8) -> io::Result<()> {
        if ttl == 0 { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }

    pub(crate) fn set_tcp_md5<S>(_socket: &S, _prefix: (IpAddr, u8), key: &[u8]) -> io::Result<()> {
        if key.is_empty() { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }
}
