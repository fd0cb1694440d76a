//! Everything that can be asked, in one JSON document.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Ctl;
use super::listing::{Pages, Rows};
use super::screen::Failed;

/// Listings, by the members that have their rows.
const LISTINGS: [(&str, &str); 3] = [
    ("peers", "/api/v1/peers"),
    ("vnis", "/api/v1/vnis"),
    ("subscriptions", "/api/v1/subscriptions"),
];
/// Documents, by the members that they are.
const DOCUMENTS: [(&str, &str); 3] =
    [("counters", "/api/v1/counters"), ("shards", "/api/v1/shards"), ("limits", "/api/v1/limits")];

impl Ctl {
    pub(super) async fn dump(&mut self, file: &Path) -> Result<(), Failed> {
        if file == Path::new("-") {
            let mut out = BufWriter::new(io::stdout());
            self.write_everything(&mut out, &|error| error.into()).await?;
            return Ok(out.flush()?);
        }
        if is_written_into(file) {
            return self.dump_into(file).await;
        }
        // What is renamed takes the place of a link too: root would otherwise write wherever a link
        // leads that somebody has put into a folder for everybody.
        let mut part = Part::new(file)?;
        let (path, out) = (part.path.clone(), &mut part.out);
        let failed = |error| cannot_write(&path, &error);
        self.write_everything(out, &failed).await?;
        part.finish(file)
    }

    async fn dump_into(&mut self, file: &Path) -> Result<(), Failed> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failed::NoReader,
            _ => cannot_write(file, &error),
        };
        // The kernel protects folders for everybody from pipes and links of others, if the open could
        // make a file.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let out = options.open(file).map_err(failed)?;
        // A pipe may have become a link to a file since it was looked at.
        if out.metadata().map_err(failed)?.is_file() && !is_in_system_folder(file) {
            return Err(failed(io::Error::other("it has just been replaced")));
        }
        let mut out = BufWriter::new(out);
        self.write_everything(&mut out, &failed).await?;
        out.flush().map_err(failed)
    }

    async fn write_everything(
        &mut self,
        out: &mut impl Write,
        failed: &impl Fn(io::Error) -> Failed,
    ) -> Result<(), Failed> {
        let mut write = |text: &[u8]| out.write_all(text).map_err(failed);
        let version = env!("CARGO_PKG_VERSION");
        write(format!("{{\"written_by\":\"metalbond/{version}\"").as_bytes())?;
        for (name, path) in DOCUMENTS {
            let text = self.client.get_text(path).await?;
            write(format!(",\n\"{name}\":{text}").as_bytes())?;
        }
        for (name, path) in LISTINGS {
            write(format!(",\n\"{name}\":[").as_bytes())?;
            let mut pages = Pages::new(Rows::Listing(path.to_owned()));
            let mut joint = "\n";
            while let Some(rows) = pages.next(self).await? {
                for row in rows {
                    write(joint.as_bytes())?;
                    write(row.get().as_bytes())?;
                    joint = ",\n";
                }
            }
            write(b"]")?;
        }
        // Has the date as well.
        write(b",\n\"table\":")?;
        let mut table = self.client.stream("/routes.json").await?;
        while let Some(piece) = table.next().await? {
            write(&piece)?;
        }
        write(b"}\n")
    }
}

/// Whether nothing is to take its place: a pipe, a device, or a name of an open file such as
/// /dev/stdout.
fn is_written_into(file: &Path) -> bool {
    let is_other = |found: fs::Metadata| !found.is_file() && !found.is_dir();
    fs::metadata(file).is_ok_and(is_other) || (is_in_system_folder(file) && file.exists())
}

/// Whether it is in a folder whose links are the system's own.
fn is_in_system_folder(file: &Path) -> bool {
    let folder = file.parent().and_then(|folder| fs::canonicalize(folder).ok());
    folder.is_some_and(|folder| folder == Path::new("/dev") || folder.starts_with("/proc"))
}

/// The file while it is not whole. Removed unless it is finished.
struct Part {
    out: BufWriter<File>,
    path: PathBuf,
    is_finished: bool,
}

impl Part {
    fn new(file: &Path) -> Result<Self, Failed> {
        let mut path = file.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        // What an earlier one has left; never what a link leads to.
        drop(fs::remove_file(&path));
        let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let out = out.map_err(|error| cannot_write(&path, &error))?;
        Ok(Self { out: BufWriter::new(out), path, is_finished: false })
    }

    fn finish(mut self, file: &Path) -> Result<(), Failed> {
        let mut finish = || {
            self.out.flush()?;
            self.out.get_ref().sync_all()?;
            fs::rename(&self.path, file)
        };
        finish().map_err(|error| cannot_write(file, &error))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_finished {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failed {
    let path = path.display();
    Failed::Sentence(format!(
        "cannot write {path}: {error}; give a file in a folder that you may write to"
    ))
}
