//! What the process does that hands over.

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::handover) enum Stage {
    /// A process has connected.
    Asked,
    /// The successor prepares. Sessions are served.
    Preparing,
    /// Connections and tables leave their shards.
    Freezing,
    /// What has left is written to the successor.
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

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::handover) enum Event {
    /// The successor's Request, of a version that is understood.
    Requested,
    /// The successor's Prepared.
    Prepared,
    /// Everything has left the shards.
    Frozen,
    /// Something could not leave its shard in time.
    NotFrozen,
    /// All has been written.
    Sent,
    /// The successor's Ready.
    Ready,
    /// The successor's Taken.
    Taken,
    /// The successor refuses, or says what it may not say now.
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
    /// CalledOff found no room.
    NotTold,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::handover) enum Action {
    /// Send Welcome.
    Welcome,
    /// Let everything leave the shards.
    Freeze,
    /// Send the snapshot.
    Send,
    /// Send Commit. If it cannot be sent the successor has closed its end.
    Commit,
    /// Send CalledOff without waiting for room, and report [`Event::Told`] or [`Event::NotTold`].
    CallOff,
    /// Kill the successor, and report [`Event::Died`] when it is dead.
    Kill,
    /// Put everything back into the shards.
    TakeBack,
}

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::handover) struct Predecessor {
    stage: Stage,
    /// Whether anything has left its shard, or is about to.
    is_frozen: bool,
}

impl Predecessor {
    /// A process has connected.
    pub(in crate::handover) fn new() -> Self {
        Self { stage: Stage::Asked, is_frozen: false }
    }

    /// How far it is.
    pub(in crate::handover) fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether this process may touch sessions.
    #[cfg(test)]
    pub(in crate::handover) fn serves(&self) -> bool {
        !self.is_frozen
    }

    /// What to do about an event, if anything.
    pub(in crate::handover) fn on(&mut self, event: Event) -> Option<Action> {
        use Stage::{
            Asked, CalledOff, Checking, Committed, Ending, Freezing, HandedOver, Preparing, Sending,
        };
        let (stage, action) = match (self.stage, event) {
            (CalledOff | HandedOver, _) => return None,
            (Asked, Event::Requested) => (Preparing, Action::Welcome),
            (Preparing, Event::Prepared) => {
                self.is_frozen = true;
                (Freezing, Action::Freeze)
            }
            (Freezing, Event::Frozen) => (Sending, Action::Send),
            (Sending, Event::Sent) => return self.enter(Checking),
            (Checking, Event::Ready) => (Committed, Action::Commit),
            (Committed | Ending, Event::Taken) => return self.enter(HandedOver),
            // Whoever is dead and has not said Taken has touched nothing.
            (Committed | Ending, Event::Died) => return self.take_back(),
            // It may have the word that it may serve.
            (Committed, Event::Left | Event::Late | Event::Refused) => (Ending, Action::Kill),
            (Committed | Ending, _) => return None,
            (_, Event::Died | Event::Told) => return self.take_back(),
            (_, Event::NotTold) => (Ending, Action::Kill),
            // Anything else ends it.
            (stage, _) => (stage, Action::CallOff),
        };
        self.stage = stage;
        Some(action)
    }

    fn enter(&mut self, stage: Stage) -> Option<Action> {
        self.stage = stage;
        None
    }

    fn take_back(&mut self) -> Option<Action> {
        self.stage = Stage::CalledOff;
        std::mem::take(&mut self.is_frozen).then_some(Action::TakeBack)
    }
}
