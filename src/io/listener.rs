//! Listening sockets. Stateless; the caller accepts connections and hands them to shards.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel completes before they are accepted: a data centre's worth of leaves may
/// come back at once. The kernel cuts it to net.core.somaxconn, which is 4096 as well.
const BACKLOG: i32 = 4096;

/// Listens on `addr` with a non-blocking socket. The unspecified IPv6 address accepts IPv4 as well; on a machine
/// without IPv6 it means the unspecified IPv4 address.
///
/// SO_REUSEPORT stays off: with it, a second server on the same port would start without an error
/// and take half of the connections.
///
/// # Errors
///
/// The kernel's error: the address is in use, is not this machine's, or is not allowed.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = match Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP)) {
        Err(error) if no_ipv6(&error) && is_any_v6(addr) => {
            return bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, addr.port())));
        }
        result => result?,
    };
    if addr.is_ipv6() {
        socket.set_only_v6(!is_any_v6(addr))?;
    }
    // On Windows the option means something else, close to SO_REUSEPORT.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    match socket.bind(&addr.into()) {
        // IPv6 compiled in but switched off by sysctl: the socket exists, the address doesn't.
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && is_any_v6(addr) => {
            return bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, addr.port())));
        }
        result => result?,
    }
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_any_v6(addr: SocketAddr) -> bool {
    matches!(addr.ip(), IpAddr::V6(ip) if ip.is_unspecified())
}

#[cfg(unix)]
fn no_ipv6(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

#[cfg(not(unix))]
fn no_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv6Addr, TcpStream};

    #[test]
    fn the_unspecified_address_takes_both_families() {
        let listener = bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).unwrap();
        let addr = listener.local_addr().unwrap();
        let over_v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, addr.port()));
        assert!(over_v4.is_ok(), "{over_v4:?}");
        if addr.is_ipv6() {
            let over_v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, addr.port()));
            assert!(over_v6.is_ok(), "{over_v6:?}");
        }
    }

    #[test]
    fn a_second_listener_on_the_port_is_refused() {
        let first = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let error = bind(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn accepting_does_not_block() {
        let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let error = listener.accept().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    /// The number of waiting connections is one more than the length of the queue, as Linux counts.
    #[cfg(target_os = "linux")]
    #[test]
    fn so_many_wait_to_be_accepted_and_then_clients_try_again() {
        use std::time::Duration;

        crate::io::raise_nofile().unwrap();
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let most = BACKLOG.min(most.trim().parse().unwrap());
        let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let addr = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..=most).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let soon = Duration::from_millis(200);
        let error = TcpStream::connect_timeout(&addr, soon).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let (begins, begun) = std::sync::mpsc::channel();
        let late = std::thread::spawn(move || {
            begins.send(()).unwrap();
            TcpStream::connect(addr)
        });
        begun.recv().unwrap();
        for _ in &clients {
            listener.accept().unwrap();
        }
        // Its kernel asks again after a second.
        late.join().unwrap().unwrap();
    }
}
