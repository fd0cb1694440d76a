//! The side of the protocol that takes over.

/// The stage of the successor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::handover) enum SuccessorStage {
    /// It has asked.
    Asking,
    /// It checks its configuration and starts its shards.
    Preparing,
    /// It reads the snapshot.
    Reading,
    /// It holds all data, and has said so.
    Holding,
    /// It serves.
    Serving,
    /// It must end.
    Over,
}

/// An event for the successor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::handover) enum SuccessorEvent {
    /// The predecessor's Welcome, of a supported version.
    Welcomed,
    /// This process can serve.
    Prepared,
    /// This process cannot serve, or the snapshot is unusable.
    Unfit,
    /// The snapshot is whole.
    Whole,
    /// Ready could not be sent.
    NotTold,
    /// The predecessor's Commit.
    Committed,
    /// The predecessor's CalledOff.
    CalledOff,
    /// The predecessor is dead, and everything that it had written has been read.
    Died,
    /// The predecessor has closed its end and is alive.
    Left,
    /// The predecessor has taken too long.
    Late,
}

/// An action of the successor's driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::handover) enum SuccessorAction {
    /// Check the configuration and start the shards.
    Prepare,
    /// Send Prepared.
    SayPrepared,
    /// Send Refused and end.
    Refuse,
    /// Send Ready, and report [`SuccessorEvent::NotTold`] if it can't be sent.
    SayReady,
    /// Send Taken if it can be sent, then serve.
    Serve,
    /// End.
    End,
}

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::handover) struct Successor {
    stage: SuccessorStage,
}

impl Successor {
    /// The state after it has sent Request.
    pub(in crate::handover) fn new() -> Self {
        Self { stage: SuccessorStage::Asking }
    }

    /// The present stage.
    pub(in crate::handover) fn stage(&self) -> SuccessorStage {
        self.stage
    }

    /// Whether this process may touch sessions.
    #[cfg(test)]
    pub(in crate::handover) fn serves(&self) -> bool {
        self.stage == SuccessorStage::Serving
    }

    /// The action for an event, if there is one.
    pub(in crate::handover) fn on(&mut self, event: SuccessorEvent) -> Option<SuccessorAction> {
        use SuccessorStage::{Asking, Holding, Over, Preparing, Reading, Serving};
        let (stage, action) = match (self.stage, event) {
            (Serving | Over, _) => return None,
            (Asking, SuccessorEvent::Welcomed) => (Preparing, SuccessorAction::Prepare),
            (Preparing, SuccessorEvent::Prepared) => (Reading, SuccessorAction::SayPrepared),
            (Reading, SuccessorEvent::Whole) => (Holding, SuccessorAction::SayReady),
            (Holding, SuccessorEvent::Committed | SuccessorEvent::Died) => {
                (Serving, SuccessorAction::Serve)
            }
            // The predecessor's message or its death decides, however long that takes.
            (Holding, SuccessorEvent::Late) => return None,
            (Preparing | Reading, SuccessorEvent::Unfit) => (Over, SuccessorAction::Refuse),
            _ => (Over, SuccessorAction::End),
        };
        self.stage = stage;
        Some(action)
    }
}
