//! Servers that are known by their SPIFFE ID and not by a name of the DNS.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::identity;

/// The placeholder for a server's name in the handshake if the name is a SPIFFE ID; `None` for other names.
pub(crate) fn dummy(name: &str) -> Option<ServerName<'static>> {
    let is_spiffe = name.get(..9).is_some_and(|it| it.eq_ignore_ascii_case("spiffe://"));
    is_spiffe.then(|| ServerName::try_from("spiffe.invalid").ok()).flatten()
}

/// Checks the chain as for any server, then the ID.
#[derive(Debug)]
pub(super) struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    id: Box<str>,
}

impl Verifier {
    pub(super) fn new(inner: Arc<WebPkiServerVerifier>, id: &str) -> Self {
        Self { inner, id: id.into() }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // It checks the name last, and no server has the placeholder as its name.
        match self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(CertificateError::NotValidForName.into()),
        }
        match identity(end_entity) {
            Ok(proven) if proven.name() == Some(&*self.id) => Ok(ServerCertVerified::assertion()),
            _ => Err(CertificateError::NotValidForName.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
