//! What the kernel drops of peers' packets before anybody reads them: those from beyond so many routers, and those
//! without a signature.
//!
//! Set on listening sockets: their connections have it from the first packet on.

use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::ReflectorConfig;
use crate::access::{KeyFileError, TcpKeys};
use crate::io;
use crate::settings::{PATH, Section, Setting, Syntax, number};
use crate::{maybe, one};

/// The packets of peers that the kernel drops. By default it drops none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GuardConfig {
    /// Drop packets with a lower TTL (IPv6: hop limit); 0 drops none.
    pub min_ttl: u8,
    /// A file of keys by prefix (TCP-MD5): drop packets from a prefix that are not signed with its key.
    pub md5_keys: Option<PathBuf>,
}

/// Why the kernel cannot check packets as configured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The file of keys is not usable.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The kernel cannot check TTLs.
    #[error("cannot set --min-ttl: {0}; the kernel must know IP_MINTTL and IPV6_MINHOPCOUNT")]
    Ttl(#[source] std::io::Error),
    /// The kernel does not accept a key.
    #[error(
        "cannot set the key of {prefix} (--tcp-md5-key-file): {source}; the kernel must have \
         CONFIG_TCP_MD5SIG, and room for all keys (sysctl net.core.optmem_max)"
    )]
    Key {
        /// The prefix of the key.
        prefix: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl GuardConfig {
    /// Checks what can be checked without listening: reads the file of keys.
    ///
    /// # Errors
    /// [`GuardError::Keys`]
    pub(crate) fn check(&self) -> Result<(), GuardError> {
        self.keys().map(drop)
    }

    fn keys(&self) -> Result<TcpKeys, GuardError> {
        let read = |path: &Path| TcpKeys::of_file(path, io::read_text(path, TcpKeys::FILE_MAX));
        Ok(self.md5_keys.as_deref().map(read).transpose()?.unwrap_or_default())
    }
}

/// What listening sockets hold packets to.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    keys: TcpKeys,
}

impl Guard {
    /// Has listening sockets hold packets to this from now on. Connections that there are keep what they had.
    ///
    /// # Errors
    /// [`GuardError`]
    pub(crate) fn set(
        &mut self,
        config: &GuardConfig,
        listeners: &[BorrowedFd<'_>],
    ) -> Result<(), GuardError> {
        let keys = config.keys()?;
        for listener in listeners {
            io::set_full_ttl(listener).map_err(GuardError::Ttl)?;
            io::set_min_ttl(listener, config.min_ttl).map_err(GuardError::Ttl)?;
            let set = |prefix: (IpAddr, u8), key: &[u8]| {
                io::set_tcp_md5(listener, prefix, key).map_err(|source| GuardError::Key {
                    prefix: format!("{}/{}", prefix.0, prefix.1),
                    source,
                })
            };
            for prefix in keys.lacks(&self.keys) {
                set(prefix, &[])?;
            }
            for (prefix, key) in keys.iter() {
                set(prefix, key.bytes())?;
            }
        }
        self.keys = keys;
        Ok(())
    }
}

const TTL: Syntax<u8> = Syntax::displayed("N", |text| number(text, 0..=u8::MAX));

/// Rows of `[server]`.
pub(crate) static GUARD: Section<ReflectorConfig> = Section::of_role(&[
    Setting::new("min-ttl", one!(ReflectorConfig: guard.min_ttl, TTL))
        .meaning(
            "Drop packets of peers with a lower TTL or hop limit (RFC 5082): 255 accepts only \
             packets that have passed no router; 0 accepts all",
        )
        .details("See [security.md](security.md#ttl)")
        .reloaded_for_new_sessions(),
    Setting::new("tcp-md5-key-file", maybe!(ReflectorConfig: guard.md5_keys, PATH))
        .meaning(
            "File of lines PREFIX KEY: the kernel drops packets from these prefixes that are not \
             signed with the key by TCP-MD5",
        )
        .details("See [security.md](security.md#tcp-md5)")
        .reloaded_for_new_sessions(),
]);
