//! Small files that a user names.

use std::fs::File;
use std::io::{Error, Read as _, Result};
use std::path::Path;

/// The text of a file of at most `most` bytes.
///
/// # Errors
/// The system's error, or that the file is longer or no text.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String> {
    let mut text = String::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(text)
}
