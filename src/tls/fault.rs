//! Faults of files, of a handshake, and of a session.

use std::path::PathBuf;

use thiserror::Error;

/// A file that TLS needs and cannot use.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("cannot use {path} ({flag}): {why}")]
#[non_exhaustive]
pub struct FileError {
    /// The flag that sets it.
    pub flag: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Why the file is not usable.
    pub why: String,
}

/// Why a TLS handshake failed, or a TLS connection ended.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum TlsFault {
    /// The peer showed no certificate.
    #[error("the peer showed no certificate")]
    NoCertificate,
    /// No authority that is trusted here has issued the peer's certificate.
    #[error("no authority that is trusted here (--tls-ca) has issued the peer's certificate")]
    UnknownCa,
    /// The peer's certificate has expired, or is not valid yet.
    #[error(
        "the peer's certificate is not valid now: compare its dates with the clocks of both hosts"
    )]
    Expired,
    /// A revocation list has the peer's certificate.
    #[error("the peer's certificate has been revoked")]
    Revoked,
    /// The peer's certificate is not usable for another reason.
    #[error("the peer's certificate: {0}")]
    Certificate(String),
    /// The peer violated the TLS protocol.
    #[error("TLS: {0}")]
    Protocol(String),
    /// The peer sent a TLS alert.
    #[error("the peer sent a TLS alert: {0}")]
    Alert(String),
    /// The connection failed.
    #[error("connection failed: {0}")]
    Connection(std::io::ErrorKind),
    /// The connection ended without TLS's closing alert.
    #[error("the connection ended without close_notify")]
    Truncated,
    /// The handshake took too long.
    #[error("no TLS handshake within 10 s")]
    Late,
    /// The handshake had taken more than a second, and a newer connection needed its place.
    #[error("no TLS handshake was complete before a newer connection needed the place")]
    NoRoom,
}

impl TlsFault {
    /// All names, in the order of the variants.
    pub(crate) const NAMES: [&'static str; 11] = [
        "no_certificate",
        "unknown_ca",
        "expired",
        "revoked",
        "bad_certificate",
        "protocol",
        "alert",
        "connection",
        "truncated",
        "late",
        "no_room",
    ];

    /// A short, stable name, for labels of metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        Self::NAMES[self.place()]
    }

    /// Its index in [`Self::NAMES`].
    pub(crate) fn place(&self) -> usize {
        match self {
            Self::NoCertificate => 0,
            Self::UnknownCa => 1,
            Self::Expired => 2,
            Self::Revoked => 3,
            Self::Certificate(_) => 4,
            Self::Protocol(_) => 5,
            Self::Alert(_) => 6,
            Self::Connection(_) => 7,
            Self::Truncated => 8,
            Self::Late => 9,
            Self::NoRoom => 10,
        }
    }
}

impl From<std::io::Error> for TlsFault {
    fn from(error: std::io::Error) -> Self {
        Self::Connection(error.kind())
    }
}

#[cfg(feature = "tls")]
impl From<rustls::Error> for TlsFault {
    fn from(error: rustls::Error) -> Self {
        use rustls::{CertificateError as Wrong, Error};
        match error {
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(wrong) => match wrong {
                Wrong::UnknownIssuer | Wrong::BadSignature => Self::UnknownCa,
                Wrong::Expired
                | Wrong::ExpiredContext { .. }
                | Wrong::NotValidYet
                | Wrong::NotValidYetContext { .. } => Self::Expired,
                Wrong::Revoked => Self::Revoked,
                wrong => Self::Certificate(wrong.to_string()),
            },
            Error::AlertReceived(alert) => Self::Alert(format!("{alert:?}")),
            error => Self::Protocol(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        let mut names = TlsFault::NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TlsFault::NAMES.len());
        assert_eq!(TlsFault::NoRoom.name(), "no_room");
        assert_eq!(TlsFault::Expired.name(), "expired");
        assert_eq!(TlsFault::Connection(std::io::ErrorKind::BrokenPipe).name(), "connection");
    }
}
