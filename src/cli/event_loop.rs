//! The event loop of a program that runs on one thread.

use tokio::runtime::{Builder, Runtime};

/// Makes it. The error is one sentence for the user.
pub(super) fn event_loop() -> Result<Runtime, String> {
    let made = Builder::new_current_thread().enable_all().build();
    made.map_err(|error| format!("cannot set up the event loop: {error}"))
}
