//! UPDATEs of the usual form, taken in one after the other.
//!
//! A publisher's read holds little else. What the session and the run of a VNI have to say about each is
//! asked once for many.

use super::runs::Runs;
use super::state::{Shard, Slot};
use crate::ids::Moment;
use crate::session::CloseReason;
use crate::table::Announcement;
use crate::wire::{Action, HEADER_LEN, Update, usual_update};

impl Shard {
    /// Takes in the usual UPDATEs that a read begins with, and returns what comes behind them: nothing,
    /// part of a message, or one of another form.
    pub(super) fn usual_updates<'a>(
        &mut self,
        now: Moment,
        slot: Slot,
        mut bytes: &'a [u8],
        runs: &mut Runs,
    ) -> Result<&'a [u8], CloseReason> {
        let Some(peer) = &mut self.peers[slot as usize] else { return Ok(bytes) };
        // Less than a whole message proves no life.
        if bytes.len() <= HEADER_LEN || !peer.session.is_established() {
            return Ok(bytes);
        }
        let skips = self.settings.skip_unusable_next_hops;
        let received = bytes.len();
        while let Some((update, length)) = usual_update(bytes) {
            let Update { action, vni, destination, next_hop } = update;
            if skips && next_hop.flaw().is_some() {
                break;
            }
            bytes = &bytes[length..];
            let run = runs.place(vni);
            if !run.is_of(vni) {
                self.update(slot, &update, runs)?;
                continue;
            }
            self.stats.updates_received += 1;
            self.counting.removes_received += u64::from(action == Action::Remove);
            run.updates.push(Announcement { action, destination, next_hop });
            if run.is_full() {
                self.apply_run(slot, run)?;
            }
        }
        if bytes.len() < received
            && let Some(peer) = &mut self.peers[slot as usize]
        {
            peer.session.hears_updates(now);
        }
        Ok(bytes)
    }
}
