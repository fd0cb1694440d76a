//! Sessions over TLS, with certificates of both sides.
//!
//! ```text
//!   scenario <-- socket pair --> relay's thread <-- TLS --> server
//! ```
//!
//! A scenario always reads and writes a plain socket. Over TLS this socket is one end of a socket pair, and a thread of
//! [`relay`] carries its bytes. So the client's part of TLS costs CPU time of loadgen and not of the server. The
//! certificates come from files, or from an authority that [`files`] makes for the run.

mod files;
mod relay;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Args;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use files::Made;
use relay::Relay;

/// The flags.
#[derive(Clone, Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "TLS (fanout, mesh and churn)")]
pub(crate) struct TlsFlags {
    /// Connect all sessions over TLS. For a reflector that loadgen starts, it makes the certificates; for --target, give
    /// --tls-ca, --tls-certificate and --tls-key
    #[arg(long, global = true)]
    pub(crate) tls: bool,

    /// Who encrypts and decrypts on the side of the started reflector
    #[arg(long, global = true, value_name = "auto|kernel|process", requires = "tls",
          conflicts_with = "target", value_parser = ["auto", "kernel", "process"])]
    pub(crate) tls_carrier: Option<String>,

    /// File with the authorities (PEM) that must have signed the certificate of --target
    #[arg(long, global = true, value_name = "PATH", requires_all = ["tls", "target"])]
    tls_ca: Option<PathBuf>,

    /// File with the certificate (PEM) to show to --target
    #[arg(long, global = true, value_name = "PATH", requires_all = ["tls", "target"])]
    tls_certificate: Option<PathBuf>,

    /// File with the key (PEM) of --tls-certificate
    #[arg(long, global = true, value_name = "PATH", requires_all = ["tls", "target"])]
    tls_key: Option<PathBuf>,

    /// Name that the certificate of --target must have: a DNS name or an address [default: the address of --target]
    #[arg(long, global = true, value_name = "NAME", requires_all = ["tls", "target"])]
    tls_server_name: Option<String>,
}

/// The TLS of a run's sessions.
#[derive(Debug)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    /// The name that the server's certificate must have, if not its address.
    name: Option<ServerName<'static>>,
    /// The relays, whose threads take sessions in turn.
    relays: Vec<Relay>,
    next: AtomicUsize,
    /// The files of a server that loadgen starts.
    made: Option<Made>,
}

impl Tls {
    /// For a server that loadgen starts, with certificates made for this run; `threads` threads carry sessions.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn for_own_server(threads: u16) -> Result<Self, String> {
        let (made, config) = Made::new()?;
        Ok(Self { made: Some(made), ..Self::new(config, None, threads)? })
    }

    /// For running servers, from the files that the flags name.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn from_files(flags: &TlsFlags, threads: u16) -> Result<Self, String> {
        let TlsFlags { tls_ca, tls_certificate, tls_key, tls_server_name, .. } = flags;
        let (Some(ca), Some(certificate), Some(key)) = (tls_ca, tls_certificate, tls_key) else {
            return Err(
                "--tls with --target needs --tls-ca, --tls-certificate and --tls-key".into()
            );
        };
        let parse = |name: &String| {
            ServerName::try_from(name.clone())
                .map_err(|error| format!("--tls-server-name: {error}"))
        };
        let name = tls_server_name.as_ref().map(parse).transpose()?;
        Self::new(files::read(ca, certificate, key)?, name, threads)
    }

    fn new(
        config: Arc<ClientConfig>,
        name: Option<ServerName<'static>>,
        threads: u16,
    ) -> Result<Self, String> {
        let relays = (0..threads.max(1)).map(|_| Relay::start());
        let relays = relays.collect::<io::Result<_>>();
        let relays = relays.map_err(|error| format!("cannot start a thread for TLS: {error}"))?;
        Ok(Self { config, name, relays, next: AtomicUsize::new(0), made: None })
    }

    /// The arguments of the reflector that loadgen starts.
    pub(crate) fn server_args(&self, carrier: Option<&str>) -> Vec<String> {
        let mut arguments = vec!["--tls-listen=127.0.0.1:0".to_owned()];
        arguments.extend(self.made.iter().flat_map(Made::server_args));
        arguments.extend(carrier.map(|carrier| format!("--tls-carrier={carrier}")));
        arguments
    }

    /// Connects and makes the handshake; returns the scenario's end of the session, which acts as a TCP socket.
    ///
    /// # Errors
    /// The socket's error, or an error when one side refuses the other's certificate.
    pub(crate) fn connect(&self, server: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
        let name = self.name.clone().unwrap_or_else(|| ServerName::IpAddress(server.ip().into()));
        let mut tls =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        let mut socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(patience))?;
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut socket)?;
        }
        let relay = &self.relays[self.next.fetch_add(1, Ordering::Relaxed) % self.relays.len()];
        relay.carry(socket, tls)
    }
}
