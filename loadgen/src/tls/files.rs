//! Certificates: read from files, or made for one run.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// The files of a server that loadgen starts. Dropping it removes them.
#[derive(Debug)]
pub(super) struct Made(PathBuf);

impl Made {
    /// A new authority, the certificate of a server on loopback, and the configuration of sessions.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn new() -> Result<(Self, Arc<ClientConfig>), String> {
        make().map_err(|error| format!("cannot make certificates: {error}"))
    }

    /// The arguments that name the server's files.
    pub(super) fn server_args(&self) -> [String; 3] {
        [("ca", "ca.pem"), ("certificate", "server.pem"), ("key", "server.key")]
            .map(|(flag, file)| format!("--tls-{flag}={}", self.0.join(file).display()))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn make() -> Result<(Made, Arc<ClientConfig>), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("loadgen-tls-{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let made = Made(folder);
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let issue = |name: SanType| {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        Ok::<_, rcgen::Error>((params.signed_by(&key, &issuer)?, key))
    };
    let (server, server_key) = issue(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()))?;
    let files = [
        ("ca.pem", issuer.pem()),
        ("server.pem", server.pem()),
        ("server.key", server_key.serialize_pem()),
    ];
    for (name, text) in files {
        fs::write(made.0.join(name), text)?;
    }
    let (own, own_key) = issue(SanType::DnsName("loadgen".try_into()?))?;
    let config = config(
        &issuer.pem(),
        vec![own.der().clone()],
        PrivateKeyDer::from_pem_slice(own_key.serialize_pem().as_bytes())?,
    )?;
    Ok((made, config))
}

/// The configuration of sessions, from files.
///
/// # Errors
/// One sentence.
pub(super) fn read(ca: &Path, certificate: &Path, key: &Path) -> Result<Arc<ClientConfig>, String> {
    let text = |path: &Path| {
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let failed =
        |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let shown = text(certificate)?;
    let chain = CertificateDer::pem_slice_iter(shown.as_bytes());
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|it| failed(certificate, &it))?;
    let own =
        PrivateKeyDer::from_pem_slice(text(key)?.as_bytes()).map_err(|it| failed(key, &it))?;
    config(&text(ca)?, chain, own).map_err(|it| failed(ca, &it))
}

fn config(
    authorities: &str,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ClientConfig>, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
        roots.add(authority?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    Ok(Arc::new(config))
}
