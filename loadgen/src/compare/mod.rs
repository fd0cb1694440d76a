//! One scenario against several servers in turn: A B C A B C.
//!
//! Whatever slows the machine down for a while hits all of them so, and medians of many rounds can be
//! divided by each other. Every run is a loadgen of its own, which starts its server anew: nothing
//! that one run leaves behind is there in the next. [`suite`] does so with a list of scenarios.

mod contender;
mod expect;
pub(crate) mod suite;
mod told;
mod workloads;

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::Common;
use crate::live;
use crate::report::{page, show, write};
use contender::Contender;
use expect::Expectation;
use told::Comparison;

/// Flags of `compare`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    // No doc comment: what is in brackets would be a link.
    #[arg(
        help = "Servers, each with its arguments: reflector[@BINARY], repeater, rustbond or \
                ADDR:PORT[@PID]; several by commas, or by giving this again",
        long,
        value_name = "SERVER [ARG]...,...",
        default_value = "reflector,repeater",
        allow_hyphen_values = true
    )]
    against: Vec<String>,

    /// How often each server has its turn
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,

    /// Fail unless this holds for medians: 'FIGURE [of SERVER] <= [FACTOR x] SERVER' or '... <= NUMBER';
    /// may be repeated
    #[arg(long, value_name = "LIMIT")]
    expect: Vec<String>,

    /// The scenario and its flags
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "SCENARIO [FLAG]..."
    )]
    scenario: Vec<String>,
}

/// Runs the scenario against all servers in turn and tells how they compare.
///
/// # Errors
/// One sentence, when a run fails, a file can't be written or an expectation does not hold.
pub(crate) fn run(common: &Common, options: &Options) -> Result<(), String> {
    if common.target.is_some() || !common.server_args.is_empty() {
        return Err("compare takes servers and their arguments by --against".into());
    }
    let contenders = Contender::all(&options.against, common)?;
    let names: Vec<_> = contenders.iter().map(|contender| contender.name.as_str()).collect();
    let expectations = options.expect.iter().map(|text| Expectation::new(text, &names));
    let expectations = expectations.collect::<Result<Vec<_>, _>>()?;
    let mut comparison = Comparison::new(&options.scenario, &contenders);
    for round in 1..=options.rounds {
        for (index, contender) in contenders.iter().enumerate() {
            live::say(&format!("round {round} of {}: {}", options.rounds, contender.name));
            let result = one(common, &options.scenario, contender)
                .map_err(|error| format!("{} failed in round {round}: {error}", contender.name))?;
            comparison.add(index, result);
            // A figure that is not there would show only at the end, after all the waiting.
            for expectation in expectations.iter().filter(|_| round == 1) {
                expectation.check_names(&comparison, index)?;
            }
        }
    }
    let outcomes: Vec<_> =
        expectations.iter().map(|expectation| expectation.outcome(&comparison)).collect();
    show(&comparison.text(&outcomes));
    if common.json.is_some() || common.report.is_some() {
        let json = comparison.json(&outcomes);
        if let Some(file) = &common.json {
            write(file, &format!("{json:#}\n"))?;
        }
        if let Some(file) = &common.report {
            write(file, &page::of(&json))?;
        }
    }
    match outcomes.iter().find(|outcome| !outcome.holds) {
        Some(outcome) => Err(format!("not as expected: {}", outcome.text)),
        None => Ok(()),
    }
}

/// One run, as a process of its own; its report.
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
