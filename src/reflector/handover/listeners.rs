//! The listening sockets of a reflector: opened, inherited from another process, and passed on.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use tracing::debug;

use crate::io;
use crate::reflector::config::{ControlError, ReflectorConfig, StartError};
use crate::reflector::endpoints::Endpoints;

/// What a listening socket is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    Sessions,
    Http,
    Control,
}

/// A listening socket on its way to another process.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) is_for: Use,
    /// The address or path in the configuration that it was opened for.
    pub(crate) configured: String,
    pub(crate) socket: OwnedFd,
}

/// Listening sockets that another process has passed on. What this process does not use closes with it.
#[derive(Debug, Default)]
pub(crate) struct Inherited(Vec<Listening>);

impl Inherited {
    pub(crate) fn new(sockets: Vec<Listening>) -> Self {
        Self(sockets)
    }

    /// Takes the one for this, if it was opened for the same address or path.
    fn take(&mut self, is_for: Use, configured: &str) -> Option<OwnedFd> {
        let fits = |it: &Listening| it.is_for == is_for && it.configured == configured;
        let place = self.0.iter().position(fits)?;
        debug!(configured, "takes over the listening socket");
        Some(self.0.swap_remove(place).socket)
    }
}

/// What a reflector listens on.
#[derive(Debug)]
pub(in crate::reflector) struct Listeners<S> {
    pub(in crate::reflector) listen: SocketAddr,
    pub(in crate::reflector) listener: TcpListener,
    pub(in crate::reflector) http: Option<(SocketAddr, TcpListener)>,
    pub(in crate::reflector) socket: Option<S>,
}

impl<S> Listeners<S> {
    /// Takes over what is inherited, and opens the rest.
    pub(in crate::reflector) fn open<E: Endpoints<Socket = S>>(
        config: &ReflectorConfig,
        inherited: &mut Inherited,
    ) -> Result<Self, StartError> {
        let mut open = |address: SocketAddr, is_for, flag| {
            let inherit = inherited.take(is_for, &address.to_string());
            let bound = match inherit {
                Some(socket) => Ok(TcpListener::from(socket)),
                None => io::bind_when_ready(address),
            };
            let named = bound.and_then(|socket| Ok((socket.local_addr()?, socket)));
            named.map_err(|source| StartError::Listen { address, flag, source })
        };
        let (listen, listener) = open(config.listen, Use::Sessions, "--listen")?;
        let http = config.http.map(|address| open(address, Use::Http, "--http")).transpose()?;
        let socket = config.control.as_deref().map(|path| -> Result<S, ControlError> {
            match inherited.take(Use::Control, &name(path)) {
                Some(socket) => E::inherit(path, socket),
                None => E::open(path),
            }
        });
        Ok(Self { listen, listener, http, socket: socket.transpose()? })
    }

    /// Copies of them, to be passed on.
    pub(in crate::reflector) fn copies<E: Endpoints<Socket = S>>(
        &self,
        config: &ReflectorConfig,
    ) -> std::io::Result<Vec<Listening>> {
        let copy = |is_for, configured: String, socket: BorrowedFd<'_>| {
            socket.try_clone_to_owned().map(|socket| Listening { is_for, configured, socket })
        };
        let listen = config.listen.to_string();
        let mut copies = vec![copy(Use::Sessions, listen, self.listener.as_fd())?];
        if let (Some(address), Some((_, socket))) = (config.http, &self.http) {
            copies.push(copy(Use::Http, address.to_string(), socket.as_fd())?);
        }
        if let (Some(path), Some(socket)) = (&config.control, &self.socket) {
            copies.extend(
                E::descriptor(socket).map(|it| copy(Use::Control, name(path), it)).transpose()?,
            );
        }
        Ok(copies)
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
