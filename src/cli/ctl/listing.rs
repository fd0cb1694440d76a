//! Listings, page by page: a page is shown before the next is asked for.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Ctl;
use super::screen::Failed;
use super::table::{Column, Table};

/// Rows of a page, and rows that a table is aligned by before the first is shown.
const LIMIT: usize = 2000;

#[derive(Deserialize)]
struct Page {
    rows: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// What is to be shown of listings.
pub(super) struct View<'a> {
    pub(super) columns: &'a [Column],
    /// What is said instead of a table without rows.
    pub(super) nothing: &'a str,
}

impl Ctl {
    /// Shows some listings as one.
    pub(super) async fn list(
        &mut self,
        paths: impl IntoIterator<Item = String>,
        view: &View<'_>,
    ) -> Result<(), Failed> {
        let mut table = Table::new(view.columns);
        let mut gathered = Vec::new();
        let mut is_empty = true;
        if self.screen.is_json {
            self.screen.write("{\"rows\":[")?;
        }
        for path in paths {
            let mut pages = Pages::new(path);
            while let Some(rows) = pages.next(self).await? {
                if self.screen.is_json {
                    for row in &rows {
                        self.screen.write(if is_empty { "\n" } else { ",\n" })?;
                        self.screen.write(row.get())?;
                        is_empty = false;
                    }
                } else {
                    gathered.append(&mut values(&rows)?);
                    if gathered.len() >= LIMIT {
                        is_empty = false;
                        self.screen.write(&table.rows(&std::mem::take(&mut gathered)))?;
                    }
                }
            }
        }
        if self.screen.is_json {
            self.screen.line("\n],\"next\":null}")
        } else if is_empty && gathered.is_empty() {
            self.screen.line(view.nothing)
        } else {
            self.screen.write(&table.rows(&gathered))
        }
    }

    /// All rows of a listing, which must not be a large one.
    pub(super) async fn rows(&mut self, path: String) -> Result<Vec<Value>, Failed> {
        let mut pages = Pages::new(path);
        let mut all = Vec::new();
        while let Some(rows) = pages.next(self).await? {
            all.append(&mut values(&rows)?);
        }
        Ok(all)
    }
}

/// A listing being read.
pub(super) struct Pages {
    path: String,
    cursor: Option<String>,
    is_done: bool,
}

impl Pages {
    pub(super) fn new(path: String) -> Self {
        Self { path, cursor: None, is_done: false }
    }

    /// The rows of the next page, as they came; `None` at the end.
    pub(super) async fn next(
        &mut self,
        ctl: &mut Ctl,
    ) -> Result<Option<Vec<Box<RawValue>>>, Failed> {
        if self.is_done {
            return Ok(None);
        }
        let joint = if self.path.contains('?') { '&' } else { '?' };
        let mut path = self.path.clone();
        // A look-up is no listing of pages, although it has the form of one.
        if !path.starts_with("/api/v1/routes/lookup") && !path.contains("?name=") {
            path.push_str(&format!("{joint}limit={LIMIT}"));
        }
        if let Some(cursor) = &self.cursor {
            path.push_str(&format!("&cursor={cursor}"));
        }
        let Page { rows, next } = ctl.client.get(&path).await?;
        self.is_done = next.is_none();
        self.cursor = next;
        Ok(Some(rows))
    }
}

fn values(rows: &[Box<RawValue>]) -> Result<Vec<Value>, Failed> {
    let values = rows.iter().map(|row| serde_json::from_str(row.get())).collect::<Result<_, _>>();
    values.map_err(|error| Failed::Sentence(format!("a row that cannot be read: {error}")))
}
