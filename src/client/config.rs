//! What a leaf is started with.

use std::path::PathBuf;
use std::time::Duration;

use crate::tls::FileError;

/// How a leaf behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeafConfig {
    /// The keepalive interval to ask for, in seconds; 0 is taken for 1. A session uses the lower of both
    /// sides'. A server is dead that sends nothing for two and a half of these.
    pub keepalive: u32,
    /// How long routes stay when no server is left that has them. Zero: they go at once.
    pub stale_time: Duration,
    /// A stable name of this host, told to servers; at most 255 bytes of it.
    pub node: String,
    /// Routes that one server may announce before its session is closed; and stale ones of one VNI
    /// that are kept.
    pub routes_per_peer: usize,
    /// Routes of all servers and VNIs at most; 0 for any number. What is there when it is reached stays; further
    /// routes wait until there is room. As many again are remembered while they wait.
    pub max_routes: usize,
    /// The same of each VNI.
    pub max_routes_per_vni: usize,
    /// How long to wait between attempts to connect.
    pub backoff: Backoff,
    /// How sessions are secured, if they are over TLS.
    pub tls: Option<LeafTls>,
    /// Packets of servers with a lower TTL, or hop limit, are dropped by the kernel; 0 drops none.
    pub min_ttl: u8,
    /// A file of keys by prefix, lines `PREFIX KEY`: sessions with servers there are signed by TCP-MD5. Each
    /// session reads it anew.
    pub md5_keys: Option<PathBuf>,
}

/// How a leaf's sessions are secured: over TLS 1.3. Files are in PEM, and each session reads them anew.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeafTls {
    /// Authorities that a server's certificate must come from.
    pub ca: PathBuf,
    /// The leaf's own certificate, with those of intermediate authorities behind it; and its key.
    pub certificate: Option<PathBuf>,
    /// The key of the certificate.
    pub key: Option<PathBuf>,
    /// The name that a server's certificate must have: of the DNS, an address, or a SPIFFE ID. `None`: the host
    /// of the server's address.
    pub server_name: Option<String>,
}

impl LeafTls {
    /// Reads all files, as a session will.
    ///
    /// # Errors
    /// The first that can't be used.
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
    /// 5 s keepalive, 120 s stale time, no name, 4,000,000 routes of a server, 400,000 in all and 50,000 of a VNI, 0.5 s
    /// to 30 s between attempts, no TLS.
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
        }
    }
}

/// Pauses between attempts to connect: each is twice as long as the one before and, so that not all
/// leaves of a data centre come at once, up to half as long again; from `min` to `max`. They begin
/// anew when a session has held for ten seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The first pause at least; less than a millisecond is taken for one.
    pub min: Duration,
    /// Any pause at most; less than three halves of `min` is taken for that.
    pub max: Duration,
}

impl Default for Backoff {
    /// 0.5 s to 30 s.
    fn default() -> Self {
        Self { min: Duration::from_millis(500), max: Duration::from_secs(30) }
    }
}

impl LeafConfig {
    /// The same, with what makes no sense replaced as documented.
    pub(super) fn sensible(mut self) -> Self {
        self.keepalive = self.keepalive.max(1);
        let Backoff { min, max } = &mut self.backoff;
        *min = (*min).max(Duration::from_millis(1));
        *max = (*max).max(min.saturating_add(*min / 2));
        self
    }
}
