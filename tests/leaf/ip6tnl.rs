//! The datapath again over ip6tnl, the tunnel that leaves have in production. Few machines that
//! build have it in their kernel, so it runs in a virtual machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{binary, skipped};

/// What `tests/vm/run` exits with where it can't be had.
const SKIPPED: i32 = 77;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("ip6tnl-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn add_program(&self, name: &str, from: &Path) {
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

#[test]
fn the_datapath_holds_over_ip6tnl() {
    if std::env::var_os("METALBOND_TEST_TUNNEL").is_some() {
        // This is the virtual machine.
        return;
    }
    let folder = Folder::new();
    folder.add_program("tests", &std::env::current_exe().unwrap());
    folder.add_program("metalbond", Path::new(&binary()));
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm/run"))
        .arg(&folder.0)
        .args(["env", "METALBOND_TEST_TUNNEL=ip6tnl", "METALBOND_TEST_BINARY=/t/metalbond"])
        .args(["/t/tests", "--test-threads=1", "--nocapture", "datapath::"])
        .output()
        .unwrap();
    let Output { status, stdout, stderr } = output;
    let (said, complaints) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    match status.code() {
        Some(SKIPPED) => skipped(&format!("{said}{complaints}")),
        // Tests that were all skipped, or none, would be no success.
        Some(0) => {
            assert!(said.contains("test result: ok. ") && !said.contains("SKIPPED"), "{said}");
            assert!(!said.contains(" 0 passed"), "{said}");
        }
        _ => panic!("{status}\n{said}{complaints}"),
    }
}
