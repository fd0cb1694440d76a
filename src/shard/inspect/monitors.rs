//! The parts of sealed batches that a shard hands to monitors.
//!
//! If a VNI is monitored, its changes are encoded as for clients even if it has no client. Monitors get references to
//! bytes and not to the batch: a monitor that reads nothing must not keep the journal from forgetting.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::ids::PeerId;
use crate::table::Batch;
use crate::wire::Vni;

/// The VNIs whose changes a monitor receives. It receives the events of sessions in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MonitorFilter {
    /// Every VNI.
    All,
    /// One VNI.
    Vni(Vni),
    /// No VNI: only the events of sessions.
    Sessions,
}

impl MonitorFilter {
    pub(crate) fn covers(self, vni: Vni) -> bool {
        match self {
            Self::All => true,
            Self::Vni(only) => only == vni,
            Self::Sessions => false,
        }
    }
}

/// A sealed batch of a watched VNI.
#[derive(Clone, Debug)]
pub(crate) struct MonitoredBatch {
    pub(crate) vni: Vni,
    /// Whole frames.
    pub(crate) bytes: Bytes,
    /// The number of updates.
    pub(crate) updates: u64,
    /// The ranges of bytes about routes that only one peer announces or announced, each with that peer.
    pub(crate) own: Vec<(std::ops::Range<u32>, PeerId)>,
}

/// The number of monitors of each VNI, and the batches that wait for them until the end of the turn.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    all: u32,
    vnis: BTreeMap<Vni, u32>,
    sealed: Vec<MonitoredBatch>,
}

impl Monitors {
    /// Whether any monitor watches a VNI.
    pub(crate) fn covers(&self, vni: Vni) -> bool {
        self.all > 0 || (!self.vnis.is_empty() && self.vnis.contains_key(&vni))
    }

    /// Keeps a batch for clients that a VNI has sealed, if the VNI is watched.
    pub(crate) fn sealed(&mut self, batch: &Batch) {
        if batch.tally.total() > 0 && self.covers(batch.vni) {
            self.sealed.push(MonitoredBatch {
                vni: batch.vni,
                bytes: batch.bytes().clone(),
                updates: batch.tally.total(),
                own: batch.own_parts().collect(),
            });
        }
    }

    /// A monitor begins to watch.
    pub(in crate::shard) fn add(&mut self, filter: MonitorFilter) {
        match filter {
            MonitorFilter::All => self.all += 1,
            MonitorFilter::Vni(vni) => *self.vnis.entry(vni).or_default() += 1,
            MonitorFilter::Sessions => {}
        }
    }

    /// A monitor stops watching.
    pub(in crate::shard) fn remove(&mut self, filter: MonitorFilter) {
        match filter {
            MonitorFilter::All => self.all = self.all.saturating_sub(1),
            MonitorFilter::Sessions => {}
            MonitorFilter::Vni(vni) => {
                if let Some(count) = self.vnis.get_mut(&vni) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.vnis.remove(&vni);
                    }
                }
            }
        }
    }

    /// The batches that watched VNIs have sealed since the last call.
    pub(in crate::shard) fn take(&mut self) -> Vec<MonitoredBatch> {
        std::mem::take(&mut self.sealed)
    }
}
