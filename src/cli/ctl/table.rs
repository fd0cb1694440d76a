//! Tables for people: aligned by what has been shown so far, so that rows are shown as they come.

use serde_json::Value;

/// Columns are as far apart.
const GAP: &str = "  ";

/// One column: its heading, whether it is of numbers, and its text in a row.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) is_number: bool,
    pub(super) cell: fn(&Value) -> String,
}

/// A column of texts, which are aligned left.
pub(super) const fn text(head: &'static str, cell: fn(&Value) -> String) -> Column {
    Column { head, is_number: false, cell }
}

/// A column of numbers, which are aligned right.
pub(super) const fn number(head: &'static str, cell: fn(&Value) -> String) -> Column {
    Column { head, is_number: true, cell }
}

/// A table being written.
pub(super) struct TextTable<'a> {
    columns: &'a [Column],
    widths: Vec<usize>,
    is_headed: bool,
}

impl<'a> TextTable<'a> {
    pub(super) fn new(columns: &'a [Column]) -> Self {
        let widths = columns.iter().map(|column| column.head.len()).collect();
        Self { columns, widths, is_headed: false }
    }

    /// Lines for some rows, with the heading before the first. Columns become wider and never narrower.
    pub(super) fn rows(&mut self, rows: &[Value]) -> String {
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| self.columns.iter().map(|column| (column.cell)(row)).collect())
            .collect();
        for row in &cells {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = String::new();
        if !self.is_headed && !rows.is_empty() {
            let heads: Vec<_> = self.columns.iter().map(|column| column.head.to_owned()).collect();
            self.line(&mut out, &heads);
            self.is_headed = true;
        }
        for row in &cells {
            self.line(&mut out, row);
        }
        out
    }

    fn line(&self, out: &mut String, cells: &[String]) {
        let begin = out.len();
        for ((cell, width), column) in cells.iter().zip(&self.widths).zip(self.columns) {
            if out.len() > begin {
                out.push_str(GAP);
            }
            let space = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (left, right) = if column.is_number { (&*space, "") } else { ("", &*space) };
            out.push_str(left);
            out.push_str(cell);
            out.push_str(right);
        }
        out.truncate(begin + out[begin..].trim_end().len());
        out.push('\n');
    }
}

/// Names and values below each other.
pub(super) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    pairs.iter().map(|(name, value)| format!("{name:width$}{GAP}{value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::ctl::units::{count, shown};

    const COLUMNS: &[Column] =
        &[number("N", |row| count(&row["n"])), text("NAME", |row| shown(&row["name"]))];

    #[test]
    fn numbers_end_and_texts_begin_in_one_column() {
        let mut table = TextTable::new(COLUMNS);
        let rows = [json!({"n": 7, "name": "a"}), json!({"n": 123, "name": "long name"})];
        assert_eq!(table.rows(&rows), "  N  NAME\n  7  a\n123  long name\n");
        // As wide as before, without another heading.
        assert_eq!(table.rows(&[json!({"n": 1, "name": "b"})]), "  1  b\n");
        assert_eq!(table.rows(&[json!({"n": 12345, "name": ""})]), "12345  -\n");
    }
}
