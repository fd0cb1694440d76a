//! Listings, page by page: a page is shown before the next is asked for.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Ctl;
use super::screen::Failed;
use super::table::{Column, TextTable};

/// Rows of a page, and rows that a table is aligned by before the first is shown.
const LIMIT: usize = 2000;

#[derive(Deserialize)]
struct Page {
    rows: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// What has rows, by its path.
pub(super) enum Rows {
    /// As many as there are, page by page.
    Listing(String),
    /// The same in order. Sorted pages go on by another parameter.
    Sorted(String),
    /// What a look-up finds, all at once: it has the form of a listing and takes no limit.
    Lookup(String),
}

/// What is to be shown of rows.
pub(super) struct View<'a> {
    pub(super) columns: &'a [Column],
    /// What is said instead of a table without rows.
    pub(super) nothing: &'a str,
    /// So many rows at most.
    pub(super) limit: Option<u64>,
}

impl Ctl {
    /// Shows the rows of several as one listing.
    pub(super) async fn list(
        &mut self,
        all: impl IntoIterator<Item = Rows>,
        view: &View<'_>,
    ) -> Result<(), Failed> {
        let mut table = TextTable::new(view.columns);
        let mut gathered = Vec::new();
        let mut is_empty = true;
        let mut left =
            view.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if self.screen.is_json {
            self.screen.write("{\"rows\":[")?;
        }
        for rows in all {
            let mut pages = Pages::new(rows);
            while left > 0
                && let Some(mut rows) = pages.next(self).await?
            {
                rows.truncate(left);
                left -= rows.len();
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

    /// All rows, which must not be many.
    pub(super) async fn rows(&mut self, rows: Rows) -> Result<Vec<Value>, Failed> {
        let mut pages = Pages::new(rows);
        let mut all = Vec::new();
        while let Some(rows) = pages.next(self).await? {
            all.append(&mut values(&rows)?);
        }
        Ok(all)
    }
}

/// Rows being read.
pub(super) struct Pages {
    /// Where the next page is; `None` at the end.
    next: Option<String>,
    /// What a cursor is added to, and by which parameter; `None` of what has one page.
    base: Option<(String, &'static str)>,
}

impl Pages {
    pub(super) fn new(rows: Rows) -> Self {
        let paged = |path: String, parameter| {
            let joint = if path.contains('?') { '&' } else { '?' };
            let base = format!("{path}{joint}limit={LIMIT}");
            Self { next: Some(base.clone()), base: Some((base, parameter)) }
        };
        match rows {
            Rows::Listing(path) => paged(path, "cursor"),
            Rows::Sorted(path) => paged(path, "after"),
            Rows::Lookup(path) => Self { next: Some(path), base: None },
        }
    }

    /// The rows of the next page, as they came; `None` at the end.
    pub(super) async fn next(
        &mut self,
        ctl: &mut Ctl,
    ) -> Result<Option<Vec<Box<RawValue>>>, Failed> {
        let Some(path) = self.next.take() else { return Ok(None) };
        let Page { rows, next } = ctl.client.get(&path).await?;
        let after = |((base, parameter), next): (&(String, _), String)| {
            format!("{base}&{parameter}={next}")
        };
        self.next = self.base.as_ref().zip(next).map(after);
        Ok(Some(rows))
    }
}

fn values(rows: &[Box<RawValue>]) -> Result<Vec<Value>, Failed> {
    let values = rows.iter().map(|row| serde_json::from_str(row.get())).collect::<Result<_, _>>();
    values.map_err(|error| Failed::Sentence(format!("cannot read a row of the answer: {error}")))
}
