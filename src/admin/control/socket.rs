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

/// The user of the process may connect, and root.
const MODE: u32 = 0o600;
/// A group may connect as well.
const MODE_OF_GROUP: u32 = 0o660;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;
/// Between two looks at whether the file is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Says whether another process goes on with the file of a socket that is served.
pub(super) type IsGone = Arc<dyn Fn() -> bool + Send + Sync>;

/// A listening control socket with mode 0600. Dropping it deletes its file, unless the path has another file by then.
pub struct Socket {
    listener: Option<UnixListener>,
    /// As it was given.
    path: PathBuf,
    /// In full, where that is not too long.
    name: PathBuf,
    identity: Identity,
    audience: Audience,
    /// Whether another process goes on with the file.
    is_left: bool,
    /// Asks the process's endpoint, while the socket is served, whether another process goes on with the file.
    is_gone: Option<IsGone>,
}

impl Socket {
    /// Opens a control socket for the user of this process and root. Replaces a socket that an ended process has left
    /// at the path.
    ///
    /// # Errors
    /// [`ControlError`], when its folder is not there, another process answers at the path, or something else is there.
    pub fn open(path: &Path) -> Result<Self, ControlError> {
        Self::open_for(path, &Audience::Owner)
    }

    /// The same for others.
    pub(crate) fn open_for(path: &Path, audience: &Audience) -> Result<Self, ControlError> {
        let failed = |source: io::Error| match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                ControlError::NoFolder(path.to_owned())
            }
            // Taken since it was looked at.
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
            // Where the system doesn't go by the mode of what is bound.
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

    /// Goes on with the socket of another process, whose file must still be there.
    #[cfg(feature = "server")]
    pub(crate) fn inherit(
        path: &Path,
        audience: &Audience,
        socket: OwnedFd,
    ) -> Result<Self, ControlError> {
        let failed = |source: io::Error| ControlError::Io { path: path.to_owned(), source };
        let name = full_name(path).map_err(failed)?;
        // If it has vanished it is made anew.
        let found = fs::symlink_metadata(&name);
        let identity = found.map_or((0, 0, None), |found| identity(&found));
        let listener = UnixListener::from(socket);
        listener.set_nonblocking(true).map_err(failed)?;
        // The file is the other process's until this one serves.
        let (path, listener, audience) = (path.to_owned(), Some(listener), audience.clone());
        Ok(Self { listener, path, name, identity, audience, is_left: true, is_gone: None })
    }

    /// Whether it is the full socket or the one for readers.
    #[cfg(feature = "server")]
    pub(super) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Its descriptor, until it is served.
    #[cfg(feature = "server")]
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(AsFd::as_fd)
    }

    /// What accepts its connections. Must be called within a runtime.
    pub(super) fn into_listener(mut self, is_gone: Option<IsGone>) -> io::Result<Kept> {
        (self.is_left, self.is_gone) = (false, is_gone);
        Ok(Kept::new(self.take_listener()?, self))
    }

    fn take_listener(&mut self) -> io::Result<Arc<tokio::net::UnixListener>> {
        let listener = self.listener.take().ok_or(ErrorKind::NotConnected)?;
        Ok(Arc::new(tokio::net::UnixListener::from_std(listener)?))
    }

    /// The socket itself; the file stays for as long as this lives.
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

/// The socket while it is served: made anew when its file has vanished.
pub(super) struct Kept(Mutex<State>);

struct State {
    listener: Arc<tokio::net::UnixListener>,
    socket: Socket,
    next_look: Instant,
    /// That it cannot be made anew has been said.
    is_logged: bool,
}

impl Kept {
    fn new(listener: Arc<tokio::net::UnixListener>, socket: Socket) -> Self {
        let next_look = Instant::now() + LOOK;
        Self(Mutex::new(State { listener, socket, next_look, is_logged: false }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Makes it anew if it is not there. What is connected already stays connected.
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

/// The path without links to folders, by which others know it too; as it is where that is too long.
fn full_name(path: &Path) -> io::Result<PathBuf> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = fs::canonicalize(folder)?.join(path.file_name().ok_or(ErrorKind::InvalidInput)?);
    Ok(if SockAddr::unix(&name).is_ok() { name } else { path.to_owned() })
}

/// A socket whose file will be of [`MODE`]: Linux goes by the mode of the socket.
fn of_mode() -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let file = File::from(OwnedFd::from(socket));
    // Refused where it has no meaning.
    file.set_permissions(Permissions::from_mode(MODE)).ok();
    Ok(OwnedFd::from(file).into())
}

/// Gives a file to a group. Where that cannot be, it stays with the group of the process, and the log says so.
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

/// Whether there is a socket at the place that nobody answers on. An error for what has to stay.
fn is_left_over(path: &Path, name: &Path) -> Result<bool, ControlError> {
    let (path, io) = (path.to_owned(), |path, source| ControlError::Io { path, source });
    match fs::symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(ControlError::NoFolder(path)),
        Err(error) => Err(io(path, error)),
        Ok(found) if !found.file_type().is_socket() => Err(ControlError::NotASocket(path)),
        Ok(_) => match connect(name) {
            // It may have gone just now, too.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            // Also when it is asked by too many to answer.
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
