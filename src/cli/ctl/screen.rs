//! Standard output, and how a command fails.

use std::io::{self, BufWriter, ErrorKind, Stdout, Write as _};
use std::os::fd::AsFd as _;

use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

/// Why a command has ended early.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nobody reads standard output any more.
    NoReader,
    /// The reflector doesn't answer.
    Hung(String),
    /// Anything else.
    Sentence(String),
}

impl From<String> for Failed {
    fn from(sentence: String) -> Self {
        Self::Sentence(sentence)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::NoReader,
            _ => Self::Sentence(format!("cannot write to standard output: {error}")),
        }
    }
}

/// Where a command writes, and in which form.
pub(super) struct Screen {
    pub(super) is_json: bool,
    out: BufWriter<Stdout>,
}

impl Screen {
    pub(super) fn new(is_json: bool) -> Self {
        Self { is_json, out: BufWriter::new(io::stdout()) }
    }

    pub(super) fn write(&mut self, text: &str) -> Result<(), Failed> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Lets it be seen now.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Failed> {
        self.write(text)?;
        self.write("\n")?;
        Ok(self.out.flush()?)
    }

    pub(super) fn finish(&mut self) -> Result<(), Failed> {
        Ok(self.out.flush()?)
    }
}

/// Ends when the other end of a pipe that is standard output has been closed, without anything to be
/// written; never where that cannot be told, as of a file.
pub(super) async fn reader_gone() {
    // Nothing is written by this copy, so it may stay as blocking as standard output is.
    let copy = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    if let Ok(pipe) = copy {
        // It may also return without a reason.
        while let Ok(state) = pipe.ready(Interest::ERROR).await {
            if state.is_error() {
                return;
            }
        }
    }
    std::future::pending::<()>().await;
}

/// What others have chosen, such as names of nodes: nothing in it is for the terminal to obey.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
