//! After its start the process starts no program.

use std::io::ErrorKind;

use tracing::{debug, warn};

/// Has the kernel refuse every program that this process would start, from now on. Where that can't be, the log says
/// so and the process goes on.
pub(super) fn forbid() {
    match metalbond::io::forbid_exec() {
        Ok(()) => debug!("from now on this process can start no program"),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            debug!("this system has no filter of system calls: the process could start programs");
        }
        Err(error) => {
            warn!(%error, "cannot forbid this process to start programs: allow the system call \
                 seccomp, or set --allow-exec");
        }
    }
}
