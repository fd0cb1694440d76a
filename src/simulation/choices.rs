//! Checks the clients that receive one next hop of each destination.
//!
//! The simulation does not know in which order an owner serves the requests of several shards, so it does not know
//! which next hop is chosen. But there must be one choice that explains the views of all such clients, including the
//! view of a client that alone announces the chosen route. And a next hop that was chosen in the last quiet phase must
//! still be chosen, unless an announcement of it was withdrawn since or such a client has left the VNI.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Key;
use super::world::World;
use crate::ids::PeerId;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Choices {
    /// By VNI and destination: next hops that may be the chosen one.
    may: BTreeMap<(u32, u32), BTreeSet<u32>>,
    /// Routes of which an announcement has ended.
    withdrawn: BTreeSet<Key>,
    /// VNIs to which such a client no longer subscribes; the choice there may have been forgotten.
    left: BTreeSet<u32>,
}

impl Choices {
    pub(super) fn withdrawn(&mut self, key: Key) {
        self.withdrawn.insert(key);
    }

    pub(super) fn left(&mut self, vni: u32) {
        self.left.insert(vni);
    }

    /// Narrows down the chosen next hop to those that explain the routes that clients have.
    fn narrow(&mut self, vni: u32, dest: u32, fits: BTreeSet<u32>) -> Result<(), String> {
        let kept = self.may.remove(&(vni, dest)).filter(|before| {
            let is_kept = |hop: &u32| !self.withdrawn.contains(&(vni, dest, *hop));
            !self.left.contains(&vni) && before.iter().all(is_kept)
        });
        let may: BTreeSet<u32> = match &kept {
            Some(kept) => fits.intersection(kept).copied().collect(),
            None => fits,
        };
        if may.is_empty() {
            return Err(format!("none of {kept:?} is the chosen one any more"));
        }
        self.may.insert((vni, dest), may);
        Ok(())
    }
}

impl World {
    /// Whether such a client has one next hop of this kind per destination.
    pub(super) fn is_standard(&self, hop: u32) -> bool {
        self.plan.is_standard(hop)
    }

    /// Checks the choices when all is quiet.
    pub(super) fn check_choices(&mut self) -> Result<(), String> {
        let mut choices = std::mem::take(&mut self.choices);
        for vni in (0..self.plan.vnis.len()).filter_map(|vni| u32::try_from(vni).ok()) {
            self.check_choices_of(vni, &mut choices)?;
        }
        (choices.withdrawn, choices.left) = Default::default();
        self.choices = choices;
        Ok(())
    }

    fn check_choices_of(&self, vni: u32, choices: &mut Choices) -> Result<(), String> {
        let clients = self.clients.iter().flatten().filter(|client| client.profile.one_next_hop);
        let readers: Vec<(PeerId, &BTreeSet<(u32, u32)>)> = clients
            .filter_map(|client| Some((client.id, &client.subscriptions.get(&vni)?.view)))
            .collect();
        let mut destinations: BTreeMap<u32, BTreeMap<u32, BTreeSet<PeerId>>> = BTreeMap::new();
        for ((dest, hop), by) in self.model.announced(vni) {
            if self.is_standard(hop) {
                destinations.entry(dest).or_default().insert(hop, by);
            }
        }
        choices.may.retain(|(place, dest), _| {
            *place != vni || !readers.is_empty() && destinations.contains_key(dest)
        });
        if readers.is_empty() {
            return Ok(());
        }
        for (peer, view) in &readers {
            let is_unknown = |(dest, hop): &&(u32, u32)| {
                let hops = destinations.get(dest);
                self.is_standard(*hop) && !hops.is_some_and(|hops| hops.contains_key(hop))
            };
            if let Some((dest, hop)) = view.iter().find(is_unknown) {
                return Err(format!("{peer} keeps {}", self.plan.show((vni, *dest, *hop))));
            }
        }
        for (dest, hops) in &destinations {
            let has = |view: &BTreeSet<(u32, u32)>| -> Vec<u32> {
                hops.keys().copied().filter(|hop| view.contains(&(*dest, *hop))).collect()
            };
            let explains = |chosen: &u32| {
                readers.iter().all(|(peer, view)| has(view) == self.owed(hops, *chosen, *peer))
            };
            let fits: BTreeSet<u32> = hops.keys().copied().filter(explains).collect();
            let destination = self.plan.destinations[*dest as usize];
            if fits.is_empty() {
                let views: Vec<_> = readers.iter().map(|(peer, view)| (peer, has(view))).collect();
                return Err(format!("{destination}: {hops:?} do not explain {views:?}"));
            }
            choices.narrow(vni, *dest, fits).map_err(|why| format!("{destination}: {why}"))?;
        }
        Ok(())
    }

    /// The next hops of a destination that a client should have if `chosen` is chosen.
    fn owed(&self, hops: &BTreeMap<u32, BTreeSet<PeerId>>, chosen: u32, peer: PeerId) -> Vec<u32> {
        let is_seen = |hop: &u32| hops[hop].iter().any(|by| *by != peer);
        if is_seen(&chosen) {
            return vec![chosen];
        }
        let next_hop = |hop: &u32| self.plan.hops[*hop as usize];
        hops.keys().copied().filter(is_seen).min_by_key(next_hop).into_iter().collect()
    }
}
