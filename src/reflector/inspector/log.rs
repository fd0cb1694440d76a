//! More or less of a log: of all, which is the program's, and of one session.

use tracing::Level;

use super::log_level::Detail;
use super::{InspectError, Inspector};
use crate::ids::PeerId;

impl Inspector {
    /// Says how the level of the program's log is set, which is not the reflector's: called with what
    /// is asked for over the control socket, on the thread that answers there. The error is one
    /// sentence. The first call counts; `false` for any other.
    pub fn on_log_level(
        &self,
        set: impl Fn(Level) -> Result<(), String> + Send + Sync + 'static,
    ) -> bool {
        self.control.log_level.0.set(Box::new(set)).is_ok()
    }

    /// Sets the level of the program's log.
    pub(crate) fn set_log_level(&self, level: Level) -> Result<(), String> {
        match self.control.log_level.0.get() {
            Some(set) => set(level),
            None => Err("this program does not let its log level be set while it runs".into()),
        }
    }

    /// Logs more about one session until it ends, at the target [`FOLLOWED`](crate::reflector::FOLLOWED)
    /// and at most 200 lines a second of each shard; `None` ends it. `false` when there is no session
    /// of that name. Sessions that nobody follows pay nothing.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn follow(&self, id: PeerId, detail: Option<Detail>) -> Result<bool, InspectError> {
        let follow = move |core: &crate::reflector::driver::Core| core.follow(id, detail);
        Ok(self.control.find(follow).await?.is_some())
    }
}
