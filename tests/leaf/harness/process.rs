//! A program that runs in a namespace until it is told to end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use super::{shell_words, wait_until};

/// Killed when dropped. Both of its outputs are read all the time.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    pub(crate) fn start(namespace: &str, program: &str, arguments: &str) -> Self {
        // `ip netns exec` becomes the program: signals go to it.
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, program]).args(shell_words(arguments));
        command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("ip");
        let log = Arc::new(Mutex::new(String::new()));
        let outputs: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = outputs.map(|output| {
            let sink = Arc::clone(&log);
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let mut sink = sink.lock().unwrap();
                    sink.push_str(&line);
                    sink.push('\n');
                }
            })
        });
        Self { child, log, readers: readers.into() }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn wait_for_log(&self, mark: &str) {
        wait_until(&format!("the log has {mark:?}"), || self.log(), || self.log().contains(mark));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits for the end; the exit status (none when a signal ended it) and all that was written.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let log = Arc::clone(&self.log);
        let status = std::cell::Cell::new(None);
        let child = std::cell::RefCell::new(&mut self.child);
        wait_until(
            "the process ends",
            || log.lock().unwrap().clone(),
            || {
                status.set(child.borrow_mut().try_wait().unwrap());
                status.get().is_some()
            },
        );
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status.get().unwrap().code(), self.log())
    }

    /// As a crash ends it.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
        drop(self.wait());
    }

    /// As an init system ends it.
    pub(crate) fn terminate(self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- what process {} said:\n{}", self.child.id(), self.log());
        }
    }
}
