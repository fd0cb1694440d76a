//! The packets of peers that the kernel drops: those that have crossed too many routers, and those without a signature.
//!
//! The rules are set on listening sockets, so they hold from the first packet of each connection.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use thiserror::Error;

use super::ReflectorConfig;
use crate::access::{AoEntry, AoKeys, KeyFile, KeyFileError, Prefix, TcpKeys};
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
    /// A file of keys by prefix (TCP-AO): drop packets from a prefix that are not signed with one of its keys.
    pub ao_keys: Option<PathBuf>,
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
    /// The kernel does not accept a key for TCP-AO.
    #[error(
        "cannot set key {id} of {prefix} (--tcp-ao-key-file): {source}; the kernel must have \
         CONFIG_TCP_AO (Linux 6.7 or newer) and room for all keys (sysctl net.core.optmem_max), and \
         no prefix may also have a key in --tcp-md5-key-file"
    )]
    AoKey {
        /// The prefix of the key.
        prefix: String,
        /// The number of the key.
        id: u8,
        /// Why not.
        source: std::io::Error,
    },
}

impl GuardConfig {
    /// Checks what can be checked without listening: reads the files of keys.
    ///
    /// # Errors
    /// [`GuardError::Keys`]
    pub(crate) fn check(&self) -> Result<(), GuardError> {
        Ok(self.keys().map(drop)?)
    }

    fn keys(&self) -> Result<(TcpKeys, AoKeys), KeyFileError> {
        let md5 = KeyFile::load(self.md5_keys.as_deref(), io::read_text)?;
        Ok((md5, KeyFile::load(self.ao_keys.as_deref(), io::read_text)?))
    }
}

/// What listening sockets hold packets to, each by its place among them.
#[derive(Debug, Default)]
pub(crate) struct Guard(Vec<Held>);

/// The keys that the kernel has accepted for a listening socket.
#[derive(Debug, Default)]
struct Held {
    md5: TcpKeys,
    ao: AoKeys,
}

impl Guard {
    /// Has listening sockets hold packets to this from now on. Connections that there are keep what they had.
    ///
    /// # Errors
    /// [`GuardError`]: the first one. Then the sockets have a part of the rules, and the next call goes on from there.
    pub(crate) fn set(
        &mut self,
        config: &GuardConfig,
        listeners: &[BorrowedFd<'_>],
    ) -> Result<(), GuardError> {
        let (md5, ao) = config.keys()?;
        let Self(held) = self;
        held.resize_with(held.len().max(listeners.len()), Held::default);
        let set = |(held, listener): (&mut Held, &BorrowedFd<'_>)| {
            io::set_full_ttl(listener).map_err(GuardError::Ttl)?;
            io::set_min_ttl(listener, config.min_ttl).map_err(GuardError::Ttl)?;
            held.set(listener, &md5, &ao)
        };
        // A socket that refuses a rule leaves the others theirs.
        let results: Vec<_> = held.iter_mut().zip(listeners).map(set).collect();
        results.into_iter().collect()
    }
}

impl Held {
    /// Gives a listening socket these keys instead of those that it has. Notes each key at once: after a failure the
    /// next call must remove also the keys that came before the failure.
    fn set(
        &mut self,
        listener: &BorrowedFd<'_>,
        md5: &TcpKeys,
        ao: &AoKeys,
    ) -> Result<(), GuardError> {
        let set = |prefix: Prefix, key: &[u8]| {
            io::set_tcp_md5(listener, prefix.parts(), key)
                .map_err(|source| GuardError::Key { prefix: prefix.to_string(), source })
        };
        for prefix in md5.lacks(&self.md5).collect::<Vec<_>>() {
            set(prefix, &[])?;
            self.md5.remove(prefix);
        }
        for entry in ao.lacks(&self.ao.clone()) {
            change(entry, |key| key.remove(listener))?;
            self.ao.remove(entry);
        }
        for (prefix, key) in md5.iter() {
            set(prefix, key.bytes())?;
            self.md5.hold(prefix, key);
        }
        for entry in self.ao.clone().lacks(ao) {
            change(entry, |key| key.add(listener, false))?;
            self.ao.hold(entry);
        }
        Ok(())
    }
}

fn change(
    entry: &AoEntry,
    change: impl FnOnce(io::AoKey<'_>) -> std::io::Result<()>,
) -> Result<(), GuardError> {
    let (prefix, id) = (entry.prefix(), entry.id());
    change(io::AoKey { prefix, id, secret: entry.secret() }).map_err(|source| GuardError::AoKey {
        prefix: format!("{}/{}", prefix.0, prefix.1),
        id,
        source,
    })
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
    Setting::new("tcp-ao-key-file", maybe!(ReflectorConfig: guard.ao_keys, PATH))
        .meaning(
            "File of lines PREFIX ID KEY: the kernel drops packets from these prefixes that are not \
             signed with one of their keys by TCP-AO",
        )
        .details("See [security.md](security.md#tcp-ao)")
        .reloaded_for_new_sessions(),
]);
