//! All connections prepare to leave together, for another process.

use super::departure::{Departure, Freeze};
use super::{Connections, Slot};
use crate::ids::Moment;
use crate::shard::message::Request;
use crate::shard::moves::Answer;
use crate::shard::output::Output;
use crate::shard::owners::Owners;

impl Connections {
    /// Prepares every connection to leave. [`Answer::Frozen`] says when owners have been told of all that
    /// the connections could not take; from then on a connection does not change, but it may end.
    pub(in crate::shard) fn freeze(&mut self, number: u64, owners: &mut Owners<'_>) {
        let ids: Vec<_> = self.by_id.keys().copied().collect();
        self.freeze = Some(Freeze { number, awaited: ids.len(), parts: false });
        for id in ids {
            self.relocate(id, self.shard, number, owners);
        }
        self.answer_if_frozen();
    }

    /// Serves all connections again. Harmless when none is frozen.
    pub(in crate::shard) fn thaw(&mut self, now: Moment, number: u64, owners: &mut Owners<'_>) {
        if self.freeze.take_if(|freeze| freeze.number == number).is_some() {
            let ids: Vec<_> = self.by_id.keys().copied().collect();
            for id in ids {
                self.stay(now, id, number, owners);
            }
        }
    }

    /// Lets all prepared connections leave. Returns their number.
    pub(in crate::shard) fn part(&mut self) -> usize {
        if let Some(freeze) = &mut self.freeze {
            freeze.parts = true;
        }
        let leave: Vec<Slot> = self.by_id.values().copied().collect();
        for &slot in &leave {
            if let Some(departure) = &mut self.peers[slot].departure {
                departure.parts = true;
            }
            self.outputs.push(Output::Leaves(slot));
        }
        leave.len()
    }

    /// Prepares a fresh connection to leave with the others, unless these leave already. No owner knows of it yet.
    pub(super) fn freeze_fresh(&mut self, slot: Slot) {
        if let Some(Freeze { number, .. }) = self.freeze {
            let peer = &mut self.peers[slot];
            peer.departure = Some(Box::new(Departure::new(number, Vec::new())));
            peer.is_paused = true;
        }
    }

    /// All owners have answered for a connection. `false` if it does not leave for this handover.
    pub(super) fn has_frozen(&mut self, slot: Slot, number: u64, owners: &mut Owners<'_>) -> bool {
        if self.freeze.is_none_or(|freeze| freeze.number != number) {
            return false;
        }
        let peer = &mut self.peers[slot];
        let refused = peer.departure.as_mut().map(|it| it.take_refused()).unwrap_or_default();
        let peer = peer.id;
        for (vni, from) in refused {
            owners.request(Request::FellBehind { peer, vni, from });
        }
        self.one_less_awaited();
        true
    }

    /// A connection that was prepared to leave has ended. `false` if the coordinator or the handover was told that the
    /// connection leaves, and so must be told of its end.
    pub(super) fn ended_frozen(&mut self, departure: &Departure) -> bool {
        let is_its = |freeze: Freeze| freeze.number == departure.number();
        if departure.parts || !self.freeze.is_some_and(is_its) {
            return false;
        }
        if !departure.is_ready() {
            self.one_less_awaited();
        }
        true
    }

    fn one_less_awaited(&mut self) {
        if let Some(freeze) = &mut self.freeze {
            freeze.awaited -= 1;
        }
        self.answer_if_frozen();
    }

    fn answer_if_frozen(&mut self) {
        if let Some(Freeze { number, awaited: 0, .. }) = self.freeze {
            self.answer(Answer::Frozen { number });
        }
    }
}
