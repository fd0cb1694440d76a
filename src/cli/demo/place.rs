//! Where the demonstration can be reached.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// A folder of this process, removed at the end.
#[derive(Debug)]
pub(super) struct DemoFolder(PathBuf);

impl DemoFolder {
    /// Makes it: for this user alone.
    pub(super) fn new() -> Result<Self, String> {
        let parent = std::env::var_os("XDG_RUNTIME_DIR").filter(|it| Path::new(it).is_dir());
        let parent = parent.map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = parent.join(format!("metalbond-demo-{}", std::process::id()));
        make(&folder).map_err(|error| {
            format!(
                "cannot make the folder {} for the control socket: {error}; set TMPDIR to a folder \
                 that you may write to",
                folder.display()
            )
        })?;
        Ok(Self(folder))
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Port 8080 of the loopback, or any free one.
pub(super) fn http() -> SocketAddr {
    let usual = SocketAddr::from(([127, 0, 0, 1], 8080));
    match TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => SocketAddr::from(([127, 0, 0, 1], 0)),
    }
}
