//! The file of the control socket, from its making to its end.
//!
//! There is no moment at which others could connect: it is made in a folder of mode 0700, gets its own
//! mode 0600 there, and is then renamed to its place. (The umask would be shorter, but belongs to the
//! whole process, whose threads make files too.) The rename also takes the place of what a process that
//! was killed has left behind. A socket that somebody answers on, and what is no socket, stay.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use axum::Router;
use socket2::{Domain, SockAddr, Type};
use thiserror::Error;
use tracing::warn;

use crate::http::serve::serve;

/// The user of the reflector, and nobody else.
const MODE: u32 = 0o600;
/// Names to try for the folder that the socket is made in.
const ATTEMPTS: u32 = 100;

/// Why the control socket could not be opened.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Somebody answers on it.
    #[error(
        "another reflector uses the control socket {0} (--control): stop it or give this one another path"
    )]
    InUse(PathBuf),
    /// There is something else.
    #[error("{0} (--control) is not a socket and stays as it is: give another path or remove it")]
    NotASocket(PathBuf),
    /// There is nowhere to put it.
    #[error(
        "the folder of the control socket {0} (--control) is not there: create it or give another path"
    )]
    NoFolder(PathBuf),
    /// Anything else.
    #[error(
        "cannot open the control socket {path} (--control): {source}; give a path of less than 100 \
         bytes in a folder that this user may write to"
    )]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The socket, listening. Its file goes with it, if it still is its file.
#[derive(Debug)]
pub(in crate::reflector) struct Socket {
    listener: Option<UnixListener>,
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Socket {
    /// Makes it. What a process that is gone has left at the path is replaced.
    pub(in crate::reflector) fn open(path: &Path) -> Result<Self, ControlError> {
        let failed = |source| ControlError::Io { path: path.to_owned(), source };
        // Of its own place, which nobody could connect to were it too long.
        SockAddr::unix(path).map_err(failed)?;
        check_place(path)?;
        let folder = Folder::beside(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                ControlError::NoFolder(path.to_owned())
            }
            _ => failed(error),
        })?;
        let made = folder.0.join("s");
        let open = || {
            let listener = UnixListener::bind(&made)?;
            listener.set_nonblocking(true)?;
            fs::set_permissions(&made, Permissions::from_mode(MODE))?;
            let identity = identity(&fs::symlink_metadata(&made)?);
            fs::rename(&made, path)?;
            Ok(Self { listener: Some(listener), path: path.to_owned(), identity })
        };
        open().map_err(|error| {
            drop(fs::remove_file(&made));
            failed(error)
        })
    }

    /// Where it is.
    pub(in crate::reflector) fn path(&self) -> &Path {
        &self.path
    }

    /// Answers for as long as it is polled. Must be called within a runtime.
    pub(super) async fn serve(mut self, router: Router) {
        let listener = self.listener.take().map(tokio::net::UnixListener::from_std);
        match listener {
            Some(Ok(listener)) => serve(listener, router).await,
            Some(Err(error)) => warn!(%error, "the control socket cannot be served"),
            None => {}
        }
        // Without it the reflector goes on.
        std::future::pending::<()>().await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_own = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.file_type().is_socket() && identity(&found) == self.identity);
        if is_own {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Whether the place is free, or has what may be replaced.
fn check_place(path: &Path) -> Result<(), ControlError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) if source.kind() != ErrorKind::NotADirectory => {
            Err(ControlError::Io { path: path.to_owned(), source })
        }
        Err(_) => Err(ControlError::NoFolder(path.to_owned())),
        Ok(found) if !found.file_type().is_socket() => {
            Err(ControlError::NotASocket(path.to_owned()))
        }
        Ok(_) => match connect(path) {
            // Nobody listens any more, or it has gone just now.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
            {
                Ok(())
            }
            // Also when it is asked by too many to answer.
            Ok(()) => Err(ControlError::InUse(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err(ControlError::InUse(path.to_owned()))
            }
            Err(source) => Err(ControlError::Io { path: path.to_owned(), source }),
        },
    }
}

/// Connects without waiting.
fn connect(path: &Path) -> io::Result<()> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// A new folder that only this user may look into. Ends with this value.
struct Folder(PathBuf);

impl Folder {
    fn beside(path: &Path) -> io::Result<Self> {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let own = std::process::id();
        for attempt in 0..ATTEMPTS {
            // Short: the path of a socket may have about 100 bytes.
            let folder = parent.join(format!(".mb{own:x}.{attempt}"));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => return result.map(|()| Self(folder)),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}
