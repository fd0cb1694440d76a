//! The listening sockets of a reflector: opened, inherited from another process, and passed on.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use tracing::debug;

use crate::config::{ReflectorConfig, StartError};
use crate::control::{Audience, ControlError};
use crate::inspector::Endpoints;
use crate::io;

/// The use of a listening socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    Sessions,
    Tls,
    Http,
    Health,
    Control,
    ControlReadOnly,
}

/// A listening socket on its way to another process.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) is_for: Use,
    /// The address or path in the configuration for which it was opened.
    pub(crate) configured: String,
    pub(crate) socket: OwnedFd,
}

/// Listening sockets that another process has passed on. Sockets that this process does not use are closed when this
/// is dropped.
#[derive(Debug, Default)]
pub(crate) struct Inherited(Vec<Listening>);

impl Inherited {
    pub(crate) fn new(sockets: Vec<Listening>) -> Self {
        Self(sockets)
    }

    /// Takes the socket for this use, if it was opened for the same address or path.
    fn take(&mut self, is_for: Use, configured: &str) -> Option<OwnedFd> {
        let fits = |it: &Listening| it.is_for == is_for && it.configured == configured;
        let place = self.0.iter().position(fits)?;
        debug!(configured, "takes over the listening socket");
        Some(self.0.swap_remove(place).socket)
    }
}

/// The listening sockets of a reflector.
#[derive(Debug)]
pub(crate) struct Listeners<S> {
    pub(crate) listen: SocketAddr,
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<(SocketAddr, TcpListener)>,
    pub(crate) http: Option<(SocketAddr, TcpListener)>,
    pub(crate) health: Option<(SocketAddr, TcpListener)>,
    pub(crate) control: Option<S>,
    pub(crate) readers: Option<S>,
}

impl<S> Listeners<S> {
    /// Takes over inherited sockets, and opens the others.
    pub(crate) fn open<E: Endpoints<Socket = S>>(
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
        let tls = config.tls.listen;
        let tls = tls.map(|address| open(address, Use::Tls, "--tls-listen")).transpose()?;
        let http = config.http.map(|address| open(address, Use::Http, "--http")).transpose()?;
        let health = config.health.map(|address| open(address, Use::Health, "--health"));
        let health = health.transpose()?;
        let mut socket = |path: &Path, is_for, audience| -> Result<S, ControlError> {
            match inherited.take(is_for, &name(path)) {
                Some(socket) => E::inherit(path, audience, socket),
                None => E::open(path, audience),
            }
        };
        let readers = Audience::Readers { group: config.control_group.clone() };
        let control = config.control.as_deref();
        let control = control.map(|path| socket(path, Use::Control, &Audience::Owner));
        let control = control.transpose().map_err(StartError::Control)?;
        let read_only = config.control_read_only.as_deref();
        let read_only = read_only.map(|path| socket(path, Use::ControlReadOnly, &readers));
        let readers = read_only.transpose().map_err(StartError::ControlReadOnly)?;
        Ok(Self { listen, listener, tls, http, health, control, readers })
    }

    /// The listening sockets for sessions.
    pub(crate) fn for_sessions(&self) -> Vec<BorrowedFd<'_>> {
        let tls = self.tls.as_ref().map(|(_, listener)| listener.as_fd());
        [self.listener.as_fd()].into_iter().chain(tls).collect()
    }

    /// Whether there are listening sockets for operators.
    pub(crate) fn any_for_operators(&self) -> bool {
        let over_tcp = self.http.is_some() || self.health.is_some();
        over_tcp || self.control.is_some() || self.readers.is_some()
    }

    /// Copies of all listening sockets, to pass them on.
    pub(crate) fn copies<E: Endpoints<Socket = S>>(
        &self,
        config: &ReflectorConfig,
    ) -> std::io::Result<Vec<Listening>> {
        let copy = |is_for, configured: String, socket: BorrowedFd<'_>| {
            socket.try_clone_to_owned().map(|socket| Listening { is_for, configured, socket })
        };
        let listen = config.listen.to_string();
        let mut copies = vec![copy(Use::Sessions, listen, self.listener.as_fd())?];
        let over_tcp = [
            (Use::Tls, config.tls.listen, &self.tls),
            (Use::Http, config.http, &self.http),
            (Use::Health, config.health, &self.health),
        ];
        for (is_for, address, open) in over_tcp {
            if let (Some(address), Some((_, socket))) = (address, open) {
                copies.push(copy(is_for, address.to_string(), socket.as_fd())?);
            }
        }
        let sockets = [
            (Use::Control, &config.control, &self.control),
            (Use::ControlReadOnly, &config.control_read_only, &self.readers),
        ];
        for (is_for, path, socket) in sockets {
            if let (Some(path), Some(socket)) = (path, socket) {
                let socket = E::descriptor(socket);
                copies.extend(socket.map(|it| copy(is_for, name(path), it)).transpose()?);
            }
        }
        Ok(copies)
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
