//! The files of `metalbond ctl monitor --record`, line by line: docs/ctl.md describes them.
//!
//! A file is read as often as it is needed and never held: it may be larger than memory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use metalbond::wire::{Destination, NextHop, Vni};
use serde::Deserialize;

use crate::catalogue::ListedRoute;

/// The newest version of the format that this program knows.
const VERSION: u32 = 1;
/// The most bytes of a line.
const LINE_MAX: u64 = 1 << 20;

/// A line of a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// A route of the table with which the recording began.
    Held(Recorded),
    /// The table is complete.
    Complete,
    /// A route was added.
    Added(Recorded),
    /// A route was withdrawn.
    Withdrawn(Recorded),
    /// This number of events is missing in the file.
    Missed(u64),
    /// Another event, such as the beginning of a session.
    Other,
}

/// A recorded route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Recorded {
    pub(crate) route: ListedRoute,
    /// The peer that announced it, if any; the first of several.
    pub(crate) announcer: Option<String>,
    /// In microseconds since 1970; 0 for a route of the table.
    pub(crate) at: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Recording {
    input: BufReader<File>,
    path: PathBuf,
    line: u64,
    buffer: Vec<u8>,
    /// Whether the last line was cut short and ignored.
    pub(crate) is_cut: bool,
}

/// The first line.
#[derive(Deserialize)]
struct Head {
    recording: u32,
}

/// Any other line.
#[derive(Deserialize)]
struct Row {
    event: String,
    vni: Option<Vni>,
    destination: Option<Destination>,
    next_hop: Option<NextHop>,
    announcer_name: Option<String>,
    #[serde(default)]
    announcer_names: Vec<String>,
    at: Option<String>,
    #[serde(default)]
    count: u64,
}

impl Row {
    fn recorded(self, at: u64) -> Option<Recorded> {
        let Self { vni, destination, next_hop, announcer_name, announcer_names, .. } = self;
        let route = ListedRoute { vni: vni?, destination: destination?, next_hop: next_hop? };
        let announcer = announcer_name.or_else(|| announcer_names.into_iter().next());
        Some(Recorded { route, announcer, at })
    }

    fn line(self) -> Option<Line> {
        let at = self.at.as_deref().and_then(microseconds);
        Some(match self.event.as_str() {
            "held" => Line::Held(self.recorded(0)?),
            "table_complete" => Line::Complete,
            "added" => Line::Added(self.recorded(at?)?),
            "withdrawn" => Line::Withdrawn(self.recorded(at?)?),
            "missed" => Line::Missed(self.count),
            _ => Line::Other,
        })
    }
}

impl Recording {
    /// Opens a file and reads its head.
    ///
    /// # Errors
    /// One sentence, when it cannot be read or is no recording.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let file = File::open(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let (input, path) = (BufReader::with_capacity(1 << 16, file), path.to_owned());
        let mut recording = Self { input, path, line: 0, buffer: Vec::new(), is_cut: false };
        recording.read()?;
        match serde_json::from_slice(&recording.buffer) {
            Ok(Head { recording: version }) if version <= VERSION => Ok(recording),
            Ok(Head { recording: version }) => Err(format!(
                "{shown} has version {version} of the format, and this loadgen knows version {VERSION}: use a newer \
                 loadgen"
            )),
            Err(_) => Err(format!(
                "{shown} is not a recording of metalbond ctl monitor --record: its first line is not a head"
            )),
        }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// One sentence, when the file cannot be read, or when a line is not one of a recording.
    pub(crate) fn next(&mut self) -> Result<Option<Line>, String> {
        if !self.read()? {
            return Ok(None);
        }
        let row = serde_json::from_slice::<Row>(&self.buffer);
        let wrong = |why: &str| Err(format!("{}, line {}: {why}", self.path.display(), self.line));
        match row.map(Row::line) {
            Ok(Some(line)) => Ok(Some(line)),
            // A recorder that was killed, or whose disk was full, leaves a part of a line.
            _ if !self.buffer.ends_with(b"\n") => {
                self.is_cut = true;
                Ok(None)
            }
            Ok(None) => wrong("the route or the time is missing"),
            Err(error) => wrong(&error.to_string()),
        }
    }

    /// Reads a line into the buffer; `false` at the end.
    fn read(&mut self) -> Result<bool, String> {
        self.line += 1;
        self.buffer.clear();
        let read = (&mut self.input).take(LINE_MAX).read_until(b'\n', &mut self.buffer);
        match read {
            Ok(0) => Ok(false),
            Ok(length) if length as u64 == LINE_MAX => Err(format!(
                "{}, line {}: the line is longer than any of a recording",
                self.path.display(),
                self.line
            )),
            Ok(_) => Ok(true),
            Err(error) => Err(format!("cannot read {}: {error}", self.path.display())),
        }
    }
}

/// Microseconds since 1970, from the form of recordings: `2026-11-23T03:40:25.347411Z`.
fn microseconds(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let numbers = |text: &str, sign: char| -> Option<[u64; 3]> {
        let numbers: Option<Vec<u64>> = text.split(sign).map(|part| part.parse().ok()).collect();
        numbers?.try_into().ok()
    };
    let ([year, month, day], [hour, minute, second]) = (numbers(date, '-')?, numbers(time, ':')?);
    let is_date =
        (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 || fraction.len() > 6 {
        return None;
    }
    // Years begin in March here, so that a leap day is the last day of its year.
    let years = if month < 3 { year - 1 } else { year };
    let months = (month + 9) % 12;
    let days =
        365 * years + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    Some(seconds * 1_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000001Z", Some(1)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000_000)),
            ("2026-11-23T03:40:25.347411Z", Some(1_795_405_225_347_411)),
            ("2026-11-23T03:40:25.5Z", Some(1_795_405_225_500_000)),
            ("2026-11-23 03:40:25Z", None),
            ("2026-13-23T03:40:25Z", None),
            ("1970-01-01T00:00:00+01:00", None),
            ("", None),
        ] {
            assert_eq!(microseconds(text), expected, "{text}");
        }
    }

    fn read(text: &str) -> Result<(Vec<Line>, bool), String> {
        let path = std::env::temp_dir().join(format!(
            "loadgen-recording-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&path, text).unwrap();
        let read = || {
            let mut recording = Recording::open(&path)?;
            let mut lines = Vec::new();
            while let Some(line) = recording.next()? {
                lines.push(line);
            }
            Ok((lines, recording.is_cut))
        };
        let read = read();
        std::fs::remove_file(&path).unwrap();
        read
    }

    const HEAD: &str = "{\"recording\":1,\"written_by\":\"metalbond/0.2.0\",\"new\":[]}\n";

    #[test]
    fn the_last_line_may_be_cut_anywhere() {
        let lines = "{\"event\":\"dance\"}\n{\"event\":\"missed\",\"count\":3,\"at\":\"1970-01-01T00:00:01Z\"}\n";
        let text = format!("{HEAD}{lines}");
        let whole = vec![Line::Other, Line::Missed(3)];
        assert_eq!(read(&text), Ok((whole.clone(), false)));
        let first = HEAD.len() + lines.find('\n').unwrap() + 1;
        for end in first..text.len() - 1 {
            assert_eq!(read(&text[..end]), Ok((whole[..1].to_vec(), end > first)), "{end}");
        }
        assert_eq!(
            read(&text[..text.len() - 1]),
            Ok((whole, false)),
            "only the end of the line is missing"
        );
    }

    #[test]
    fn what_is_no_recording_is_said_in_a_sentence() {
        for (text, expected) in [
            ("", "its first line is not a head"),
            ("hello\n", "its first line is not a head"),
            ("{\"recording\":2}\n", "has version 2 of the format"),
            (&format!("{HEAD}hello\n"), "line 2: "),
            (
                &format!("{HEAD}{{\"event\":\"added\",\"vni\":7}}\n"),
                "line 2: the route or the time is missing",
            ),
            (
                &format!("{HEAD}{}", " ".repeat(1 << 20)),
                "line 2: the line is longer than any of a recording",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected) && !error.ends_with('.'), "{error}");
        }
    }
}
