//! Another process that uses this site's name.

use super::envelope::{Content, Envelope};
use super::form::control::Kind;
use super::settings::SILENT;
use super::{Link, LinkEvent};
use crate::ids::Moment;

/// How many heartbeats prove a twin: one may be the last of an earlier process.
const PROOF: u32 = 2;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Twin {
    /// Nothing is sent before this moment.
    listens_until: Moment,
    epoch: u64,
    heartbeats: u32,
    heard: Moment,
    /// Whether this process is the later one of the two.
    is_later: bool,
}

impl Twin {
    pub(super) fn new(listens_until: Moment) -> Self {
        Self { listens_until, epoch: 0, heartbeats: 0, heard: Moment(0), is_later: false }
    }

    /// An earlier process of this line has already listened.
    pub(super) fn listens_no_more(&mut self) {
        self.listens_until = Moment(0);
    }

    /// Whether there is a twin.
    pub(super) fn is_there(&self) -> bool {
        self.heartbeats >= PROOF
    }

    /// Whether this process may send: it is alone, or the earlier one of the two.
    pub(super) fn lets_speak(&self, now: Moment) -> bool {
        now >= self.listens_until && !(self.is_there() && self.is_later)
    }

    /// Whether there is a twin, and this process is the later one.
    pub(super) fn is_later(&self) -> bool {
        self.is_there() && self.is_later
    }
}

impl Link {
    /// Another process has sent a message under this site's own name.
    pub(super) fn heard_own_name(&mut self, envelope: &Envelope) {
        let Content::Control(Kind::Heartbeat(_)) = &envelope.content else { return };
        if envelope.epoch == self.epoch {
            return; // our own message, which the engine should not bring back
        }
        let twin = &mut self.twin;
        if twin.epoch != envelope.epoch {
            (twin.epoch, twin.heartbeats) = (envelope.epoch, 0);
        }
        twin.heard = self.now;
        twin.heartbeats += 1;
        // A process that still listens hears only processes that were here before.
        twin.is_later = self.epoch > envelope.epoch || self.heartbeats == 0;
        if twin.heartbeats == PROOF {
            let is_later = twin.is_later;
            self.event(LinkEvent::Twin { is_later });
        }
    }

    pub(super) fn tick_twin(&mut self) {
        let twin = &mut self.twin;
        if twin.heartbeats == 0 || self.now.since(twin.heard) <= SILENT {
            return;
        }
        let was_there = twin.is_there();
        twin.heartbeats = 0;
        if was_there {
            self.event(LinkEvent::TwinGone);
        }
    }
}
