//! Handovers between real processes, one of which is killed or hangs at a step.
//!
//! Each process is this test program, started again: it runs [`plays_a_process`] alone. Its environment says which side
//! it plays and where it fails: [`fault`] is called before each action of both sides.

mod faults;
mod peers;
mod processes;

use std::io::Read as _;
use std::path::Path;

use rustix::process::{Signal, getpid, kill_process};

use self::processes::{FAULT, Role, TLS, play};

/// Ends or stops this process if the test wants it to fail before this action.
pub(super) fn fault(action: &impl std::fmt::Debug) {
    let Ok(wanted) = std::env::var(FAULT) else { return };
    let Some((at, how)) = wanted.split_once(':') else { return };
    if at == format!("{action:?}") && how == "lose-key" {
        return std::fs::remove_file(std::env::var(TLS).unwrap()).unwrap();
    }
    if at == format!("{action:?}") {
        let signal = if how == "kill" { Signal::KILL } else { Signal::STOP };
        kill_process(getpid(), signal).unwrap();
        // Another thread may have taken the signal, so this one may run for a moment yet.
        std::io::stdin().read_exact(&mut [0]).unwrap();
    }
}

/// Not a test of its own: other tests start it as a process.
#[test]
fn plays_a_process() {
    if let Some(role) = Role::of_environment() {
        play(&role);
    }
}

/// Removes a folder when it is dropped.
#[derive(Debug)]
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        let name = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let path = std::env::temp_dir().join(format!("mb-handover-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn control(&self) -> std::path::PathBuf {
        self.path("control.sock")
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        let Self(path) = self;
        Path::join(path, name)
    }

    /// Writes a certificate that signs itself, and its key. Returns the path of the file with both.
    fn write_key(&self) -> std::path::PathBuf {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let path = self.path("key.pem");
        std::fs::write(&path, certificate.pem() + &key.serialize_pem()).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
