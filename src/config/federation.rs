//! [`FederationConfig`]: how reflectors of other sites are reached.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::ReflectorConfig;
use crate::ids::is_site_name;
use crate::settings::{Many, NUMBER, PATH, Section, Setting, Syntax, TEXT, TIME, number};
use crate::{maybe, one};

/// The connection with reflectors of other sites. Without servers there is no federation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FederationConfig {
    /// The servers of the message bus (NATS), as `nats://` or `tls://` addresses. If one fails, the next is used.
    pub servers: Vec<String>,
    /// The name of this site.
    pub site: Option<String>,
    /// Reflectors of one plane federate with each other and with no others.
    pub plane: u8,
    /// A file of credentials that the engine's operator has issued.
    pub credentials: Option<PathBuf>,
    /// Certificates of further authorities for the server's certificate, in addition to those of the system.
    pub ca: Option<PathBuf>,
    /// The certificate of this site.
    pub certificate: Option<PathBuf>,
    /// The key of the certificate.
    pub key: Option<PathBuf>,
    /// For how long the routes of a silent site are kept.
    pub stale_time: Duration,
    /// The number of routes that one site may have here.
    pub routes_per_site: u64,
}

impl Default for FederationConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            site: None,
            plane: 1,
            credentials: None,
            ca: None,
            certificate: None,
            key: None,
            stale_time: Duration::from_secs(120),
            routes_per_site: 10_000_000,
        }
    }
}

/// Why a configuration of federation is not usable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FederationError {
    /// This program was built without federation.
    #[error(
        "this program was built without federation (--federation): build it with --features federation, \
         or take the package or the static binary"
    )]
    Absent,
    /// The configuration does not name this site.
    #[error("--federation needs the name of this site: give --site, such as --site fra1")]
    NoSite,
    /// The name is not allowed in the subjects of the message bus.
    #[error("--site {0:?} is not 1 to 32 of a-z, 0-9 and -; give a name such as fra1")]
    Site(String),
    /// A certificate without its key, or a key without its certificate.
    #[error("--federation-certificate and --federation-key belong together: give both or none")]
    HalfACertificate,
    /// A file cannot be read.
    #[error(
        "cannot read {path} ({flag}): {source}; give the path of a file that this user may read"
    )]
    Unreadable {
        /// The flag.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// An address of a server is not valid.
    #[error(
        "--federation {0:?} is not the address of a NATS server; give one such as nats://[::1]:4222"
    )]
    Address(String),
}

impl FederationConfig {
    /// Whether the configuration asks for federation.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.servers.is_empty()
    }

    /// Checks what can be checked without connecting.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn check(&self) -> Result<(), FederationError> {
        if !self.is_wanted() {
            return Ok(());
        }
        if !cfg!(feature = "federation") {
            return Err(FederationError::Absent);
        }
        let site = self.site.as_ref().ok_or(FederationError::NoSite)?;
        if !is_site_name(site) {
            return Err(FederationError::Site(site.clone()));
        }
        let schemes = ["nats://", "tls://"];
        if let Some(other) = self.servers.iter().find(|text| {
            !schemes.iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
        }) {
            return Err(FederationError::Address(other.clone()));
        }
        if self.certificate.is_some() != self.key.is_some() {
            return Err(FederationError::HalfACertificate);
        }
        let files = [
            ("--federation-credentials", &self.credentials),
            ("--federation-ca", &self.ca),
            ("--federation-certificate", &self.certificate),
            ("--federation-key", &self.key),
        ];
        for (flag, path) in files {
            if let Some(path) = path
                && let Err(source) = std::fs::File::open(path)
            {
                return Err(FederationError::Unreadable { flag, path: path.clone(), source });
            }
        }
        Ok(())
    }
}

const PLANE: Syntax<u8> = Syntax::displayed("N", |text| number(text, 1..=8));
const URL: Syntax<String> = Syntax { name: "URL", ..TEXT };
const NAME: Syntax<String> = Syntax { name: "NAME", ..TEXT };

/// The rows of `[federation]`.
pub(crate) static FEDERATION: Section<ReflectorConfig> = Section::of_table(
    "federation",
    &[
        Setting::new(
            "servers",
            &Many {
                syntax: URL,
                get: |config: &ReflectorConfig| config.federation.servers.clone(),
                set: |config, servers| config.federation.servers = servers,
            },
        )
        .flag("federation")
        .meaning(
            "Exchange routes with reflectors of other sites over these NATS servers, such as \
             nats://[::1]:4222; when one fails, the reflector uses the next",
        )
        .details("See [federation.md](federation.md)"),
        Setting::new("site", maybe!(ReflectorConfig: federation.site, NAME))
            .flag("site")
            .meaning("Name of this site, which no other site may have: 1 to 32 of a-z, 0-9 and -"),
        Setting::new("plane", one!(ReflectorConfig: federation.plane, PLANE))
            .flag("federation-plane")
            .meaning(
                "Plane of this reflector, from 1 to 8: reflectors exchange routes only within \
                 a plane",
            )
            .details("See [Planes](federation.md#planes)"),
        Setting::new("credentials", maybe!(ReflectorConfig: federation.credentials, PATH))
            .flag("federation-credentials")
            .meaning("File with credentials (.creds) for the NATS servers"),
        Setting::new("ca", maybe!(ReflectorConfig: federation.ca, PATH))
            .flag("federation-ca")
            .meaning(
                "File with CA certificates (PEM) for tls:// servers, besides those of the \
                 system",
            ),
        Setting::new("certificate", maybe!(ReflectorConfig: federation.certificate, PATH))
            .flag("federation-certificate")
            .meaning("File with the certificate (PEM) that this site shows to the NATS servers"),
        Setting::new("key", maybe!(ReflectorConfig: federation.key, PATH))
            .flag("federation-key")
            .meaning("File with the key (PEM) of --federation-certificate"),
        Setting::new("stale-time", one!(ReflectorConfig: federation.stale_time, TIME))
            .flag("federation-stale-time")
            .meaning("How long to keep the routes of a silent site before they are withdrawn"),
        Setting::new(
            "max-routes-per-site",
            one!(ReflectorConfig: federation.routes_per_site, NUMBER),
        )
        .flag("federation-max-routes-per-site")
        .meaning(
            "Maximum number of routes of one other site; above it, the reflector accepts nothing \
             from that site for twice the stale time",
        ),
    ],
);
