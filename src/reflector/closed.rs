//! A reflector in a build without the feature `http`: nothing answers its operators, and the program that embeds it
//! asks its [`Inspector`].

#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use tokio::sync::oneshot;

use super::{ControlError, Inspector, Reflector, ReflectorConfig, StartError};
use crate::control::Audience;
use crate::http_guard::HttpGuard;
use crate::inspector::{Doors, Endpoints};
use crate::threads::Invitation;

impl Reflector {
    /// Starts a reflector. Returns when it accepts connections. Blocks for up to 5 s while duplicate address detection
    /// runs for an address on which it is to listen.
    ///
    /// # Errors
    /// [`StartError`], for example if it cannot listen on an address, if the configuration requires io_uring and the
    /// kernel does not grant it, if a thread cannot start, or if the configuration asks for HTTP or a control socket:
    /// this build has neither. Nothing is left running then.
    pub fn start(config: &ReflectorConfig) -> Result<Self, StartError> {
        has_no_doors(config)?;
        Self::start_with::<Closed>(config)
    }

    /// The same with a guest on a shard of its own.
    ///
    /// # Errors
    /// As [`Reflector::start`].
    pub(crate) fn host(config: &ReflectorConfig, guest: Invitation) -> Result<Self, StartError> {
        has_no_doors(config)?;
        Self::start_hosting::<Closed>(config, guest)
    }
}

/// Checks that the config asks for no HTTP; control sockets report it themselves.
fn has_no_doors(config: &ReflectorConfig) -> Result<(), StartError> {
    match config.http.or(config.health) {
        Some(address) => Err(StartError::NoHttp(address)),
        None => Ok(()),
    }
}

/// No endpoint.
#[derive(Debug)]
struct Closed;

impl Endpoints for Closed {
    type Socket = std::convert::Infallible;

    fn open(_: &Path, _: &Audience) -> Result<Self::Socket, ControlError> {
        Err(ControlError::NotBuilt)
    }

    #[cfg(unix)]
    fn inherit(_: &Path, _: &Audience, _: OwnedFd) -> Result<Self::Socket, ControlError> {
        Err(ControlError::NotBuilt)
    }

    #[cfg(unix)]
    fn descriptor(socket: &Self::Socket) -> Option<BorrowedFd<'_>> {
        match *socket {}
    }

    fn run(
        _: &tokio::runtime::Runtime,
        _: Doors<Self::Socket>,
        _: HttpGuard,
        _: Inspector,
        _: oneshot::Receiver<()>,
    ) {
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_build_cannot_answer_is_refused() {
        let address = "[::1]:0".parse().unwrap();
        let config = ReflectorConfig { listen: address, ..ReflectorConfig::default() };
        let http = ReflectorConfig { http: Some(address), ..config.clone() };
        assert!(matches!(Reflector::start(&http), Err(StartError::NoHttp(_))));
        let control = ReflectorConfig { control: Some("control".into()), ..config.clone() };
        let error = Reflector::start(&control).unwrap_err();
        assert!(matches!(error, StartError::Control(ControlError::NotBuilt)), "{error}");
        Reflector::start(&config).unwrap().stop();
    }
}
