//! Changes how much is logged: of the whole program, or of one session.

use tracing::Level;

use super::{InspectError, Inspector};
use crate::diary::Detail;
use crate::ids::PeerId;
use crate::threads::ShardThread;

impl Inspector {
    /// Sets the function that changes the level of the program's log. It is called with the level that an operator
    /// sends over the control socket, on the thread that answers there; its error is one sentence for the operator.
    /// Returns `false`, and changes nothing, if a function has been set before.
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

    /// Logs each step of one session until it ends, with the target [`FOLLOWED`](crate::reflector::FOLLOWED)
    /// and at most 200 lines per second; `None` turns it off. Returns `false` if there is no session
    /// with this id. Other sessions pay nothing.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn follow(&self, id: PeerId, detail: Option<Detail>) -> Result<bool, InspectError> {
        let follow = move |core: &dyn ShardThread| core.follow(id, detail);
        Ok(self.control.find(follow).await?.is_some())
    }
}
