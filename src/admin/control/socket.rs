//! The file of a control socket, from its creation to its removal.
//!
//! The socket is bound at its final, absolute path: `ss -xl` shows that path, and systemd-tmpfiles sees that the file
//! is in use. At no moment can others connect: the file has mode 0600 before the socket listens. The file of the
//! read-only socket gets its group and mode before that socket listens. (Setting the umask would be shorter, but the
//! umask belongs to the whole process, and other threads create files too.) A file that a killed process has left is
//! replaced. A socket on which a process answers, and a file that is not a socket, stay. Once a second this code checks
//! whether the file is there, and creates it anew if it has vanished.

use std::fmt;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
#[cfg(feature = "server")]
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, lchown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use socket2::{Domain, SockAddr, Type};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::group::number_of;
use crate::admin::server::serve::{Listener, Origin};
use crate::control::{Audience, ControlError};

/// The process's user and root may connect.
const MODE: u32 = 0o600;
/// A group may connect as well.
const MODE_OF_GROUP: u32 = 0o660;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;
/// The time between two checks that the file is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Tells whether another process has taken over the file of a served socket.
pub(super) type IsGone = Arc<dyn Fn() -> bool + Send + Sync>;

/// A listening control socket with mode 0600 (0660 for a group). Dropping it deletes its file unless it was replaced.
pub struct Socket {
    listener: Option<UnixListener>,
    /// The path as it was given.
    path: PathBuf,
    /// The full path, unless that is too long.
    name: PathBuf,
    identity: Identity,
    audience: Audience,
    /// Whether another process has taken over the file.
    is_left: bool,
    /// Tells, while the socket is served, whether another process has taken over the file.
    is_gone: Option<IsGone>,
}

impl Socket {
    /// Opens a control socket for the user of this process and root. Replaces a socket that an ended process has left
    /// at the path.
    ///
    /// # Errors
    /// [`ControlError`] if its folder is missing, another process answers at the path, or another file is there.
    pub fn open(path: &Path) -> Result<Self, ControlError> {
        Self::open_for(path, &Audience::Owner)
    }

    /// The same for an audience.
    pub(crate) fn open_for(path: &Path, audience: &Audience) -> Result<Self, ControlError> {
        let failed = |source: io::Error| match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                ControlError::NoFolder(path.to_owned())
            }
            // Another process took the path after the check.
            ErrorKind::AddrInUse => ControlError::InUse(path.to_owned()),
            ErrorKind::ResourceBusy => ControlError::Mounted(path.to_owned()),
            _ => ControlError::Io { path: path.to_owned(), source },
        };
        let name = full_name(path).map_err(failed)?;
        let address = SockAddr::unix(&name).map_err(failed)?;
        if is_left_over(path, &name)? {
            fs::remove_file(&name).map_err(failed)?;
        }
        let socket = of_mode().and_then(|socket| socket.bind(&address).map(|()| socket));
        let socket = socket.map_err(failed)?;
        let listen = || {
            let mut made = fs::symlink_metadata(&name)?;
            // For systems that ignore the socket's own mode.
            if made.permissions().mode() & 0o777 != MODE {
                fs::set_permissions(&name, Permissions::from_mode(MODE))?;
                made = fs::symlink_metadata(&name)?;
            }
            if let Some(group) = audience.group() {
                give_to(group, &name);
                fs::set_permissions(&name, Permissions::from_mode(MODE_OF_GROUP))?;
                made = fs::symlink_metadata(&name)?;
            }
            socket.set_nonblocking(true)?;
            socket.listen(BACKLOG)?;
            Ok(identity(&made))
        };
        match listen() {
            Ok(identity) => {
                let listener = Some(OwnedFd::from(socket).into());
                Ok(Self {
                    listener,
                    path: path.to_owned(),
                    name,
                    identity,
                    audience: audience.clone(),
                    is_left: false,
                    is_gone: None,
                })
            }
            Err(error) => {
                drop(fs::remove_file(&name));
                Err(failed(error))
            }
        }
    }

    /// Takes over the socket of another process, whose file must still be there.
    #[cfg(feature = "server")]
    pub(crate) fn inherit(
        path: &Path,
        audience: &Audience,
        socket: OwnedFd,
    ) -> Result<Self, ControlError> {
        let failed = |source: io::Error| ControlError::Io { path: path.to_owned(), source };
        let name = full_name(path).map_err(failed)?;
        // If the file has vanished, the socket is made anew.
        let found = fs::symlink_metadata(&name);
        let identity = found.map_or((0, 0, None), |found| identity(&found));
        let listener = UnixListener::from(socket);
        listener.set_nonblocking(true).map_err(failed)?;
        // The file belongs to the other process until this one serves.
        let (path, listener, audience) = (path.to_owned(), Some(listener), audience.clone());
        Ok(Self { listener, path, name, identity, audience, is_left: true, is_gone: None })
    }

    /// Whether this is the full socket or the one for readers.
    #[cfg(feature = "server")]
    pub(super) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Its descriptor, until it is served.
    #[cfg(feature = "server")]
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(AsFd::as_fd)
    }

    /// The listener that accepts its connections. Must be called within a runtime.
    pub(super) fn into_listener(mut self, is_gone: Option<IsGone>) -> io::Result<Kept> {
        (self.is_left, self.is_gone) = (false, is_gone);
        Ok(Kept::new(self.take_listener()?, self))
    }

    fn take_listener(&mut self) -> io::Result<Arc<tokio::net::UnixListener>> {
        let listener = self.listener.take().ok_or(ErrorKind::NotConnected)?;
        Ok(Arc::new(tokio::net::UnixListener::from_std(listener)?))
    }

    /// Takes the listener out; the file stays while `self` lives.
    #[cfg(feature = "server")]
    pub(crate) fn take(&mut self) -> Option<UnixListener> {
        self.is_left = false;
        self.listener.take()
    }

    /// Leaves the file to another process.
    #[cfg(feature = "server")]
    pub(crate) fn leave(mut self) {
        self.is_left = true;
    }

    fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.name)
            .is_ok_and(|found| found.file_type().is_socket() && identity(&found) == self.identity)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A served socket: made anew when its file has vanished.
pub(super) struct Kept(Mutex<State>);

struct State {
    listener: Arc<tokio::net::UnixListener>,
    socket: Socket,
    next_look: Instant,
    /// Whether the log says already that it cannot be made anew.
    is_logged: bool,
}

impl Kept {
    fn new(listener: Arc<tokio::net::UnixListener>, socket: Socket) -> Self {
        let next_look = Instant::now() + LOOK;
        Self(Mutex::new(State { listener, socket, next_look, is_logged: false }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code under the lock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Makes the socket anew if its file is gone. Existing connections stay.
    fn look(&mut self) {
        self.next_look = Instant::now() + LOOK;
        if self.socket.is_there() {
            return;
        }
        let Socket { path, audience, is_gone, .. } = &self.socket;
        let made = Socket::open_for(path, audience).map_err(|error| error.to_string()).and_then(
            |mut socket| {
                let listener = socket.take_listener().map_err(|error| error.to_string())?;
                socket.is_gone.clone_from(is_gone);
                Ok((listener, socket))
            },
        );
        match made {
            Ok((listener, socket)) => {
                info!(path = %path.display(), "the control socket had vanished and is made anew");
                (self.listener, self.socket, self.is_logged) = (listener, socket, false);
            }
            Err(error) if !std::mem::replace(&mut self.is_logged, true) => {
                warn!(%error, "the control socket has vanished and cannot be made anew for now");
            }
            Err(_) => {}
        }
    }
}

impl Listener for Kept {
    type Socket = tokio::net::UnixStream;

    async fn accept(&self) -> io::Result<(Self::Socket, Origin)> {
        loop {
            let (listener, next_look) = {
                let state = self.state();
                (Arc::clone(&state.listener), state.next_look)
            };
            tokio::select! {
                accepted = Listener::accept(&*listener) => return accepted,
                () = sleep_until(next_look) => self.state().look(),
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_left = self.is_left || self.is_gone.as_ref().is_some_and(|is_gone| is_gone());
        if !is_left && self.is_there() {
            drop(fs::remove_file(&self.name));
        }
    }
}

/// The path without symbolic links in its folders, so that all processes know it by one name, unless that is too long.
fn full_name(path: &Path) -> io::Result<PathBuf> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = fs::canonicalize(folder)?.join(path.file_name().ok_or(ErrorKind::InvalidInput)?);
    Ok(if SockAddr::unix(&name).is_ok() { name } else { path.to_owned() })
}

/// A socket whose file gets mode [`MODE`]: Linux takes the mode of the socket.
fn of_mode() -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let file = File::from(OwnedFd::from(socket));
    // Systems where this is meaningless refuse it.
    file.set_permissions(Permissions::from_mode(MODE)).ok();
    Ok(OwnedFd::from(file).into())
}

/// Gives a file to a group. If that fails, the file keeps the group of the process, and the log says so.
fn give_to(group: &str, file: &Path) {
    let given = match number_of(group) {
        Some(number) => lchown(file, None, Some(number)).map_err(|error| error.to_string()),
        None => Err("there is no such group".to_owned()),
    };
    if let Err(error) = given {
        warn!(
            group,
            error,
            path = %file.display(),
            "the control socket for readers is for the reflector's own group, not for that of \
             --control-group: create that group, and make the reflector's user a member of it"
        );
    }
}

/// Whether a socket without a listening process is at the path. An error if a file there must stay.
fn is_left_over(path: &Path, name: &Path) -> Result<bool, ControlError> {
    let (path, io) = (path.to_owned(), |path, source| ControlError::Io { path, source });
    match fs::symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(ControlError::NoFolder(path)),
        Err(error) => Err(io(path, error)),
        Ok(found) if !found.file_type().is_socket() => Err(ControlError::NotASocket(path)),
        Ok(_) => match connect(name) {
            // It may also have been removed just now.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            // Also when its queue of connections is full.
            Ok(()) => Err(ControlError::InUse(path)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ControlError::InUse(path)),
            Err(error) => Err(io(path, error)),
        },
    }
}

/// Connects without waiting.
fn connect(path: &Path) -> io::Result<()> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

/// Device, inode and time of birth: a new file may get the inode of one that was just removed.
type Identity = (u64, u64, Option<SystemTime>);

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino(), file.created().ok())
}
