//! Threads and their event loops.

use std::thread::JoinHandle;

use crate::config::StartError;

/// An event loop for a thread that serves no sessions.
///
/// # Errors
/// [`StartError::Shard`]
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(StartError::Shard)
}

/// Starts a thread.
///
/// # Errors
/// [`StartError::Shard`]
pub(crate) fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name.into()).spawn(body).map_err(StartError::Shard)
}
