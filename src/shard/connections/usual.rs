//! UPDATEs of the usual form, taken in one after the other.
//!
//! A publisher's read holds little else. The checks of the session and of the VNI's run are made once for many of these
//! UPDATEs.

use super::intake::{ENOUGH, Intake};
use crate::session::CloseReason;
use crate::table::Announcement;
use crate::wire::{Action, HEADER_LEN, NextHop, Update, usual_update};

impl Intake<'_, '_> {
    /// Takes in the usual UPDATEs at the start of the bytes, and returns how many bytes they fill. The bytes behind
    /// them are none, a part of a message, or a message of another form.
    pub(super) fn usual_updates(&mut self, mut bytes: &[u8]) -> Result<usize, CloseReason> {
        // Less than a whole message does not prove that the peer lives.
        if bytes.len() <= HEADER_LEN || !self.peer().session.is_established() {
            return Ok(0);
        }
        let skips = self.connections.settings.skip_unusable_next_hops;
        let received = bytes.len();
        while let Some((update, length)) = usual_update(bytes) {
            let Update { action, vni, destination, next_hop } = update;
            if skips && has_flaw(next_hop) {
                break;
            }
            bytes = &bytes[length..];
            let run = self.runs.place(vni);
            if !run.is_of(vni) || run.updates.len() + 1 >= ENOUGH {
                // A copy: the borrowed update lies in memory. It would go from there to the run in other pieces than
                // it was stored in, which the processor cannot forward.
                self.update(&{ update })?;
                continue;
            }
            run.updates.push(Announcement { action, destination, next_hop });
            let counting = &mut self.connections.counting;
            counting.stats.updates_received += 1;
            counting.removes_received += u64::from(action == Action::Remove);
        }
        if bytes.len() < received {
            let now = self.now;
            self.peer().session.hears_updates(now);
        }
        Ok(received - bytes.len())
    }
}

/// A function of its own: it looks at single bytes that the loop holds as words.
#[cold]
#[inline(never)]
fn has_flaw(next_hop: NextHop) -> bool {
    next_hop.flaw().is_some()
}
