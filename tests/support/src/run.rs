//! What the test programs of one run tell each other.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use crate::Skip;

/// A run of the tests, which is one process of Cargo: the parent of every test program that it starts.
#[derive(Debug)]
pub struct Run {
    /// A line for each skipped test.
    file: PathBuf,
}

impl Run {
    /// The run of this process.
    pub fn current() -> Self {
        #[cfg(unix)]
        let parent = std::os::unix::process::parent_id();
        #[cfg(not(unix))]
        let parent = 0;
        Self::of(parent)
    }

    /// The run of the test programs that process `id` starts.
    pub fn of(id: u32) -> Self {
        // The system reuses ids, but not with the same start time, the 22nd word there.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let start = stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(20));
        Self { file: folder().join(format!("{id}-{}", start.unwrap_or_default())) }
    }

    /// Adds a skipped test. Tests run at once in threads and programs, so it is one write.
    pub(crate) fn add(&self, Skip { test, reason, packages }: &Skip) {
        let line = format!("{test}\t{reason}\t{packages}\n");
        // An error may mean a read-only folder: then the summary lacks the test, whose own output still names it.
        drop(fs::create_dir_all(folder()));
        let file = OpenOptions::new().create(true).append(true).open(&self.file);
        drop(file.and_then(|mut file| file.write_all(line.as_bytes())));
    }

    /// Takes the tests that were skipped so far, each once per reason.
    pub fn take_skips(&self) -> Vec<Skip> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        drop(fs::remove_file(&self.file));
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        let skip = |line: &str| {
            let mut words = line.split('\t').map(str::to_owned);
            Some(Skip { test: words.next()?, reason: words.next()?, packages: words.next()? })
        };
        lines.into_iter().filter_map(skip).collect()
    }
}

fn folder() -> PathBuf {
    build_folder().join("metalbond-skipped")
}

/// The build's folder of temporary files. Test programs are in `PROFILE/deps` beside it; for a copy
/// elsewhere this is the system's folder.
pub(crate) fn build_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let deps = program.parent().filter(|folder| folder.ends_with("deps"));
    let build = deps.and_then(|deps| deps.ancestors().nth(2)).map(|build| build.join("tmp"));
    build.unwrap_or_else(std::env::temp_dir)
}
