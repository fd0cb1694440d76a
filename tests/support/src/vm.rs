//! The virtual machine of `tests/vm/run`, whose kernel has what this machine's may lack: ip6tnl.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::run::build_folder;

/// The exit code of `tests/vm/run` when no virtual machine is available.
const SKIPPED: i32 = 77;

/// Set in the virtual machine.
const INSIDE: &str = "METALBOND_TEST_VM";

/// The folder of [`run_tests`]' programs, as the virtual machine names it.
pub const PROGRAMS: &str = "/t";

/// Whether this is the virtual machine.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs, in the virtual machine, the tests of the calling program whose names contain `filter`, one after the other,
/// also those that are ignored elsewhere. They find `programs`, pairs of a name and a path here, in [`PROGRAMS`], and
/// have `variables` (`NAME=VALUE`) in their environment. Skips the calling test if no virtual machine is available.
/// Takes half a minute or more, since the machine is emulated.
///
/// # Panics
///
/// When a test fails or is skipped there, or none runs; and when called in the virtual machine itself.
#[track_caller]
pub fn run_tests(filter: &str, programs: &[(&str, &Path)], variables: &[&str]) {
    assert!(!is_inside(), "the kernel of the virtual machine lacks what it is there for");
    if let Some(missing) =
        crate::missing(&["qemu-system-x86_64", "busybox", "ip", "ping", "setpriv"])
    {
        crate::skip!(missing);
    }
    let folder = Folder::new();
    folder.add("tests", &std::env::current_exe().unwrap());
    for (name, path) in programs {
        folder.add(name, path);
    }
    let inside = format!("{INSIDE}=1");
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vm/run");
    let output = Command::new(run)
        .arg(&folder.0)
        .args(["env", "METALBOND_TEST_STRICT=1", &inside])
        .args(variables)
        .args([&format!("{PROGRAMS}/tests"), "--test-threads=1", "--nocapture"])
        .args(["--include-ignored", filter])
        .output();
    let Output { status, stdout, stderr } = output.unwrap();
    let (printed, complaints) =
        (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    match status.code() {
        Some(SKIPPED) => crate::skip!(format!("no virtual machine: {printed}{complaints}")),
        // A run without any test is no success.
        Some(0) => {
            let result = printed.lines().find(|line| line.starts_with("test result: ok. "));
            assert!(result.is_some_and(|line| !line.contains(" 0 passed")), "{printed}");
        }
        _ => panic!("{status}\n{printed}{complaints}"),
    }
}

/// A folder that is removed with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = build_folder().join(format!("vm-{}-{serial}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn add(&self, name: &str, from: &Path) {
        let path = self.0.join(name);
        fs::copy(from, &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
