//! The packets of a server that the kernel drops: those that have crossed too many routers, and those without a
//! signature.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;

use crate::access::{AoKeys, KeyFile, TcpKeys};
use crate::client::{LeafConfig, SessionError};
use crate::io::{AoKey, read_text, set_full_ttl, set_min_ttl, set_tcp_md5};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Guard {
    min_ttl: u8,
    md5: TcpKeys,
    ao: AoKeys,
}

impl Guard {
    /// Reads the keys anew.
    ///
    /// # Errors
    /// [`SessionError::Connect`] when a key file is not usable.
    pub(super) fn of(config: &LeafConfig) -> Result<Self, SessionError> {
        let (md5, ao) = (load(config.md5_keys.as_deref())?, load(config.ao_keys.as_deref())?);
        Ok(Self { min_ttl: config.min_ttl, md5, ao })
    }

    /// Sets the protection of a socket before it connects to `server`.
    ///
    /// # Errors
    /// The kernel's error, with the option that it refuses.
    pub(super) fn set(&self, socket: &impl AsFd, server: IpAddr) -> io::Result<()> {
        // A server may demand the full TTL.
        set_full_ttl(socket)?;
        let named = |what: &str, error: io::Error| {
            io::Error::new(error.kind(), format!("{error} ({what}, which the kernel may lack)"))
        };
        if self.min_ttl > 0 {
            set_min_ttl(socket, self.min_ttl).map_err(|error| named("--min-ttl", error))?;
        }
        let prefix = match server.to_canonical() {
            server @ IpAddr::V4(_) => (server, 32),
            server @ IpAddr::V6(_) => (server, 128),
        };
        if let Some(key) = self.md5.of(server) {
            set_tcp_md5(socket, prefix, key.bytes())
                .map_err(|error| named("--tcp-md5-key-file", error))?;
        }
        for (place, key) in self.ao.of(server).enumerate() {
            AoKey { prefix, id: key.id(), secret: key.secret() }
                .add(socket, place == 0)
                .map_err(|error| named("--tcp-ao-key-file", error))?;
        }
        Ok(())
    }
}

/// The keys of a file; no keys without a file.
fn load<K: KeyFile>(path: Option<&Path>) -> Result<K, SessionError> {
    K::load(path, read_text).map_err(|error| SessionError::Connect(error.to_string()))
}
