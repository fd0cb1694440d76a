//! What operators are shown must be what the model says.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use crate::ids::PeerId;
use crate::shard::inspect::Lookup;
use crate::table::RouteFilter;

/// The number of rows asked for at a time: few, so that listings take several slices.
const ROWS: usize = 3;

impl World {
    /// When all is quiet: listings and lookups show exactly the model's routes and announcers.
    pub(super) fn check_looks(&self) -> Result<(), String> {
        for (number, vni) in (0..).zip(&self.plan.vnis) {
            let owner = self.coordinator.placement().owner(*vni);
            let shard = &self.cluster.shards[owner.index()];
            let mut listed: BTreeMap<(u32, u32), BTreeSet<PeerId>> = BTreeMap::new();
            let mut from = Some(0);
            while let Some(place) = from {
                let filter = RouteFilter::default();
                let page = shard.inspect().routes(self.now, *vni, &filter, place, ROWS);
                for row in page.rows {
                    let key = self.plan.key_of(*vni, &row.destination, &row.next_hop);
                    let Some((_, dest, hop)) = key else { return Err(format!("unknown {row:?}")) };
                    if listed.insert((dest, hop), row.announcers.into_iter().collect()).is_some() {
                        return Err(format!(
                            "{} is listed twice",
                            self.plan.show((number, dest, hop))
                        ));
                    }
                }
                from = page.next.map(|next| next.place);
            }
            let owed = self.model.announced(number);
            if listed != owed {
                return Err(format!("VNI {vni} is listed as {listed:?} but is {owed:?}"));
            }
            for (dest, destination) in (0..).zip(&self.plan.destinations) {
                let found = shard.inspect().lookup(self.now, *vni, Lookup::Exact(*destination));
                let expected = owed.keys().filter(|(d, _)| *d == dest).count();
                if found.len() != expected {
                    return Err(format!("{destination} has {expected} routes, found {found:?}"));
                }
            }
        }
        Ok(())
    }
}
