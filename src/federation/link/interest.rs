//! Which VNIs are wanted: by clients here, and at other sites.

use std::collections::BTreeSet;

use super::form::Interest;
use super::form::control::Kind;
use super::settings::{GRACE, INTEREST, INTEREST_GATHERS};
use super::sites::Scope;
use super::uplink::Address;
use super::{Link, Output, vnis};
use crate::ids::Moment;
use crate::ids::link::SiteId;
use crate::wire::Vni;

/// The VNIs that clients here want, for other sites.
#[derive(Debug, Default)]
pub(super) struct OwnInterest {
    /// The number of changes so far.
    pub(super) generation: u64,
    /// When to send it, if it has changed.
    pub(super) is_due: Option<Moment>,
    told_at: Moment,
    /// VNIs that no client wants any more, and when each ends.
    grace: BTreeSet<(Moment, Vni)>,
}

impl Link {
    /// The first client here has subscribed to a VNI, or the last one has unsubscribed.
    pub(super) fn wanted(&mut self, vni: Vni, is_wanted: bool) {
        let grace = self.imports.grace(vni);
        if let Some(then) = grace.and_then(Option::take) {
            self.own.grace.remove(&(then, vni));
        }
        if is_wanted {
            self.join(vni);
        } else if let Some(grace) = self.imports.grace(vni) {
            let then = self.now + GRACE;
            *grace = Some(then);
            self.own.grace.insert((then, vni));
        }
    }

    fn join(&mut self, vni: Vni) {
        if !self.imports.join(vni) {
            return;
        }
        self.outputs.push_back(Output::Listen(vni));
        self.interest_changes();
        let (now, joined) = (self.now, super::settings::INTEREST_TRAVELS);
        for site in self.sites.all() {
            self.need(site, vni, joined);
            // The engine may carry the interest to some servers later than that.
            for after in &super::settings::TAILS[1..3] {
                self.sites[site].check_at(now + *after, Scope::Some(vec![vni]));
            }
        }
    }

    fn interest_changes(&mut self) {
        self.own.generation += 1;
        self.own.is_due.get_or_insert(self.now + INTEREST_GATHERS);
    }

    /// Ends VNIs that no client has wanted for a while, and sends the interest to other sites.
    pub(super) fn tick_interest(&mut self) {
        while let Some(&(then, vni)) = self.own.grace.first()
            && then <= self.now
        {
            self.own.grace.pop_first();
            self.part(vni);
        }
        let is_due = self.own.is_due.is_some_and(|then| then <= self.now)
            || self.now.since(self.own.told_at) >= INTEREST;
        if !is_due || !self.speaks() || !self.uplink.takes_control() {
            return;
        }
        (self.own.is_due, self.own.told_at) = (None, self.now);
        let generation = self.own.generation;
        let vni_steps = vnis::steps(self.imports.joined());
        self.control_to(Address::All, Kind::Interest(Interest { generation, vni_steps }));
    }

    fn part(&mut self, vni: Vni) {
        for site in self.sites.all() {
            self.forget_import(site, vni);
        }
        self.imports.part(vni);
        self.outputs.push_back(Output::Ignore(vni));
        self.interest_changes();
    }

    /// A site has sent its interest.
    pub(super) fn got_interest(&mut self, site: SiteId, epoch: u64, interest: &Interest) {
        if !self.is_epoch(site, epoch) {
            return;
        }
        let entry = &mut self.sites[site];
        if entry.interest.0 == epoch && interest.generation < entry.interest.1 {
            return;
        }
        entry.interest = (epoch, interest.generation);
        for vni in vnis::from_steps(&interest.vni_steps) {
            self.wanted_by(site, vni);
        }
    }
}
