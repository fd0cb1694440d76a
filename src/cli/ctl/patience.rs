//! How long a command waits, and the diagnosis of a process that does not answer.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::connection::health;
use super::screen::Failed;

/// For how long an answer may take: a reflector looks at four million places in less.
const ANSWER: Duration = Duration::from_secs(30);
/// For all that is looked at when an answer doesn't come.
const LOOK: Duration = Duration::from_secs(1);

/// By when something has to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    began: Instant,
    /// The end of the command, if it has one.
    pub(super) end: Option<Instant>,
}

impl Patience {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        let began = Instant::now();
        // One that no clock reaches is none.
        Self { began, end: timeout.and_then(|timeout| began.checked_add(timeout)) }
    }

    /// Waits for a part of an answer about `what`, from the reflector at `path`.
    pub(super) async fn wait<T>(
        self,
        path: &Path,
        what: &str,
        part: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        let asked = Instant::now();
        let end = self.end.unwrap_or_else(|| asked + ANSWER);
        match timeout_at(end, part).await {
            Ok(result) => result,
            Err(_) => {
                // With an end of its own the command has had all of it.
                let waited = if self.end.is_some() { self.began } else { asked }.elapsed();
                let why = Box::pin(diagnosis(path)).await;
                let waited =
                    Duration::from_millis(waited.as_millis().try_into().unwrap_or(u64::MAX));
                let path = path.display();
                Err(Failed::Hung(format!("no answer to {what} from {path} for {waited:?}: {why}")))
            }
        }
    }
}

/// What hangs, as far as it shows from here, and what to do about it.
async fn diagnosis(path: &Path) -> String {
    let end = Instant::now() + LOOK;
    let process = match timeout_at(end, UnixStream::connect(path)).await {
        Ok(Ok(stream)) => stream.peer_cred().ok().and_then(|peer| peer.pid()),
        // Another server's address, of `ctl diff`.
        _ if !path.exists() => {
            return "its host or its process does not answer; look at it there".to_owned();
        }
        // So many wait to be accepted.
        _ => {
            return "no control socket there accepts a connection; see the log of its process"
                .to_owned();
        }
    };
    if let Some(why) = process.and_then(|process| held(&format!("/proc/{process}"), process)) {
        return why;
    }
    match timeout_at(end, Box::pin(health(path))).await {
        Ok(Ok((true, _))) => {
            "the rest of its process is alive (/livez answers); give it more time (--timeout)".to_owned()
        }
        Ok(Ok((false, text))) => format!("{}; see its log, and restart it", text.trim()),
        _ => "the part of its process that answers here and over HTTP (a reflector's thread \"http\") hangs; see its log, and \
              restart it"
            .to_owned(),
    }
}

/// What holds up a process by the states of its threads, if anything does.
fn held(process: &str, id: i32) -> Option<String> {
    match state(process)?.1 {
        'T' | 't' => {
            return Some(format!("its process {id} is stopped; kill -CONT {id} lets it go on"));
        }
        'Z' | 'X' => return Some(format!("its process {id} has ended")),
        _ => {}
    }
    let tasks = fs::read_dir(format!("{process}/task")).ok()?;
    let tasks = tasks.filter_map(|task| state(task.ok()?.path().to_str()?));
    let waiting: Vec<_> = tasks.filter(|(_, state)| *state == 'D').map(|(name, _)| name).collect();
    let names = waiting.join(", ");
    (!waiting.is_empty())
        .then(|| format!("its process {id} waits for the kernel (threads {names}); see dmesg"))
}

/// Name and state, of a process or a thread.
fn state(folder: &str) -> Option<(String, char)> {
    let text = fs::read_to_string(format!("{folder}/stat")).ok()?;
    // The name may have any characters but is followed by the last parenthesis.
    let (name, rest) = text.rsplit_once(") ")?;
    Some((name.split_once('(')?.1.to_owned(), rest.chars().next()?))
}
