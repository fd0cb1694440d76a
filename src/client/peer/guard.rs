//! What the kernel drops of a server's packets: those from beyond so many routers, and those without a signature.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;

use crate::access::TcpKeys;
use crate::client::{LeafConfig, SessionError};
use crate::io::{read_text, set_full_ttl, set_min_ttl, set_tcp_md5};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Guard {
    min_ttl: u8,
    keys: TcpKeys,
}

impl Guard {
    /// Reads the keys anew.
    ///
    /// # Errors
    /// [`SessionError::Connect`], when the file is of no use.
    pub(super) fn of(config: &LeafConfig) -> Result<Self, SessionError> {
        let read = |path: &Path| TcpKeys::of_file(path, read_text(path, TcpKeys::FILE_MAX));
        let keys = config.md5_keys.as_deref().map(read).transpose();
        let keys = keys.map_err(|error| SessionError::Connect(error.to_string()))?;
        Ok(Self { min_ttl: config.min_ttl, keys: keys.unwrap_or_default() })
    }

    /// Has a socket that is about to connect there hold packets to it.
    ///
    /// # Errors
    /// What the kernel says, with what it can't do.
    pub(super) fn set(&self, socket: &impl AsFd, server: IpAddr) -> io::Result<()> {
        // A server may ask for it.
        set_full_ttl(socket)?;
        let named = |what: &str, error: io::Error| {
            io::Error::new(error.kind(), format!("{error} ({what}, which the kernel may lack)"))
        };
        if self.min_ttl > 0 {
            set_min_ttl(socket, self.min_ttl).map_err(|error| named("--min-ttl", error))?;
        }
        if let Some(key) = self.keys.of(server) {
            let server = server.to_canonical();
            let whole = if server.is_ipv4() { 32 } else { 128 };
            set_tcp_md5(socket, (server, whole), key.bytes())
                .map_err(|error| named("--tcp-md5-key-file", error))?;
        }
        Ok(())
    }
}
