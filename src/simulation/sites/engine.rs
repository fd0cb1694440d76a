//! An engine that brings messages from site to site, or does not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::plan::Plan;
use crate::federation::link::{Address, Outgoing};
use crate::ids::Moment;
use crate::simulation::Rng;
use crate::wire::Vni;

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) from: usize,
    pub(super) to: Address,
    pub(super) payload: Bytes,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Engine {
    names: Vec<String>,
    /// Pairs of sites of which the second does not hear the first.
    pub(super) cut: BTreeSet<(usize, usize)>,
    /// The VNIs that each site listens to, and since when each other site's server knows of that.
    listens: Vec<BTreeMap<Vni, Vec<Moment>>>,
    /// Messages by the moment of arrival, then by a number.
    under_way: BTreeMap<(Moment, u64), (usize, Letter)>,
    serial: u64,
    /// The arrival of the latest message of each kind: messages of one subject stay in order.
    latest: BTreeMap<(usize, usize, u64), Moment>,
    /// For each site, the moment until which messages to it are lost.
    pub(super) overflows: Vec<Moment>,
}

fn subject(to: &Address) -> u64 {
    match to {
        Address::All => 1 << 40,
        Address::Site(_) => 1 << 41,
        Address::Vni(vni) => u64::from(vni.0),
    }
}

impl Engine {
    pub(super) fn new(names: Vec<String>) -> Self {
        let count = names.len();
        Self {
            names,
            cut: BTreeSet::new(),
            listens: vec![BTreeMap::new(); count],
            under_way: BTreeMap::new(),
            serial: 0,
            latest: BTreeMap::new(),
            overflows: vec![Moment(0); count],
        }
    }

    /// A site listens to a VNI, which other servers learn a little later.
    pub(super) fn listen(
        &mut self,
        rng: &mut Rng,
        plan: &Plan,
        now: Moment,
        site: usize,
        vni: Vni,
    ) {
        let delay = |rng: &mut Rng| {
            let slow = plan.slow_interest && rng.chance(400);
            now + Duration::from_millis(rng.below(if slow { 3500 } else { 60 }) as u64)
        };
        let since = (0..self.names.len()).map(|_| delay(rng)).collect();
        self.listens[site].insert(vni, since);
    }

    pub(super) fn ignore(&mut self, site: usize, vni: Vni) {
        self.listens[site].remove(&vni);
    }

    /// A site's connection has ended; the next one knows nothing.
    pub(super) fn forget(&mut self, site: usize) {
        self.listens[site].clear();
    }

    pub(super) fn name(&self, site: usize) -> &str {
        &self.names[site]
    }

    pub(super) fn send(
        &mut self,
        rng: &mut Rng,
        plan: &Plan,
        now: Moment,
        is_trouble: bool,
        from: usize,
        outgoing: &Outgoing,
    ) {
        let Outgoing { to, payload } = outgoing;
        for site in (0..self.names.len()).filter(|site| *site != from) {
            if self.cut.contains(&(from, site)) {
                continue;
            }
            let listens = match to {
                Address::All => true,
                Address::Site(name) => **name == *self.names[site],
                Address::Vni(vni) => {
                    let since = self.listens[site].get(vni);
                    since.is_some_and(|since| since[from] <= now)
                }
            };
            let is_lost = is_trouble && rng.chance(plan.drops) || self.overflows[site] > now;
            if !listens || is_lost {
                continue;
            }
            let copies = if is_trouble && rng.chance(plan.repeats) { 2 } else { 1 };
            for _ in 0..copies {
                let mut delay = rng.between(1, 10);
                if is_trouble && rng.chance(plan.delays) {
                    delay += rng.below(2500);
                }
                let latest = self.latest.entry((from, site, subject(to))).or_default();
                let then = (now + Duration::from_millis(delay as u64)).max(*latest);
                *latest = then;
                self.serial += 1;
                let letter = Letter { from, to: to.clone(), payload: payload.clone() };
                self.under_way.insert((then, self.serial), (site, letter));
            }
        }
    }

    /// The next message that has arrived, and its site.
    pub(super) fn arrived(&mut self, now: Moment) -> Option<(usize, Letter)> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }
}
