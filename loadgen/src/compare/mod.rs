//! One scenario against several servers in turn: A B C A B C.
//!
//! So a slow time of the machine affects all of them alike, and the medians of many rounds can be divided by each
//! other. Every run is a loadgen process of its own that starts a new server, so no run leaves anything behind for the
//! next. [`suite`] does this for a list of scenarios.

mod comparison;
mod contender;
mod expect;
pub(crate) mod suite;
mod trial;
mod workloads;

use crate::common::Common;
use crate::report::{show, write_files};
use contender::Contender;
use expect::Expectation;
use trial::take_turns;

/// Flags of `compare`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    // No doc comment: what is in brackets would be a link.
    #[arg(
        help = "Servers, each with its arguments: reflector[@BINARY], reflector-tls[@BINARY], repeater, \
                rustbond or ADDR:PORT[@PID]; separate several by commas, or repeat the flag",
        long,
        value_name = "SERVER [ARG]...,...",
        default_value = "reflector,repeater",
        allow_hyphen_values = true
    )]
    against: Vec<String>,

    /// Number of rounds; in each round, each server runs the scenario once
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,

    /// Fail unless this is true of the medians: 'FIGURE [of SERVER] <= [FACTOR x] SERVER' or
    /// 'FIGURE [of SERVER] <= NUMBER'; may be repeated
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

/// Runs the scenario against all servers in turn and prints the comparison.
///
/// # Errors
/// One sentence, when a run fails, a file can't be written or an expectation does not hold.
pub(crate) fn run(common: &Common, options: &Options) -> Result<(), String> {
    if !common.target.is_empty() || !common.server_args.is_empty() {
        return Err("compare takes servers and their arguments by --against".into());
    }
    let contenders = Contender::all(&options.against, common)?;
    let names: Vec<_> = contenders.iter().map(|contender| contender.name.as_str()).collect();
    let expectations = options.expect.iter().map(|text| Expectation::new(text, &names));
    let expectations = expectations.collect::<Result<Vec<_>, _>>()?;
    let turns = (&options.scenario[..], &contenders[..]);
    let comparison = take_turns(common, turns, options.rounds, "", |seen, index, round| {
        // A missing figure would show only at the end, after all the waiting.
        let mut all = expectations.iter().filter(|_| round == 1);
        all.try_for_each(|expectation| expectation.check_names(seen, index))
    })?;
    let outcomes: Vec<_> =
        expectations.iter().map(|expectation| expectation.outcome(&comparison)).collect();
    show(&comparison.text(&outcomes));
    write_files(common, || comparison.json(&outcomes))?;
    match outcomes.iter().find(|outcome| !outcome.holds) {
        Some(outcome) => Err(format!("not as expected: {}", outcome.text)),
        None => Ok(()),
    }
}
