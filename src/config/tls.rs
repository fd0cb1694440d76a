//! [`TlsConfig`]: where sessions over TLS come in, and by which certificates.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use super::ReflectorConfig;
use crate::maybe;
use crate::settings::{ADDRESS, PATH, Section, Setting};
use crate::tls::FileError;

/// The listener for sessions over TLS. Without an address there is no TLS.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsConfig {
    /// The address on which to listen; port 0 takes a free port. `None`: no TLS.
    pub listen: Option<SocketAddr>,
    /// The reflector's certificate in PEM, followed by those of intermediate authorities.
    pub certificate: Option<PathBuf>,
    /// Its key in PEM.
    pub key: Option<PathBuf>,
    /// The authorities from which peers' certificates must come, in PEM.
    pub ca: Option<PathBuf>,
    /// Revocation lists (CRLs) of these authorities: any number in PEM, or one in DER.
    pub crl: Option<PathBuf>,
}

/// Why a configuration of TLS is not usable.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// This program was built without TLS.
    #[error("this program was built without TLS (--tls-listen): build it with --features tls")]
    Absent,
    /// The configuration does not name a file that TLS needs.
    #[error("--tls-listen needs {0}: give the path of a file in PEM")]
    Missing(&'static str),
    /// A file is not usable.
    #[error(transparent)]
    File(#[from] FileError),
}

impl TlsConfig {
    /// Checks what can be checked without listening: reads all files.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn check(&self) -> Result<(), TlsError> {
        if self.listen.is_none() {
            return Ok(());
        }
        if !cfg!(feature = "tls") {
            return Err(TlsError::Absent);
        }
        for (flag, path) in [
            ("--tls-certificate", &self.certificate),
            ("--tls-key", &self.key),
            ("--tls-ca", &self.ca),
        ] {
            if path.is_none() {
                return Err(TlsError::Missing(flag));
            }
        }
        #[cfg(feature = "tls")]
        crate::tls::server(&self.paths())?;
        Ok(())
    }

    /// The files.
    #[cfg(feature = "tls")]
    pub(crate) fn paths(&self) -> crate::tls::Paths {
        crate::tls::Paths {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            ca: self.ca.clone().unwrap_or_default(),
            crl: self.crl.clone(),
        }
    }
}

/// The rows of `[tls]`.
pub(crate) static TLS: Section<ReflectorConfig> = Section::of_table(
    "tls",
    &[
        Setting::new("listen", maybe!(ReflectorConfig: tls.listen, ADDRESS))
            .flag("tls-listen")
            .meaning(
                "Address on which to accept sessions over TLS 1.3, besides --listen; peers must \
                 show a certificate",
            )
            .details("See [security.md](security.md#tls)"),
        Setting::new("certificate", maybe!(ReflectorConfig: tls.certificate, PATH))
            .flag("tls-certificate")
            .meaning(
                "File with the certificate (PEM) of this reflector, followed by those of \
                 intermediate authorities; read again when it changes",
            )
            .reloaded_for_new_sessions(),
        Setting::new("key", maybe!(ReflectorConfig: tls.key, PATH))
            .flag("tls-key")
            .meaning("File with the key (PEM) of --tls-certificate; read again when it changes")
            .reloaded_for_new_sessions(),
        Setting::new("ca", maybe!(ReflectorConfig: tls.ca, PATH))
            .flag("tls-ca")
            .meaning(
                "File with the authorities (PEM) that must have signed the certificates of peers; \
                 read again when it changes",
            )
            .reloaded_for_new_sessions(),
        Setting::new("crl", maybe!(ReflectorConfig: tls.crl, PATH))
            .flag("tls-crl")
            .meaning(
                "File with revocation lists (PEM, or one in DER) of the authorities in --tls-ca; \
                 read again when it changes",
            )
            .reloaded_for_new_sessions(),
    ],
);
