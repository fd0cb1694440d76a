//! Tests that skip themselves, run as programs of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

use std::process::{Command, Output};

use support::{Run, Skip};

#[test]
#[ignore = "skips itself; others run it"]
fn this_one_skips() {
    support::skip!("the machine\n  lacks it");
}

#[test]
#[ignore = "skips itself; others run it"]
fn this_one_lacks_a_program() {
    fn found() -> Option<u32> {
        if let Some(missing) = support::missing(&["ip", "ping"]) {
            support::skip!(missing);
        }
        Some(1)
    }
    assert_eq!(found(), None);
}

/// Runs a test of this program with a variable; returns whether it passed, and its whole output.
fn run(test: &str, variable: (&str, &str)) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", test]).env_remove("METALBOND_TEST_STRICT");
    let Output { status, stdout, stderr } = command.env(variable.0, variable.1).output().unwrap();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// One test after the other, because all tests started by this process are one run.
#[test]
fn skips_are_told_at_once_and_kept_for_the_summary_unless_they_fail() {
    let here = Run::of(std::process::id());
    here.take_skips();

    for value in ["1", "yes"] {
        let (passed, printed) = run("this_one_skips", ("METALBOND_TEST_STRICT", value));
        let why = "not to be skipped with METALBOND_TEST_STRICT: the machine lacks it";
        assert!(!passed && printed.contains(why), "{printed}");
    }
    assert_eq!(here.take_skips(), []);

    // An empty variable counts as unset.
    for _ in 0..2 {
        let (passed, printed) = run("this_one_skips", ("METALBOND_TEST_STRICT", ""));
        let line = "SKIPPED skipping this_one_skips: the machine lacks it\n";
        assert!(passed && printed.contains(line), "{printed}");
    }
    let (passed, printed) = run("this_one_lacks_a_program", ("PATH", "/nowhere"));
    assert!(
        passed && printed.contains("SKIPPED skipping this_one_lacks_a_program: no ip"),
        "{printed}"
    );
    let skip = |test: &str, reason: &str, packages: &str| Skip {
        test: format!("skipping {test}"),
        reason: reason.to_owned(),
        packages: packages.to_owned(),
    };
    let lack = "no ip (Debian package iproute2), no ping (Debian package iputils-ping)";
    let kept = [
        skip("this_one_lacks_a_program", lack, "iproute2 iputils-ping"),
        skip("this_one_skips", "the machine lacks it", ""),
    ];
    assert_eq!(here.take_skips(), kept);
    assert_eq!(here.take_skips(), []);
}
