//! The side of the protocol that hands over.

/// The stage of the predecessor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::handover) enum PredecessorStage {
    /// A process has connected.
    Asked,
    /// The successor prepares. Sessions are served.
    Preparing,
    /// Connections and tables leave their shards.
    Freezing,
    /// The tables and connections that have left are written to the successor.
    Sending,
    /// All is written, and the successor checks it.
    Checking,
    /// The successor may serve.
    Committed,
    /// The successor must die before sessions are served here again.
    Ending,
    /// Sessions are served here again, or were never frozen.
    CalledOff,
    /// The successor serves.
    HandedOver,
}

/// An event for the predecessor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::handover) enum PredecessorEvent {
    /// The successor's Request, of a supported version.
    Requested,
    /// The successor's Prepared.
    Prepared,
    /// All connections and tables have left the shards.
    Frozen,
    /// Some connection or table could not leave its shard in time.
    NotFrozen,
    /// All has been written.
    Sent,
    /// The successor's Ready.
    Ready,
    /// The successor's Taken.
    Taken,
    /// The successor refuses, or sends a message that it may not send now.
    Refused,
    /// The successor is dead, and everything that it had written has been read.
    Died,
    /// The successor has closed its end and may be alive.
    Left,
    /// The successor has taken too long.
    Late,
    /// This process is asked to end.
    Stopped,
    /// CalledOff has been written; the successor will read it before it can serve.
    Told,
    /// There was no room to write CalledOff.
    NotTold,
}

/// An action of the predecessor's driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::handover) enum PredecessorAction {
    /// Send Welcome.
    Welcome,
    /// Let all connections and tables leave the shards.
    Freeze,
    /// Send the snapshot.
    Send,
    /// Send Commit. If it cannot be sent the successor has closed its end.
    Commit,
    /// Send CalledOff without waiting for room, and report [`PredecessorEvent::Told`] or [`PredecessorEvent::NotTold`].
    CallOff,
    /// Kill the successor, and report [`PredecessorEvent::Died`] when it is dead.
    Kill,
    /// Put all connections and tables back into the shards.
    TakeBack,
}

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::handover) struct Predecessor {
    stage: PredecessorStage,
    /// Whether any connection or table has left its shard, or is about to.
    is_frozen: bool,
}

impl Predecessor {
    /// The state after a process has connected.
    pub(in crate::handover) fn new() -> Self {
        Self { stage: PredecessorStage::Asked, is_frozen: false }
    }

    /// The present stage.
    pub(in crate::handover) fn stage(&self) -> PredecessorStage {
        self.stage
    }

    /// Whether this process may touch sessions.
    #[cfg(test)]
    pub(in crate::handover) fn serves(&self) -> bool {
        !self.is_frozen
    }

    /// The action for an event, if there is one.
    pub(in crate::handover) fn on(&mut self, event: PredecessorEvent) -> Option<PredecessorAction> {
        use PredecessorStage::{
            Asked, CalledOff, Checking, Committed, Ending, Freezing, HandedOver, Preparing, Sending,
        };
        let (stage, action) = match (self.stage, event) {
            (CalledOff | HandedOver, _) => return None,
            (Asked, PredecessorEvent::Requested) => (Preparing, PredecessorAction::Welcome),
            (Preparing, PredecessorEvent::Prepared) => {
                self.is_frozen = true;
                (Freezing, PredecessorAction::Freeze)
            }
            (Freezing, PredecessorEvent::Frozen) => (Sending, PredecessorAction::Send),
            (Sending, PredecessorEvent::Sent) => return self.enter(Checking),
            (Checking, PredecessorEvent::Ready) => (Committed, PredecessorAction::Commit),
            (Committed | Ending, PredecessorEvent::Taken) => return self.enter(HandedOver),
            // A successor that is dead and has not said Taken has touched nothing.
            (Committed | Ending, PredecessorEvent::Died) => return self.take_back(),
            // The successor may have received Commit, and so may serve.
            (
                Committed,
                PredecessorEvent::Left | PredecessorEvent::Late | PredecessorEvent::Refused,
            ) => (Ending, PredecessorAction::Kill),
            (Committed | Ending, _) => return None,
            (_, PredecessorEvent::Died | PredecessorEvent::Told) => return self.take_back(),
            (_, PredecessorEvent::NotTold) => (Ending, PredecessorAction::Kill),
            // Any other event ends the handover.
            (stage, _) => (stage, PredecessorAction::CallOff),
        };
        self.stage = stage;
        Some(action)
    }

    fn enter(&mut self, stage: PredecessorStage) -> Option<PredecessorAction> {
        self.stage = stage;
        None
    }

    fn take_back(&mut self) -> Option<PredecessorAction> {
        self.stage = PredecessorStage::CalledOff;
        std::mem::take(&mut self.is_frozen).then_some(PredecessorAction::TakeBack)
    }
}
