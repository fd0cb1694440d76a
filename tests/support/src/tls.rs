//! Authorities, certificates and peers for TLS.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams,
    CertifiedIssuer, DnType, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::PATIENCE;

/// A folder that is removed with its owner.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Default for Folder {
    fn default() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("metalbond-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Folder {
    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in one step for its readers; returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.0.join(name), self.0.join("new"));
        fs::write(&new, text).unwrap();
        fs::rename(&new, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// An authority that issues certificates.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    serial: AtomicU64,
}

/// The validity of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Validity {
    /// Valid now.
    #[default]
    Now,
    /// Expired.
    Past,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    serial: u64,
}

impl Authority {
    /// A new authority with this name.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, serial: AtomicU64::new(1) }
    }

    /// Its own certificate, as a file.
    pub fn file(&self, folder: &Folder, name: &str) -> PathBuf {
        folder.write(name, &self.issuer.pem())
    }

    /// Issues a certificate for names: DNS names, addresses and URIs. The names of the files begin with `file`.
    pub fn issue(&self, folder: &Folder, file: &str, names: &[&str], validity: Validity) -> Issued {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let key = KeyPair::generate().unwrap();
        let certificate = self.certificate(&key, names, validity, serial);
        Issued {
            certificate: folder.write(&format!("{file}.pem"), &certificate.pem()),
            key: folder.write(&format!("{file}.key"), &key.serialize_pem()),
            serial,
        }
    }

    fn certificate(
        &self,
        key: &KeyPair,
        names: &[&str],
        validity: Validity,
        serial: u64,
    ) -> Certificate {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(serial));
        params.subject_alt_names = names.iter().map(|name| san(name)).collect();
        if validity == Validity::Past {
            (params.not_before, params.not_after) =
                (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        }
        params.signed_by(key, &self.issuer).unwrap()
    }

    /// A list that revokes certificates, as a file.
    pub fn revoke(&self, folder: &Folder, name: &str, revoked: &[&Issued]) -> PathBuf {
        let revoked = revoked.iter().map(|issued| RevokedCertParams {
            serial_number: SerialNumber::from(issued.serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2050, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        folder.write(name, &list.signed_by(&self.issuer).unwrap().pem().unwrap())
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

fn san(name: &str) -> SanType {
    if let Ok(address) = name.parse() {
        return SanType::IpAddress(address);
    }
    let text = name.try_into().unwrap();
    if name.contains("://") { SanType::URI(text) } else { SanType::DnsName(text) }
}

/// A peer that speaks TLS, and sends only the bytes that the test writes.
pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Connects, shows a certificate if there is one, and trusts the authority in `ca`. The first read or write makes the
/// handshake.
pub fn connect(address: SocketAddr, ca: &Path, own: Option<&Issued>) -> Stream {
    connect_by(rustls::crypto::ring::default_provider(), address, ca, own)
}

/// The same with the suites of this provider.
pub fn connect_by(
    provider: CryptoProvider,
    address: SocketAddr,
    ca: &Path,
    own: Option<&Issued>,
) -> Stream {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        Some(own) => {
            let chain = vec![CertificateDer::from_pem_file(&own.certificate).unwrap()];
            let key = PrivateKeyDer::from_pem_file(&own.key).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    let name = ServerName::from(address.ip());
    let tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(tls, socket)
}

/// Writes and then reads until the end; returns the error unless the end is clean.
pub fn exchange(stream: &mut Stream, bytes: &[u8]) -> Option<String> {
    let talk = |stream: &mut Stream| {
        stream.write_all(bytes)?;
        stream.flush()?;
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer)? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    talk(stream).err().map(|error| error.to_string())
}
