//! `monitor --record`: what subscribers are sent, in a file that `loadgen replay` plays.
//!
//! Events are taken from before the table is read until the end, so none is missed between the two. They come while the
//! table is read: a route that has an event may also be in the table, as it was before that event or after it. Either
//! way the events in their order lead from the table to what is there at the end.
//!
//! Each piece of the file is written as it comes, so a recording of any length needs no memory, and a file that has no
//! proper end lacks at most a part of its last line. docs/ctl.md describes the lines.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::Ctl;
use super::client::Client;
use super::listing::{Pages, Rows};
use super::monitor::{Events, now, time_over};
use super::screen::{Failed, Screen};
use crate::cli::signals::Signals;
use crate::cli::values::{counted, remark};

/// The version of the format. Readers refuse a higher one, and skip events that they do not know.
const VERSION: u32 = 1;

/// Rows of the table.
type Page = Vec<Box<RawValue>>;

impl Ctl {
    /// Records until the reflector ends the connection, the time is over, or this process receives a signal to end.
    pub(super) async fn record(&mut self, vni: Option<u32>, file: &Path) -> Result<(), Failed> {
        let signals = Signals::new();
        let mut signals = signals.map_err(|error| format!("cannot handle signals: {error}"))?;
        let mut events = Events::open(&mut self.client, vni).await?;
        let mut recording = Recording::new(file, vni)?;
        let (pages, mut rows) = mpsc::channel(1);
        let mut reader = self.second().await?;
        let mut table = pin!(async move { reader.read_table(vni, &pages).await });
        let mut over = pin!(time_over(self.client.patience.end));
        let (mut is_read, mut is_listed) = (false, false);
        remark("recording; press Ctrl-C to end\n");
        let end = loop {
            tokio::select! {
                () = &mut over => break "the time is over",
                _ = signals.next() => break "interrupted",
                page = rows.recv(), if !is_listed => match page {
                    Some(page) => recording.table(&page)?,
                    None => is_listed = true,
                },
                done = &mut table, if !is_read => {
                    done?;
                    is_read = true;
                }
                goes_on = events.wait() => {
                    if !goes_on? {
                        break "the reflector has ended the events";
                    }
                    events.take(|event| recording.event(event))?;
                }
            }
            if is_read && is_listed {
                recording.table_is_complete()?;
            }
            recording.flush()?;
        };
        remark(&format!("{end}\n"));
        recording.finish(&mut self.screen)
    }

    /// A connection for other questions, while this one brings events.
    async fn second(&self) -> Result<Self, Failed> {
        let client = Client::connect(self.client.path(), self.client.patience).await?;
        Ok(Self { client, screen: Screen::new(false) })
    }

    async fn read_table(
        &mut self,
        vni: Option<u32>,
        pages: &mpsc::Sender<Page>,
    ) -> Result<(), Failed> {
        let vnis = match vni {
            Some(vni) => vec![u64::from(vni)],
            None => self.vnis_with("routes", Rows::Listing("/api/v1/vnis".to_owned())).await?,
        };
        for vni in vnis {
            let mut routes = Pages::new(Rows::Listing(format!("/api/v1/vnis/{vni}/routes")));
            while let Some(page) = routes.next(self).await? {
                // The recording has ended.
                if pages.send(page).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// What is looked at of an event.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    count: u64,
}

/// The file, and what has been written.
struct Recording {
    out: BufWriter<File>,
    path: PathBuf,
    began: Instant,
    routes: u64,
    events: u64,
    missed: u64,
    is_complete: bool,
}

impl Recording {
    /// A new file, which only its owner may read.
    fn new(path: &Path, vni: Option<u32>) -> Result<Self, Failed> {
        // Nothing that is there is overwritten, nor written through a link.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failed::Sentence(format!(
                "{} is there already: give the name of a new file",
                path.display()
            )),
            _ => cannot_write(path, &error),
        })?;
        let mut recording = Self {
            out: BufWriter::new(file),
            path: path.to_owned(),
            began: Instant::now(),
            routes: 0,
            events: 0,
            missed: 0,
            is_complete: false,
        };
        let written_by = format!("metalbond/{}", env!("CARGO_PKG_VERSION"));
        let head = json!({"recording": VERSION, "written_by": written_by, "at": now(), "vni": vni});
        recording.line(&[head.to_string().as_bytes()])?;
        recording.flush()?;
        Ok(recording)
    }

    /// Writes rows of the table, as the reflector lists them.
    fn table(&mut self, rows: &Page) -> Result<(), Failed> {
        for row in rows {
            let Some(members) = row.get().strip_prefix('{') else { continue };
            self.routes += 1;
            self.line(&[b"{\"event\":\"held\",", members.as_bytes()])?;
        }
        Ok(())
    }

    fn table_is_complete(&mut self) -> Result<(), Failed> {
        if self.is_complete {
            return Ok(());
        }
        self.is_complete = true;
        let line = json!({"event": "table_complete", "routes": self.routes, "at": now()});
        remark(&format!("the table of {} is recorded\n", counted(self.routes, "route")));
        self.line(&[line.to_string().as_bytes()])
    }

    /// Writes an event, as the reflector says it.
    fn event(&mut self, event: &[u8]) -> Result<(), Failed> {
        match serde_json::from_slice(event) {
            Ok(Kind { count: 0 }) => self.events += 1,
            Ok(Kind { count }) => self.missed += count,
            Err(error) => return Err(format!("cannot read an event: {error}").into()),
        }
        self.line(&[event])
    }

    fn line(&mut self, parts: &[&[u8]]) -> Result<(), Failed> {
        let Self { out, path, .. } = self;
        let written = parts.iter().try_for_each(|part| out.write_all(part));
        let written = written.and_then(|()| out.write_all(b"\n"));
        written.map_err(|error| cannot_write(path, &error))
    }

    fn flush(&mut self) -> Result<(), Failed> {
        self.out.flush().map_err(|error| cannot_write(&self.path, &error))
    }

    /// Says what has been written.
    fn finish(mut self, screen: &mut Screen) -> Result<(), Failed> {
        self.flush()?;
        let seconds = self.began.elapsed().as_secs_f64();
        let Self { routes, events, missed, is_complete, .. } = self;
        if screen.is_json {
            let said = json!({"routes": routes, "table_complete": is_complete, "events": events,
                "missed": missed, "seconds": seconds});
            return screen.line(&said.to_string());
        }
        let table = if is_complete { "a table of" } else { "a part of the table," };
        let (routes, events) = (counted(routes, "route"), counted(events, "event"));
        screen.line(&format!("Recorded {table} {routes} and {events} in {seconds:.1} s."))?;
        if missed > 0 {
            let missed = counted(missed, "event");
            screen.line(&format!(
                "The recording lacks {missed}, which came faster than they were written."
            ))?;
        }
        Ok(())
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failed {
    let path = path.display();
    Failed::Sentence(format!(
        "cannot write {path}: {error}; give a new file in a folder that you may write to"
    ))
}
