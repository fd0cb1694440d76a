//! The program starts a successor when an operator asks for one.

use std::path::Path;

#[cfg(target_os = "linux")]
use tracing::warn;

use crate::inspector::Inspector;
#[cfg(target_os = "linux")]
use crate::threads::{HandoverReport as Report, HandoverSteps, Outcome};

impl Inspector {
    /// Sets the function that starts a successor when an operator asks for a handover. It gets the path of the program,
    /// or `None` for the running program, and returns the id of the new process, or one sentence that says why there is
    /// none. Returns `false`, and changes nothing, if a function has been set before.
    pub fn on_handover(
        &self,
        start: impl Fn(Option<&Path>) -> Result<u32, String> + Send + Sync + 'static,
    ) -> bool {
        self.control.succession.0.set(Box::new(start)).is_ok()
    }

    /// Starts a process that takes over, and returns its id. If the process ends without asking for the sessions, the
    /// handover counts as called off.
    pub(crate) fn start_successor(&self, program: Option<&Path>) -> Result<u32, String> {
        #[cfg(target_os = "linux")]
        let attempts = self.handovers().attempts;
        let process = match self.control.succession.0.get() {
            Some(start) => start(program)?,
            None => {
                return Err(
                    "this reflector starts no successor: start one by hand with --takeover"
                        .to_owned(),
                );
            }
        };
        #[cfg(target_os = "linux")]
        {
            let inspector = self.clone();
            crate::io::when_ended(process, move || inspector.successor_ended(process, attempts));
        }
        Ok(process)
    }

    /// A successor has ended; before its start there had been `attempts` attempts to take over.
    #[cfg(target_os = "linux")]
    fn successor_ended(&self, process: u32, attempts: u64) {
        if self.handovers().attempts != attempts {
            return;
        }
        let reason = "the new process ended before it could ask for the sessions; see its message \
                      in the log, and run metalbond check-config";
        warn!(to = process, reason, "handover called off; sessions go on here");
        self.handover_begins();
        self.handover_ended(Report {
            outcome: Outcome::CalledOff,
            from: std::process::id(),
            to: process,
            other: String::new(),
            at: Report::now(),
            connections: 0,
            routes: 0,
            bytes: 0,
            steps: HandoverSteps::default(),
            reason: Some(reason.to_owned()),
        });
    }
}
