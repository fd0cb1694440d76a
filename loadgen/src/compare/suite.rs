//! All workloads that the reflector's cost is judged by, one after another, in one command.
//!
//! Each is a comparison as that of `compare`: the repeater, the reflector with two numbers of shards and,
//! if one is given, an older reflector with the same, in turn.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::comparison::{self, Comparison};
use super::contender::Contender;
use super::trial::take_turns;
use super::workloads::{self, Base, Measure, Workload};
use crate::common::Common;
use crate::load::Span;
use crate::report::{show, text, write_files};

/// Flags of `suite`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("duration", |arg| {
    arg.help("How long to measure in each run, in seconds").default_value("3")
}))]
pub(crate) struct Options {
    /// The program of an older reflector, to compare --binary with
    #[arg(long, value_name = "FILE")]
    old: Option<PathBuf>,

    /// Run only the workloads whose names contain this text; may be repeated [default: all]
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,

    /// Number of rounds; in each round of a workload, each server runs it once
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,

    #[command(flatten)]
    span: Span,

    /// Fail if a ratio is above its limit
    #[arg(long)]
    check: bool,
}

/// A workload that has run.
#[derive(Debug)]
struct Done {
    name: &'static str,
    json: Value,
    rows: Vec<Row>,
}

/// The values of one figure.
#[derive(Debug)]
struct Row {
    measure: Measure,
    unit: String,
    cells: Vec<Cell>,
}

/// The value of one server.
#[derive(Debug)]
struct Cell {
    server: String,
    median: f64,
    ratio: Option<f64>,
    limit: Option<f64>,
}

impl Cell {
    /// The median, its ratio to the base, and `!` when the ratio is above its limit.
    fn text(&self, base: Base) -> String {
        let mut text = text::number(self.median).trim().to_owned();
        if let Some(ratio) = self.ratio.filter(|_| base != Base::One) {
            text += &format!("; {}", comparison::ratio(ratio).trim());
        }
        if self.holds() == Some(false) {
            text += " !";
        }
        text
    }

    fn holds(&self) -> Option<bool> {
        self.limit.map(|limit| self.ratio.is_some_and(|ratio| ratio <= limit))
    }
}

/// Runs the workloads and prints their costs.
///
/// # Errors
/// One sentence, when no workload is selected, a run fails, the file can't be written, or a limit that is to be
/// checked does not hold. When a run fails, the results before it are still printed.
pub(crate) fn run(common: &Common, options: &Options) -> Result<(), String> {
    if !common.target.is_empty() {
        return Err("suite starts its servers: name them with --binary and --old".into());
    }
    if common.report.is_some() {
        return Err("suite writes no page: write --json, or use compare for one workload".into());
    }
    let mut meant = workloads::all();
    let is_meant = |name: &str| options.only.iter().any(|text| name.contains(text.as_str()));
    meant.retain(|workload| options.only.is_empty() || is_meant(workload.name));
    if meant.is_empty() {
        let names: Vec<_> = workloads::all().iter().map(|workload| workload.name).collect();
        return Err(format!("--only matches none of '{}'", names.join("', '")));
    }
    let mut done = Vec::new();
    let mut failure = None;
    for workload in meant {
        match measure(common, options, &workload) {
            Ok(one) => {
                done.push(one);
                // An interrupted suite keeps the results of the workloads that ended.
                write_json(common, &done, options.rounds, false)?;
            }
            Err(error) => {
                failure = Some(format!("{}: {error}", workload.name));
                break;
            }
        }
    }
    show(&as_text(&done, options.rounds));
    write_json(common, &done, options.rounds, failure.is_none())?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let cells = done.iter().flat_map(|done| &done.rows).flat_map(|row| &row.cells);
    let above = cells.filter(|cell| cell.holds() == Some(false)).count();
    match above {
        1.. if options.check => Err(format!("{above} figures are above their limits")),
        _ => Ok(()),
    }
}

/// Writes the requested file.
fn write_json(common: &Common, done: &[Done], rounds: u16, verified: bool) -> Result<(), String> {
    write_files(common, || as_json(done, rounds, verified))
}

/// The servers of a workload: the repeater, then the judged reflector, then the older one.
fn servers(common: &Common, options: &Options, workload: &Workload) -> Vec<Contender> {
    let arguments = vec!["--spawn=repeater".to_owned()];
    let mut servers = vec![Contender { name: "repeater".to_owned(), arguments }];
    let old = options.old.as_ref().map(|old| ("old, ", Some(old)));
    for (prefix, binary) in std::iter::once(("", common.binary.as_ref())).chain(old) {
        for shards in workload.shards {
            let mut arguments = vec!["--spawn=reflector".to_owned()];
            arguments.extend(binary.map(|path| format!("--binary={}", path.display())));
            arguments.extend(["--server-arg=--shards".into(), format!("--server-arg={shards}")]);
            arguments.extend(common.server_args.iter().map(|each| format!("--server-arg={each}")));
            let plural = if shards == 1 { "" } else { "s" };
            servers.push(Contender { name: format!("{prefix}{shards} shard{plural}"), arguments });
        }
    }
    servers
}

/// Runs one workload against its servers in turn.
fn measure(common: &Common, options: &Options, workload: &Workload) -> Result<Done, String> {
    let servers = servers(common, options, workload);
    let mut scenario = workload.scenario();
    scenario.push(format!("--duration={}", options.span.duration));
    scenario.push(format!("--warm-up={}", options.span.warm_up));
    let label = format!("{}: ", workload.name);
    let turns = (&scenario[..], &servers[..]);
    let seen = take_turns(common, turns, options.rounds, &label, |_, _, _| Ok(()))?;
    let rows = workload.measures.iter().map(|measure| row(&seen, &servers, *measure));
    let rows = rows.collect::<Result<_, _>>()?;
    Ok(Done { name: workload.name, json: seen.json(&[]), rows })
}

/// The row of a figure. `servers` are in the order of [`servers`]: the repeater, then pairs.
fn row(seen: &Comparison<'_>, servers: &[Contender], measure: Measure) -> Result<Row, String> {
    let unit =
        seen.unit(measure.figure).ok_or_else(|| format!("no run has '{}'", measure.figure))?;
    let median = |index| seen.median(index, measure.figure);
    let cell = |(index, server): (usize, &Contender)| {
        let own = median(index)?;
        // Both servers of a pair are divided by the first of it.
        let (pair, place) = (index.saturating_sub(1) / 2, index.saturating_sub(1) % 2);
        let base = match measure.base {
            Base::Repeater => median(0),
            Base::OneShard if index > 0 => median(1 + 2 * pair),
            Base::One if index > 0 => Some(1.0),
            Base::OneShard | Base::One => None,
        };
        let is_judged = index > 0 && pair == 0;
        Some(Cell {
            server: server.name.clone(),
            median: own,
            ratio: base.map(|base| own / base),
            limit: measure.limits[place].filter(|_| is_judged),
        })
    };
    Ok(Row { measure, unit, cells: servers.iter().enumerate().filter_map(cell).collect() })
}

/// The text for people: a table for each set of servers, which is Markdown too.
fn as_text(done: &[Done], rounds: u16) -> String {
    let mut out = format!(
        "\nMedians of {rounds} interleaved rounds. Behind each is the ratio to the repeater or, with many \
         shards, to one shard of the same binary; `!` is above the limit.\n"
    );
    let rows: Vec<_> =
        done.iter().flat_map(|done| done.rows.iter().map(move |row| (done.name, row))).collect();
    let servers = |row: &Row| row.cells.iter().map(|cell| cell.server.clone()).collect::<Vec<_>>();
    for rows in rows.chunk_by(|(_, a), (_, b)| servers(a) == servers(b)) {
        let first = rows[0].1;
        let figure = |row: &Row| match row.unit.as_str() {
            "" => row.measure.figure.to_owned(),
            unit => format!("{}, {unit}", row.measure.figure),
        };
        let is_same = rows.iter().all(|(_, row)| figure(row) == figure(first));
        let title = if is_same { figure(first) } else { "workload: figure".to_owned() };
        let head = std::iter::once(title).chain(servers(first)).chain(["at most".to_owned()]);
        let mut table = vec![head.collect::<Vec<_>>()];
        for (name, row) in rows {
            let label =
                if is_same { (*name).to_owned() } else { format!("{name}: {}", figure(row)) };
            let cells = row.cells.iter().map(|cell| cell.text(row.measure.base));
            let limits = row.measure.limits.iter().flatten().map(f64::to_string);
            let limits = limits.collect::<Vec<_>>().join(", ");
            table.push(std::iter::once(label).chain(cells).chain([limits]).collect());
        }
        out += &markdown(&table);
    }
    out
}

/// A table whose first row is its head, with aligned columns.
fn markdown(table: &[Vec<String>]) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| table.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut out = "\n".to_owned();
    for (number, row) in table.iter().enumerate() {
        for (text, width) in row.iter().zip(&widths) {
            out += &format!("| {text:<width$} ");
        }
        out += "|\n";
        if number == 0 {
            widths.iter().for_each(|width| out += &format!("|{}", "-".repeat(width + 2)));
            out += "|\n";
        }
    }
    out
}

/// The JSON for programs; README.md describes it.
fn as_json(done: &[Done], rounds: u16, verified: bool) -> Value {
    let workload = |done: &Done| {
        let measures = done.rows.iter().map(|row| {
            let servers = row.cells.iter().map(|cell| {
                json!({
                    "name": cell.server,
                    "median": cell.median,
                    "ratio": cell.ratio,
                    "limit": cell.limit,
                    "holds": cell.holds(),
                })
            });
            let base = match row.measure.base {
                Base::Repeater => "repeater",
                Base::OneShard => "one shard",
                Base::One => "",
            };
            json!({
                "figure": row.measure.figure,
                "unit": row.unit,
                "base": base,
                "servers": servers.collect::<Vec<_>>(),
            })
        });
        json!({
            "name": done.name,
            "measures": measures.collect::<Vec<_>>(),
            "comparison": done.json,
        })
    };
    json!({
        "kind": "suite",
        "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
        "rounds": rounds,
        "machine": crate::machine::describe(),
        "workloads": done.iter().map(workload).collect::<Vec<_>>(),
        "verified": verified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_of(values: [f64; 5], base: Base) -> Row {
        let server = |number: usize| Contender { name: number.to_string(), arguments: Vec::new() };
        let servers: Vec<_> = (0..values.len()).map(server).collect();
        let mut seen = Comparison::new(&[], &servers);
        for (index, value) in values.into_iter().enumerate() {
            seen.add(index, json!({ "figures": [{ "name": "f", "value": value, "unit": "ns" }] }));
        }
        row(&seen, &servers, Measure { figure: "f", base, limits: [Some(1.5), Some(2.0)] }).unwrap()
    }

    fn ratios(row: &Row) -> Vec<Option<f64>> {
        row.cells.iter().map(|cell| cell.ratio).collect()
    }

    #[test]
    fn only_what_is_new_is_judged() {
        let row = row_of([10.0, 15.0, 21.0, 100.0, 200.0], Base::Repeater);
        let holds: Vec<_> = row.cells.iter().map(Cell::holds).collect();
        assert_eq!(holds, [None, Some(true), Some(false), None, None]);
        assert_eq!(ratios(&row), [1.0, 1.5, 2.1, 10.0, 20.0].map(Some));
    }

    #[test]
    fn many_shards_are_divided_by_one_shard_of_the_same_binary() {
        let row = row_of([10.0, 15.0, 45.0, 100.0, 300.0], Base::OneShard);
        assert_eq!(ratios(&row), [None, Some(1.0), Some(3.0), Some(1.0), Some(3.0)]);
        assert_eq!(row.cells[2].holds(), Some(false));
    }

    #[test]
    fn tables_have_their_columns_below_each_other() {
        let row = row_of([10.0, 15.0, 45.0, 100.0, 300.0], Base::Repeater);
        let done = [Done { name: "a workload", json: Value::Null, rows: vec![row] }];
        let text = as_text(&done, 5);
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{text}");
        assert!(
            lines[2].contains("| 15.0; 1.50") && lines[2].contains("| 45.0; 4.50 ! "),
            "{text}"
        );
        assert!(lines[2].contains("| 1.5, 2"), "{text}");
    }

    #[test]
    fn workloads_are_told_apart() {
        let mut names: Vec<_> = workloads::all().iter().map(|workload| workload.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), workloads::all().len());
    }
}
