//! Starts the successors of a reflector, which itself can start no program.
//!
//! ```text
//!   reflector  ------ a byte: start one ------->  helper, started before the reflector forbids itself to start any
//!              <-- a line: number, or why not --
//! ```
//!
//! The helper knows the program and its arguments from its own start. So an attacker who runs code in the reflector can
//! start only this program, with these arguments. The helper ends with the reflector, whose end closes the socket
//! between the two.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::signals::Signals;

/// The first argument of a helper. Behind it are those of the reflector.
const WORD: &str = "start-successors";
/// How long it may take to start a process.
const STARTS: Duration = Duration::from_secs(10);

/// The reflector's end.
pub(super) struct Helper(Mutex<BufReader<UnixStream>>);

impl Helper {
    /// Starts a helper for the arguments of this process.
    pub(super) fn start() -> io::Result<Self> {
        let (own, other) = UnixStream::pair()?;
        own.set_read_timeout(Some(STARTS))?;
        own.set_write_timeout(Some(STARTS))?;
        let mut command = Command::new(own_program()?);
        command.arg(WORD).args(std::env::args_os().skip(1)).stdin(OwnedFd::from(other));
        let mut child = command.spawn()?;
        let wait = move || tracing::debug!(status = ?child.wait(), "the helper that starts successors has ended");
        std::thread::Builder::new().name("helper".into()).spawn(wait)?;
        Ok(Self(Mutex::new(BufReader::new(own))))
    }

    /// Starts a successor; its number.
    pub(super) fn start_successor(&self, program: Option<&Path>) -> Result<u32, String> {
        if let Some(program) = program
            && own_program().ok().as_deref() != Some(program)
        {
            return Err(format!(
                "this reflector may start only its own program: restart it with --allow-exec, or \
                 start {} by hand with the same arguments and --takeover",
                program.display()
            ));
        }
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = String::new();
        let asked = socket.get_ref().write_all(b"\n").and_then(|()| socket.read_line(&mut line));
        match asked {
            Ok(1..) => line.trim().parse().map_err(|_| line.trim().to_owned()),
            Ok(0) => {
                Err("the helper that starts successors has ended: start a successor by hand with \
                 --takeover"
                    .to_owned())
            }
            Err(error) => {
                Err(format!("the helper that starts successors does not answer: {error}"))
            }
        }
    }
}

/// Runs as a helper, if the arguments of this process say so.
pub(super) fn helped(words: &[OsString]) -> Option<ExitCode> {
    if words.get(1).map(OsString::as_os_str) != Some(OsStr::new(WORD)) {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    // Signals are for the reflector, also where they come to the whole group.
    let _signals = runtime.block_on(async { Signals::new() });
    let ended =
        io::stdin().as_fd().try_clone_to_owned().and_then(|it| help(it.into(), &words[2..]));
    Some(if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts a successor for each byte, until there is no reflector that could ask.
fn help(mut socket: UnixStream, arguments: &[OsString]) -> io::Result<()> {
    let mut asked = [0];
    while socket.read(&mut asked)? > 0 {
        let line = match start(None, arguments.iter().cloned()) {
            Ok(process) => process.to_string(),
            Err(sentence) => sentence.replace('\n', " "),
        };
        socket.write_all(format!("{line}\n").as_bytes())?;
    }
    Ok(())
}

/// Starts a process with these arguments that takes over; its number.
pub(super) fn start(
    program: Option<&Path>,
    arguments: impl Iterator<Item = OsString>,
) -> Result<u32, String> {
    let program = match program {
        Some(program) => program.to_owned(),
        None => own_program().map_err(|error| format!("cannot find this program: {error}"))?,
    };
    let mut arguments: Vec<_> = arguments.collect();
    if !arguments.iter().any(|argument| argument == "--takeover") {
        arguments.push("--takeover".into());
    }
    let mut command = Command::new(&program);
    command.args(arguments).stdin(Stdio::null());
    // The service manager's watchdog is the successor's from then on.
    command.env_remove("WATCHDOG_PID");
    let started = command.spawn();
    let mut child =
        started.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let process = child.id();
    // Whatever becomes of it, it is no zombie.
    let wait = move || match child.wait() {
        Ok(status) => tracing::debug!(process, %status, "the successor has ended"),
        Err(error) => tracing::debug!(process, %error, "cannot wait for the successor"),
    };
    std::thread::Builder::new().name("successor".into()).spawn(wait).ok();
    Ok(process)
}

/// The program that runs, or that which has replaced it in its place.
fn own_program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    // As Linux shows a file that has been replaced.
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), PathBuf::from))
}
