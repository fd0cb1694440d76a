//! [`TlsConfig`]: where sessions over TLS come in, and by which certificates.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;
use tracing::info;

use super::ReflectorConfig;
#[cfg(feature = "tls")]
use crate::io::try_out;
use crate::session::TlsCarrier;
use crate::settings::{ADDRESS, PATH, Section, Setting, Syntax};
use crate::tls::{CarrierError, FileError, TlsCarrierChoice};
use crate::{maybe, one};

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
    /// Who encrypts and decrypts.
    pub carrier: TlsCarrierChoice,
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
    /// There is no such carrier.
    #[error(transparent)]
    Carrier(#[from] CarrierError),
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
        crate::tls::server(&self.paths(), false)?;
        Ok(())
    }

    /// Who carries sessions, if there is a listener. Tries the kernel's TLS out, which takes a moment.
    ///
    /// # Errors
    /// [`TlsError::Carrier`]
    pub(crate) fn choose_carrier(&self) -> Result<Option<TlsCarrier>, TlsError> {
        if self.listen.is_none() {
            return Ok(None);
        }
        let (carrier, why) = crate::tls::choose(self.carrier, try_out)?;
        if let Some(error) = why {
            info!(
                %error,
                "threads of the reflector carry sessions over TLS: the kernel has no TLS that the \
                 reflector can use; load its module (modprobe tls)"
            );
        }
        Ok(Some(carrier))
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

#[cfg(not(feature = "tls"))]
fn try_out() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

const CARRIER: Syntax<TlsCarrierChoice> = Syntax::displayed("auto|kernel|process", |text| {
    text.parse().map_err(|it: CarrierError| it.to_string())
});

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
        Setting::new("carrier", one!(ReflectorConfig: tls.carrier, CARRIER))
            .flag("tls-carrier")
            .meaning(
                "Who encrypts and decrypts: auto uses the kernel if it has TLS, otherwise threads \
                 of the reflector",
            )
            .details("See [security.md](security.md#encryption)"),
    ],
);
