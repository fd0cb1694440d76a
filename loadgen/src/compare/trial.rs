//! One run of a comparison, as a process of its own.

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::contender::Contender;
use crate::common::Common;

/// One run, as a process of its own; its report.
pub(super) fn one(
    common: &Common,
    scenario: &[String],
    contender: &Contender,
) -> Result<Value, String> {
    let own = std::env::current_exe()
        .map_err(|error| format!("cannot tell where loadgen is: {error}"))?;
    let file = Scratch::new();
    let mut command = Command::new(own);
    command.args([
        format!("--threads={}", common.threads),
        format!("--keepalive={}", common.keepalive),
        format!("--timeout={}", common.timeout),
    ]);
    command.args(common.verbose.then_some("--verbose"));
    command.args(scenario).args(&contender.arguments).arg("--json").arg(&file.0);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // On a terminal each run shows its line; elsewhere it is heard only when it fails.
    let shows = common.verbose || std::io::stderr().is_terminal();
    command.stderr(if shows { Stdio::inherit() } else { Stdio::piped() });
    let output = command.spawn().and_then(std::process::Child::wait_with_output);
    let output = output.map_err(|error| format!("cannot start a run: {error}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        // Flags that it does not know are told first, what to do about it last.
        let of_flags = told.lines().find_map(|line| line.strip_prefix("error: "));
        let last = told.lines().last().map(|line| line.trim_start_matches("loadgen: "));
        return Err(of_flags.or(last).unwrap_or("see above").to_owned());
    }
    file.read()
}

/// A file for the report of a run; dropping it removes it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("loadgen-compare-{}.json", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn read(&self) -> Result<Value, String> {
        let told = |error: &dyn std::fmt::Display| format!("no report in {}: {error}", self.path());
        let text = fs::read_to_string(&self.0).map_err(|error| told(&error))?;
        serde_json::from_str(&text).map_err(|error| told(&error))
    }

    fn path(&self) -> std::path::Display<'_> {
        Path::display(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}
