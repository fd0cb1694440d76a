//! The configuration of a leaf.

use std::path::PathBuf;
use std::time::Duration;

use crate::tls::FileError;

/// The configuration of a leaf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeafConfig {
    /// The keepalive interval to ask for, in seconds; 0 counts as 1. A session uses the lower of both
    /// sides' intervals. The leaf closes a session in which no message has arrived for two and a half intervals.
    pub keepalive: u32,
    /// For how long the leaf keeps routes that no server has any more. Zero: it removes them at once.
    pub stale_time: Duration,
    /// A stable name of this host, sent to servers in HELLO; at most 255 bytes of it.
    pub node: String,
    /// The number of routes that one server may announce before the leaf closes its session, and the number
    /// of stale routes that the leaf keeps of one VNI.
    pub routes_per_peer: usize,
    /// The most routes of all VNIs that the leaf takes in; 0 means no limit. At the limit, routes that the leaf
    /// has stay, and further routes wait until there is room. It remembers as many waiting routes again; it counts the
    /// rest.
    pub max_routes: usize,
    /// The most routes of one VNI, with the same effect.
    pub max_routes_per_vni: usize,
    /// The pauses between attempts to connect.
    pub backoff: Backoff,
    /// TLS; `None` for sessions over plain TCP.
    pub tls: Option<LeafTls>,
    /// The kernel drops packets of servers with a lower TTL (IPv6: hop limit); 0 drops none.
    pub min_ttl: u8,
    /// A file with lines `PREFIX KEY`: sessions with servers in the prefix are signed with the key (TCP-MD5). Each
    /// session reads the file again.
    pub md5_keys: Option<PathBuf>,
    /// A file with lines `PREFIX ID KEY`: sessions with servers in the prefix are signed by TCP-AO (RFC 5925) with the
    /// first matching key, or with another matching key that the server asks for. Each session reads it again.
    pub ao_keys: Option<PathBuf>,
}

/// TLS 1.3 for a leaf's sessions. Files are in PEM; each session reads them again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeafTls {
    /// The certificate authorities that may sign a server's certificate.
    pub ca: PathBuf,
    /// The leaf's own certificate, followed by the certificates of intermediate authorities.
    pub certificate: Option<PathBuf>,
    /// The key of the leaf's certificate.
    pub key: Option<PathBuf>,
    /// The name that a server's certificate must have: a DNS name, an address, or a SPIFFE ID. `None`: the host
    /// of the server's address.
    pub server_name: Option<String>,
}

impl LeafTls {
    /// Reads all files, as a session does.
    ///
    /// # Errors
    /// The first unusable file, and the reason.
    pub fn check(&self) -> Result<(), FileError> {
        #[cfg(feature = "tls")]
        crate::tls::client(&self.paths(), None)?;
        Ok(())
    }

    #[cfg(feature = "tls")]
    pub(super) fn paths(&self) -> crate::tls::Paths {
        crate::tls::Paths {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            ca: self.ca.clone(),
            crl: None,
        }
    }
}

impl Default for LeafConfig {
    /// 5 s keepalive, 120 s stale time, no name, 4,000,000 routes of a server, 400,000 in all and 50,000 of a VNI, 0.5
    /// s to 30 s between attempts, no TLS.
    fn default() -> Self {
        Self {
            keepalive: 5,
            stale_time: Duration::from_secs(120),
            node: String::new(),
            routes_per_peer: 4_000_000,
            max_routes: 400_000,
            max_routes_per_vni: 50_000,
            backoff: Backoff::default(),
            tls: None,
            min_ttl: 0,
            md5_keys: None,
            ao_keys: None,
        }
    }
}

/// The pauses between attempts to connect. Each pause is twice as long as the one before, plus a random part of
/// up to half, so that the leaves of a data centre do not all connect at once. After a session of ten seconds or more
/// the pauses begin again with `min`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The shortest first pause; less than 1 ms counts as 1 ms.
    pub min: Duration,
    /// The longest pause, random part included; less than 1.5 times `min` counts as 1.5 times `min`.
    pub max: Duration,
}

impl Default for Backoff {
    /// 0.5 s to 30 s.
    fn default() -> Self {
        Self { min: Duration::from_millis(500), max: Duration::from_secs(30) }
    }
}

impl LeafConfig {
    /// The same, with senseless values replaced as documented.
    pub(super) fn sensible(mut self) -> Self {
        self.keepalive = self.keepalive.max(1);
        let Backoff { min, max } = &mut self.backoff;
        *min = (*min).max(Duration::from_millis(1));
        *max = (*max).max(min.saturating_add(*min / 2));
        self
    }
}
