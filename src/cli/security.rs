//! The settings that secure sessions with reflectors, for the leaf and the proxy.

use std::path::PathBuf;

use metalbond::client::{LeafConfig, LeafTls};
use metalbond::settings::{PATH, SWITCH, Section, Setting, Syntax, TEXT, Target, number};
use metalbond::{maybe, one};

/// How sessions are secured.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Security {
    tls: bool,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
    min_ttl: u8,
    md5_keys: Option<PathBuf>,
    ao_keys: Option<PathBuf>,
}

impl Target for Security {
    type Shown = ();
}

const TTL: Syntax<u8> = Syntax::displayed("N", |text| number(text, 0..=u8::MAX));
const NAME: Syntax<String> = Syntax { name: "NAME", ..TEXT };

/// The rows beside those of the role.
pub(super) static SECURITY: Section<Security> = Section::of_role(&[
    Setting::new("tls", one!(Security: tls, SWITCH))
        .meaning(
            "Connect over TLS 1.3; --server must then name the port of the servers' \
             --tls-listen",
        )
        .details("See [security.md](security.md#tls)"),
    Setting::new("tls-ca", maybe!(Security: ca, PATH)).meaning(
        "File with the authorities (PEM) that must have signed the certificates of \
             servers",
    ),
    Setting::new("tls-certificate", maybe!(Security: certificate, PATH)).meaning(
        "File with the certificate (PEM) to show to servers, followed by those of intermediate \
         authorities; each session reads it again",
    ),
    Setting::new("tls-key", maybe!(Security: key, PATH))
        .meaning("File with the key (PEM) of --tls-certificate"),
    Setting::new("tls-server-name", maybe!(Security: server_name, NAME))
        .meaning(
            "Name that the certificate of a server must have: a DNS name, an address or a SPIFFE \
             ID",
        )
        .default_is("the host of --server"),
    Setting::new("min-ttl", one!(Security: min_ttl, TTL))
        .meaning(
            "Drop packets of servers with a lower TTL or hop limit (RFC 5082): 255 accepts only \
             packets that have passed no router; 0 accepts all",
        )
        .details("See [security.md](security.md#ttl)"),
    Setting::new("tcp-md5-key-file", maybe!(Security: md5_keys, PATH))
        .meaning(
            "File of lines PREFIX KEY: sessions with servers in these prefixes are signed with the \
             key by TCP-MD5; each session reads the file again",
        )
        .details("See [security.md](security.md#tcp-md5)"),
    Setting::new("tcp-ao-key-file", maybe!(Security: ao_keys, PATH))
        .meaning(
            "File of lines PREFIX ID KEY: sessions with servers in these prefixes are signed by TCP-AO \
             with the first key of the longest prefix; each session reads the file again",
        )
        .details("See [security.md](security.md#tcp-ao)"),
]);

impl Security {
    /// A leaf's configuration with it.
    pub(super) fn secure(&self, config: LeafConfig) -> LeafConfig {
        LeafConfig {
            tls: self.tls(),
            min_ttl: self.min_ttl,
            md5_keys: self.md5_keys.clone(),
            ao_keys: self.ao_keys.clone(),
            ..config
        }
    }

    fn tls(&self) -> Option<LeafTls> {
        self.tls.then(|| LeafTls {
            ca: self.ca.clone().unwrap_or_default(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            server_name: self.server_name.clone(),
        })
    }

    /// What no single option can tell to be wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        let files = [("ca", &self.ca), ("certificate", &self.certificate), ("key", &self.key)];
        if !self.tls {
            return match files.iter().find(|(_, path)| path.is_some()) {
                Some((name, _)) => {
                    Err(format!("--tls-{name} has no effect without --tls: give --tls too"))
                }
                None => Ok(()),
            };
        }
        if !cfg!(feature = "tls") {
            return Err(
                "this program was built without TLS (--tls): build it with --features tls".into()
            );
        }
        if self.ca.is_none() {
            return Err("--tls needs --tls-ca: give the file of the authorities that a server's \
                        certificate must come from"
                .into());
        }
        if self.certificate.is_some() != self.key.is_some() {
            return Err("--tls-certificate and --tls-key belong together: give both or none".into());
        }
        self.tls().map_or(Ok(()), |tls| tls.check().map_err(|error| error.to_string()))
    }
}
