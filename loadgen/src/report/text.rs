//! Reports for people, on a terminal.

use super::figures::RunReport;

/// A run: the key figures, then the others, then the faults.
pub(super) fn run(report: &RunReport) -> String {
    let mut out = format!("\n{} against {}\n\n", report.scenario, report.target());
    let figures = report.ordered();
    let width = figures.iter().map(|(_, figure)| figure.name.len()).max().unwrap_or(0);
    let mut was_key = true;
    for (is_key, figure) in figures {
        let is_part = figure.name.starts_with(' ');
        if was_key && !is_key && !is_part {
            out.push('\n');
            was_key = false;
        }
        let text = format!("  {:<width$}  {}", figure.name, number(figure.value));
        line(&mut out, &text, &format!("{}{}", figure.unit, of_each(figure.each.as_slice())));
    }
    if !report.knows_server {
        out += "\n  The server's process is not known: no CPU time, no memory (give --pid).\n";
    }
    let faults: Vec<_> =
        report.faults.named().map(|(name, count)| format!("{name} {count}")).into();
    out += &format!("\n  faults: {}\n", faults.join(", "));
    out
}

/// The values of a figure for several servers, in the order in which the report names them.
fn of_each(values: &[f64]) -> String {
    if values.len() < 2 {
        return String::new();
    }
    let values: Vec<_> = values.iter().map(|value| number(*value).trim().to_owned()).collect();
    format!("  ({})", values.join("; "))
}

/// Adds a line that may end with a unit.
pub(crate) fn line(out: &mut String, text: &str, unit: &str) {
    *out += format!("{text} {unit}").trim_end();
    out.push('\n');
}

/// A number in 16 columns, with its point always in the same column: `1,234,567    `, `12.3  `, `0.123`.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        1000.0.. => 0,
        10.0.. => 1,
        _ if value.fract() == 0.0 => 0,
        _ => 3,
    };
    let plain = format!("{value:.digits$}");
    let (whole, part) = plain.split_once('.').unwrap_or((&plain, ""));
    let (sign, whole) = whole.split_at(whole.len() - whole.trim_start_matches('-').len());
    let mut grouped = sign.to_owned();
    for (index, digit) in whole.char_indices() {
        // Only digits are grouped, not words such as `inf`.
        if index > 0 && (whole.len() - index) % 3 == 0 && digit.is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if part.is_empty() { ' ' } else { '.' };
    format!("{grouped:>12}{point}{part:<3}")
}

#[cfg(test)]
mod tests {
    use super::{number, of_each};

    #[test]
    fn several_servers_are_told_one_by_one() {
        assert_eq!(of_each(&[12.3]), "");
        assert_eq!(of_each(&[12.3, 0.0, 4567.8]), "  (12.3; 0; 4,568)");
    }

    #[test]
    fn points_are_below_each_other() {
        assert_eq!(number(1_234_567.8), "   1,234,568    ");
        assert_eq!(number(-1234.5), "      -1,234    ");
        assert_eq!(number(123.45), "         123.5  ");
        assert_eq!(number(1.5), "           1.500");
        assert_eq!(number(0.0), "           0    ");
        assert_eq!(number(f64::INFINITY), "         inf    ");
    }
}
