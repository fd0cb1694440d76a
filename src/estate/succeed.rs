//! The program starts a successor when an operator asks for one.

use std::path::Path;

use crate::inspector::Inspector;

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

    /// Starts a process that takes over; its number.
    pub(crate) fn start_successor(&self, program: Option<&Path>) -> Result<u32, String> {
        match self.control.succession.0.get() {
            Some(start) => start(program),
            None => Err("this program does not start a successor: start one by hand".to_owned()),
        }
    }
}
