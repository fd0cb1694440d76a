//! A session over TLS: the session itself has one end of a socket pair, a task carries bytes to the server.

use std::net::Ipv6Addr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::{LeafTls, SessionError};
use crate::tls::{self, Ending, Link, Pump, TlsFault, pair};

/// The task that carries the bytes of a session. It goes on by itself when this is dropped.
#[derive(Debug)]
pub(super) struct Carrier {
    ending: Ending,
    pump: JoinHandle<()>,
}

impl Carrier {
    /// Why TLS ended; `None` if it was closed properly.
    pub(super) fn fault(&self) -> Option<TlsFault> {
        self.ending.fault()
    }

    /// Waits until what was written to the stream, which must be dropped, has gone out and both sides have closed; no
    /// longer than `time`.
    pub(super) async fn finish(self, time: Duration) {
        drop(self.ending);
        // The session has ended, so the result matters to no caller.
        drop(timeout(time, self.pump).await);
    }
}

/// Makes the TLS handshake with the server at `address` (HOST:PORT). Returns the stream of the session, and what
/// carries its bytes.
///
/// Reads the files anew, so the next session uses a new certificate.
///
/// # Errors
/// [`SessionError::Tls`]
pub(super) async fn secure(
    tcp: TcpStream,
    settings: &LeafTls,
    address: &str,
) -> Result<(TcpStream, Carrier), SessionError> {
    let failed = |error: &dyn std::fmt::Display| SessionError::Tls(error.to_string());
    let paths = settings.paths();
    let name = settings.server_name.as_deref().unwrap_or_else(|| host(address));
    let (config, name) = match tls::spiffe(name) {
        Some(dummy) => (tls::client(&paths, Some(name)), dummy),
        None => (tls::client(&paths, None), server_name(name)?),
    };
    let connection = config
        .map_err(|error| failed(&error))
        .and_then(|config| ClientConnection::new(config, name).map_err(|error| failed(&error)))?;
    let mut connection = Connection::Client(connection);
    tls::shake_hands(&tcp, &mut connection).await.map_err(|fault| failed(&fault))?;
    let (owner, inner) = pair().map_err(|error| failed(&error))?;
    let (link, ending) = Link::new();
    let pump = Pump::new(tcp, connection, inner, link).map_err(|error| failed(&error))?;
    // std's TcpStream stands for the socket of a session, whatever its kind.
    let owner = std::net::TcpStream::from(OwnedFd::from(owner));
    let owner = TcpStream::from_std(owner).map_err(|error| failed(&error))?;
    let pump = tokio::spawn(pump.run());
    Ok((owner, Carrier { ending, pump }))
}

fn server_name(name: &str) -> Result<ServerName<'static>, SessionError> {
    let parsed = ServerName::try_from(name.to_owned());
    parsed.map_err(|_| {
        SessionError::Tls(format!("{name:?} is not a name that a certificate can have"))
    })
}

/// The host of HOST:PORT, with an address in the form that certificates use.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.split_once('%') {
        Some((address, _)) if address.parse::<Ipv6Addr>().is_ok() => address,
        _ => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_host_of_the_address() {
        for (address, name) in [
            ("rr1.example:4711", "rr1.example"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[fe80::1%eth0]:4711", "fe80::1"),
            ("192.0.2.1:4711", "192.0.2.1"),
        ] {
            assert_eq!(host(address), name);
            assert!(server_name(name).is_ok(), "{name}");
        }
        assert!(server_name("two words").is_err());
    }
}
