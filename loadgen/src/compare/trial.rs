//! The runs of a comparison, each a process of its own.

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::comparison::Comparison;
use super::contender::Contender;
use crate::common::Common;
use crate::live;

/// Runs a scenario against each server, one after the other, and repeats that for the given number of rounds. The
/// line of each run begins with `label`. After each run, `look` gets the results so far, the server of that run and
/// its round, counted from 1.
///
/// # Errors
/// One sentence, when a run fails or `look` does.
pub(super) fn take_turns<'a>(
    common: &Common,
    (scenario, servers): (&'a [String], &'a [Contender]),
    rounds: u16,
    label: &str,
    mut look: impl FnMut(&Comparison<'_>, usize, u16) -> Result<(), String>,
) -> Result<Comparison<'a>, String> {
    let mut comparison = Comparison::new(scenario, servers);
    for round in 1..=rounds {
        for (index, server) in servers.iter().enumerate() {
            live::say(&format!("{label}round {round} of {rounds}: {}", server.name));
            let result = one(common, scenario, server)
                .map_err(|error| format!("{} failed in round {round}: {error}", server.name))?;
            comparison.add(index, result);
            look(&comparison, index, round)?;
        }
    }
    Ok(comparison)
}

/// Makes one run, as a process of its own; returns its report.
fn one(common: &Common, scenario: &[String], contender: &Contender) -> Result<Value, String> {
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
    // On a terminal each run shows its line; elsewhere its output is shown only when it fails.
    let shows = common.verbose || std::io::stderr().is_terminal();
    command.stderr(if shows { Stdio::inherit() } else { Stdio::piped() });
    let output = command.spawn().and_then(std::process::Child::wait_with_output);
    let output = output.map_err(|error| format!("cannot start a run: {error}"))?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        // The program names an unknown flag first and the remedy last.
        let of_flags = printed.lines().find_map(|line| line.strip_prefix("error: "));
        let last = printed.lines().last().map(|line| line.trim_start_matches("loadgen: "));
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
        let describe =
            |error: &dyn std::fmt::Display| format!("no report in {}: {error}", self.path());
        let text = fs::read_to_string(&self.0).map_err(|error| describe(&error))?;
        serde_json::from_str(&text).map_err(|error| describe(&error))
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
