//! The result of a run, its [`figures`]: as [`text`] for people, [`machine readable`](json) and as a [`page`].

mod figures;
mod json;
mod page;
pub(crate) mod text;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::Value;

use crate::common::Common;
pub(crate) use figures::RunReport;

/// Prints the report and writes it to the requested files.
///
/// # Errors
/// One sentence, when a file can't be written or the deliveries had faults.
pub(crate) fn print(report: &RunReport, common: &Common) -> Result<(), String> {
    show(&text::run(report));
    write_files(common, || report.json())?;
    if report.faults.any() {
        return Err(
            "subscribers did not receive exactly the expected updates: see the faults".into()
        );
    }
    Ok(())
}

/// Writes data to the requested files: as JSON, and as a page.
///
/// # Errors
/// One sentence, when a file can't be written.
pub(crate) fn write_files(common: &Common, data: impl FnOnce() -> Value) -> Result<(), String> {
    if common.json.is_none() && common.report.is_none() {
        return Ok(());
    }
    let data = data();
    if let Some(file) = &common.json {
        write(file, &format!("{data:#}\n"))?;
    }
    if let Some(file) = &common.report {
        write(file, &page::of(&data))?;
    }
    Ok(())
}

/// Prints a text on standard output. Ignores a closed pipe, so that the caller still writes the files of the report.
pub(crate) fn show(text: &str) {
    let mut out = io::stdout();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Checks before the run that the requested files can be written.
///
/// # Errors
/// One sentence, when a file can't be written.
pub(crate) fn check_files(common: &Common) -> Result<(), String> {
    for file in [&common.json, &common.report].into_iter().flatten() {
        let is_there = file.exists();
        let opened = OpenOptions::new().append(true).create(true).open(file);
        opened.map_err(|error| cannot_write(file, &error))?;
        if !is_there {
            // A failed run leaves no empty file.
            drop(fs::remove_file(file));
        }
    }
    Ok(())
}

/// Writes a file.
///
/// # Errors
/// One sentence, when it can't be written.
fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| cannot_write(file, &error))
}

fn cannot_write(file: &Path, error: &io::Error) -> String {
    let file = file.display();
    format!("cannot write {file}: {error}; give a file in a folder that you may write to")
}
