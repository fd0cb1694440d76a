//! The programs that tests run.

use std::path::Path;
use std::process::Command;

use crate::Reason;

/// Lines with a program and its Debian package; `.ci/run` reads the file too.
const PACKAGES: &str = include_str!("../../packages");

/// All programs that tests run, and the Debian package of each.
pub fn packages() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = PACKAGES.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(program, package)| (program, package.trim()))
}

/// The reason to skip a test that needs these programs; `None` if all are installed.
///
/// # Panics
///
/// When a program isn't in `tests/packages`, on any machine.
#[track_caller]
pub fn missing(programs: &[&str]) -> Option<Reason> {
    let (mut texts, mut lacking) = (Vec::new(), Vec::new());
    for program in programs {
        let known = packages().find(|(known, _)| known == program);
        let (program, package) = known.unwrap_or_else(|| panic!("no {program} in tests/packages"));
        if !is_installed(program) {
            texts.push(format!("no {program} (Debian package {package})"));
            lacking.push(package);
        }
    }
    (!texts.is_empty()).then(|| Reason { text: texts.join(", "), packages: lacking })
}

/// Runs `ip` once for each line of words; returns the reason to skip a test that needs all of them. `None` if
/// all succeeded.
#[track_caller]
pub fn ip(steps: &[String]) -> Option<Reason> {
    if let Some(missing) = missing(&["ip"]) {
        return Some(missing);
    }
    steps.iter().find_map(|step| match Command::new("ip").args(step.split(' ')).output() {
        Ok(output) if output.status.success() => None,
        failed => Some(format!("ip {step}: {failed:?}").into()),
    })
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_come_with_their_packages() {
        assert_eq!(
            packages().find(|(program, _)| *program == "ping"),
            Some(("ping", "iputils-ping"))
        );
        assert!(packages().all(|(_, package)| !package.is_empty() && !package.contains(' ')));
        assert!(is_installed("sh") && !is_installed("no-such-program"));
    }

    #[test]
    #[should_panic(expected = "no sh in tests/packages")]
    fn a_program_without_a_package_is_a_mistake() {
        missing(&["sh"]);
    }
}
