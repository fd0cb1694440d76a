//! SIGHUP: reads the configuration anew, applies what can be applied and says what can't.

use std::sync::Arc;

use metalbond::settings::Reload;
use tracing::{error, info, warn};

use super::log::{Level, Log};
use super::options::{Change, Effective, Given, Options, Wrong};

/// A configuration in use.
pub(super) struct Running {
    given: Given,
    effective: Effective,
    log: Arc<Log>,
}

impl Running {
    pub(super) fn new(given: Given, effective: Effective, log: Arc<Log>) -> Self {
        Self { given, effective, log }
    }

    /// Reads it anew and hands it to `apply`, all or nothing, with a line for each change. `apply`
    /// returns the log level. Names among it may take the resolver long, so they are read on a thread
    /// of their own.
    pub(super) async fn reload(
        &mut self,
        apply: impl AsyncFnOnce(&Options) -> Result<Level, Vec<String>>,
    ) {
        let given = self.given.clone();
        let read = tokio::task::spawn_blocking(move || given.read()).await;
        let read = read.unwrap_or_else(|error| Err(error.to_string().into()));
        let applied = async {
            let options = read.map_err(Wrong::sentences)?;
            // It would set everything back to its default, access lists included.
            if let Some(sentence) = &options.lacking {
                return Err(vec![sentence.clone()]);
            }
            let level = apply(&options).await?;
            Ok((options.effective, level))
        };
        let (new, level) = match applied.await {
            Ok(new) => new,
            Err(sentences) => {
                for sentence in sentences {
                    error!("not reloaded, everything stays as it was: {sentence}");
                }
                return;
            }
        };
        let changes = self.effective.changes(&new);
        if changes.is_empty() {
            info!("reloaded; nothing has changed");
        }
        for Change { key, old, new, reload } in changes {
            match reload {
                Reload::No => {
                    warn!(
                        running = old,
                        file = new,
                        "not applied: {key} changed in the file, but needs a restart"
                    );
                }
                Reload::Yes => info!("reloaded {key}: {old} -> {new}"),
                Reload::NewSessions => info!("reloaded {key}: {old} -> {new}, for new sessions"),
            }
        }
        self.effective.take_over(&new);
        // Last, so that what has changed is said also when less is said from now on.
        self.log.set(level);
    }
}
