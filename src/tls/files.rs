//! Configurations of both sides, from files.
//!
//! Sessions are not resumed: a resumed one would skip the look at the certificate, which may have been revoked.
//! Files are read whole, up to a bound, and each call reads them anew.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::FileError;
use super::spiffe::Verifier;

/// The most bytes of a file: a revocation list of some hundred thousand certificates.
const FILE_MAX: u64 = 64 << 20;

/// The paths of a side's files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Paths {
    /// Its certificate, followed by the certificates of intermediate authorities.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    /// The authorities that may sign the other side's certificate.
    pub(crate) ca: PathBuf,
    /// Their revocation lists.
    pub(crate) crl: Option<PathBuf>,
}

/// A mark that tells whether the files have changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Stamp(Vec<Option<(u64, u64, i64, i64)>>);

impl Paths {
    fn all(&self) -> impl Iterator<Item = &Path> {
        let own = [self.certificate.as_deref(), self.key.as_deref(), self.crl.as_deref()];
        own.into_iter().flatten().chain([self.ca.as_path()])
    }

    /// The present mark of the files. Cost: a system call for each.
    pub(crate) fn stamp(&self) -> Stamp {
        let of = |path: &Path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
        };
        Stamp(self.all().map(of).collect())
    }
}

/// A reflector's configuration, and the end of its certificate's validity, in time since 1970. `in_kernel`: the kernel
/// may take over connections, so suites whose keys it can use are preferred.
///
/// # Errors
/// [`FileError`]
pub(crate) fn server(
    paths: &Paths,
    in_kernel: bool,
) -> Result<(Arc<ServerConfig>, Duration), FileError> {
    let (chain, key) = own(paths)?.ok_or_else(|| FileError {
        flag: "--tls-certificate",
        path: PathBuf::new(),
        why: "it is not given".to_owned(),
    })?;
    let until = not_after(&chain);
    let provider = if in_kernel { lasting() } else { provider() };
    let roots = Arc::new(roots(&paths.ca)?);
    let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    if let Some(path) = &paths.crl {
        // An authority that has no list in the file has revoked nothing.
        verifier = verifier.with_crls(crls(path)?).allow_unknown_revocation_status();
    }
    let of_ca = wrong("--tls-ca", &paths.ca);
    let verifier = verifier.build().map_err(|error| match (&paths.crl, error) {
        (Some(path), rustls::server::VerifierBuilderError::InvalidCrl(error)) => {
            wrong("--tls-crl", path)(format!("{error:?}"))
        }
        (_, error) => of_ca(error.to_string()),
    })?;
    let certificate = paths.certificate.as_deref().unwrap_or_else(|| Path::new(""));
    let failed = |error: rustls::Error| wrong("--tls-certificate", certificate)(error.to_string());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(failed)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(failed)?;
    config.send_tls13_tickets = 0;
    // Of the suites that both sides have, the reflector's first is used.
    (config.ignore_client_order, config.enable_secret_extraction) = (in_kernel, in_kernel);
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok((Arc::new(config), until))
}

/// A leaf's configuration. `id`: the SPIFFE ID that is the server's name, if it has one.
///
/// # Errors
/// [`FileError`]
pub(crate) fn client(paths: &Paths, id: Option<&str>) -> Result<Arc<ClientConfig>, FileError> {
    let certificate = paths.certificate.as_deref().unwrap_or_else(|| Path::new(""));
    let failed = |error: rustls::Error| wrong("--tls-certificate", certificate)(error.to_string());
    let (provider, roots) = (provider(), Arc::new(roots(&paths.ca)?));
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|error| wrong("--tls-ca", &paths.ca)(error.to_string()))?;
    let verifier: Arc<dyn ServerCertVerifier> = match id {
        Some(id) => Arc::new(Verifier::new(verifier, id)),
        None => verifier,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match own(paths)? {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(failed)?,
        None => config.with_no_client_auth(),
    };
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// As [`provider`], with the suites first whose keys last for a whole connection.
fn lasting() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !lasts(suite));
    Arc::new(provider)
}

/// Whether a suite's keys last for any number of records.
pub(super) fn lasts(suite: &SupportedCipherSuite) -> bool {
    suite.tls13().is_some_and(|suite| suite.common.confidentiality_limit == u64::MAX)
}

type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn own(paths: &Paths) -> Result<Option<Own>, FileError> {
    let (Some(certificate), Some(key)) = (&paths.certificate, &paths.key) else { return Ok(None) };
    let chain = certificates("--tls-certificate", certificate)?;
    let bytes = read("--tls-key", key)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| wrong("--tls-key", key)("it has no private key in PEM".to_owned()))?;
    Ok(Some((chain, key)))
}

fn roots(path: &Path) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("--tls-ca", path)? {
        roots.add(certificate).map_err(|error| wrong("--tls-ca", path)(error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(
    flag: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let bytes = read(flag, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(wrong(flag, path)("it has no certificate in PEM".to_owned())),
        Err(error) => Err(wrong(flag, path)(error.to_string())),
    }
}

/// One or several lists in PEM, or one in DER.
fn crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    let bytes = read("--tls-crl", path)?;
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Ok(vec![CertificateRevocationListDer::from(bytes)]),
        Ok(found) => Ok(found),
        Err(error) => Err(wrong("--tls-crl", path)(error.to_string())),
    }
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |error: std::io::Error| wrong(flag, path)(error.to_string());
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(wrong(flag, path)("it is longer than 64 MiB".to_owned()));
    }
    Ok(bytes)
}

fn wrong(flag: &'static str, path: &Path) -> impl Fn(String) -> FileError + use<> {
    let path = path.to_owned();
    move |why| FileError { flag, path: path.clone(), why }
}

/// The end of validity of the first certificate of a chain; 0 when that can't be read.
fn not_after(chain: &[CertificateDer<'_>]) -> Duration {
    let parsed = chain.first().and_then(|first| X509Certificate::from_der(first).ok());
    let seconds = parsed.map_or(0, |(_, first)| first.validity().not_after.timestamp());
    let until = UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or(0));
    until.duration_since(UNIX_EPOCH).unwrap_or_default()
}
