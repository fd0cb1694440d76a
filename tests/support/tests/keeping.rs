//! Network namespaces of tests that fail, in programs of their own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it meets what it does not expect")]

use std::path::Path;
use std::process::{Command, Output};

use support::namespace;

/// A namespace of a test.
struct Lab(String);

impl Lab {
    /// `None`, and the test is skipped, if no namespace can be made.
    fn new(name: String) -> Option<Self> {
        if let Some(reason) = support::ip(&[format!("netns add {name}")]) {
            support::skip!(reason);
        }
        Some(Self(name))
    }

    fn path(name: &str) -> String {
        format!("/run/netns/{name}")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        namespace::end(&[&self.0]);
    }
}

/// The name contains the parent's id: the parent looks for namespaces that are left.
fn name_for(parent: u32) -> String {
    format!("metalbond-keeping-{parent}")
}

#[test]
#[ignore = "fails; others run it"]
fn this_one_fails() {
    let Some(_lab) = Lab::new(name_for(std::os::unix::process::parent_id())) else { return };
    panic!("on purpose");
}

#[test]
#[ignore = "others run it"]
fn this_one_passes() {
    drop(Lab::new(name_for(std::os::unix::process::parent_id())));
}

/// Runs a test of this program; returns whether it passed, and its whole output.
fn run(test: &str, keep: &str) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", test]).env("METALBOND_KEEP_LAB", keep);
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn a_test_that_fails_keeps_its_namespaces_when_told_to() {
    let name = name_for(std::process::id());
    // Skips the test if no namespace can be made.
    let Some(lab) = Lab::new(name.clone()) else { return };
    drop(lab);
    let is_there = || Path::new(&Lab::path(&name)).exists();

    let (passed, printed) = run("this_one_fails", "");
    assert!(!passed && !is_there() && printed.contains("set METALBOND_KEEP_LAB=1"), "{printed}");
    let (passed, printed) = run("this_one_passes", "1");
    assert!(passed && !is_there(), "{printed}");
    let (passed, printed) = run("this_one_fails", "1");
    let kept = is_there();
    namespace::end(&[&name]);
    assert!(!passed && kept && !is_there(), "{printed}");
    for line in [format!("ip netns exec {name} bash"), format!("ip netns delete {name}")] {
        assert!(printed.lines().any(|printed| printed == line), "no {line:?} in:\n{printed}");
    }
}
