//! Where processes meet: a socket beside the control socket.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::admin::ControlSocket;
use crate::control::{Audience, ControlError};

/// The suffix to the path of the control socket.
const SUFFIX: &str = ".handover";

/// The path of the socket over which reflectors with this control socket hand over.
fn socket_path(control: &Path) -> PathBuf {
    let mut path = control.as_os_str().to_owned();
    path.push(SUFFIX);
    path.into()
}

/// The listening socket for handovers, with mode 0600. Dropping it deletes its file, unless another process has taken
/// over.
#[derive(Debug)]
pub struct Listener {
    file: ControlSocket,
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Opens the socket for handovers beside a control socket.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn open(control: &Path) -> Result<Self, ControlError> {
        let path = socket_path(control);
        Self::of(ControlSocket::open(&path)?, path)
    }

    /// Goes on with the listening socket of another process.
    pub(super) fn inherit(control: &Path, socket: OwnedFd) -> Result<Self, ControlError> {
        let path = socket_path(control);
        Self::of(ControlSocket::inherit(&path, &Audience::Owner, socket)?, path)
    }

    fn of(mut file: ControlSocket, path: PathBuf) -> Result<Self, ControlError> {
        let taken = file.take().ok_or_else(|| io::ErrorKind::NotConnected.into());
        match taken {
            Ok(listener) => Ok(Self { file, listener, path }),
            Err(source) => Err(ControlError::Io { path, source }),
        }
    }

    pub(super) fn socket(&self) -> &UnixListener {
        &self.listener
    }

    /// The path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the socket to another process.
    pub(super) fn leave(self) {
        self.file.leave();
    }
}

/// Connects to the serving process. `None` when there is none.
///
/// # Errors
/// If there is a serving process that can't be asked.
pub(super) fn connect(control: &Path) -> io::Result<Option<UnixStream>> {
    match UnixStream::connect(socket_path(control)) {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
