//! Whether the other sites are there, and what becomes of their routes.

use std::sync::Arc;
use std::time::Duration;

use super::form::control::Kind;
use super::form::{Heartbeat, InterestRequest};
use super::import;
use super::settings::{HEARTBEAT, SILENT};
use super::sites::{Scope, SitePresence};
use super::uplink::Address;
use super::{Link, LinkEvent};
use crate::ids::Moment;
use crate::ids::link::SiteId;
use crate::wire::Vni;

/// The least time between two questions for the interest of a site.
const ASKS_INTEREST: Duration = Duration::from_secs(1);

impl Link {
    /// Sends a heartbeat to all sites.
    pub(super) fn tick_heartbeat(&mut self) {
        if self.now < self.heartbeat_at || !self.speaks() || !self.uplink.takes_control() {
            return;
        }
        self.heartbeat_at = self.now + HEARTBEAT;
        self.heartbeats += 1;
        let uptime = self.now.since(self.began);
        let heartbeat = Heartbeat {
            number: self.heartbeats,
            warming: self.now < self.warm_until,
            draining: self.is_draining,
            interest_generation: self.own.generation,
            uptime_seconds: uptime.as_secs(),
            vnis: self.imports.len() as u64,
            agent: concat!("metalbond/", env!("CARGO_PKG_VERSION")).into(),
        };
        self.control_to(Address::All, Kind::Heartbeat(heartbeat));
    }

    /// Whether a message is from the present process of a site, or from a later one, which becomes the present one.
    /// A message from an earlier process counts while the site is not live: the clock of its machine has been set
    /// back, or two processes had one name.
    pub(super) fn is_epoch(&mut self, site: SiteId, epoch: u64) -> bool {
        let now = self.now;
        let entry = &mut self.sites[site];
        if entry.epoch == epoch {
            entry.heard = now;
            return true;
        }
        if epoch < entry.epoch && entry.state == SitePresence::Live {
            return false;
        }
        let is_first = entry.epoch == 0;
        (entry.epoch, entry.heard, entry.heartbeat) = (epoch, now, 0);
        (entry.interest.1, entry.told) = (0, 0);
        let name = Arc::clone(&entry.name);
        self.forget_checks(site);
        if !is_first {
            self.event(LinkEvent::Restarted { site: name });
        }
        for vni in self.imports.joined() {
            self.keep_old(site, vni);
            self.need(site, vni, Duration::ZERO);
        }
        true
    }

    /// Keeps the routes of an earlier process until the clients of the present one are back.
    fn keep_old(&mut self, site: SiteId, vni: Vni) {
        let now = self.now;
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        if import.pair.iter().any(|half| half.is_used) {
            import.old_since.get_or_insert(now);
            self.imports.old.insert((site, vni));
        }
    }

    pub(super) fn got_heartbeat(&mut self, site: SiteId, epoch: u64, heartbeat: &Heartbeat) {
        let was_known = self.sites[site].epoch == epoch;
        if !self.is_epoch(site, epoch) {
            return;
        }
        let now = self.now;
        let entry = &mut self.sites[site];
        let has_gap = entry.heartbeat != 0 && heartbeat.number > entry.heartbeat + 1;
        entry.heartbeat = entry.heartbeat.max(heartbeat.number);
        let was_warming = entry.is_warming();
        if !heartbeat.warming {
            entry.warm = epoch;
        }
        entry.agent = heartbeat.agent.chars().take(64).collect();
        (entry.vnis, entry.uptime) = (heartbeat.vnis, heartbeat.uptime_seconds);
        let lacks = entry.interest != (epoch, heartbeat.interest_generation);
        if lacks && now.since(entry.interest_asked) >= ASKS_INTEREST {
            entry.interest_asked = now;
            self.control(site, Kind::InterestRequest(InterestRequest {}));
        }
        let entry = &mut self.sites[site];
        if entry.barred_until.is_some() {
            return;
        }
        let was_draining = std::mem::replace(&mut entry.is_draining, heartbeat.draining);
        if heartbeat.draining {
            return self.drains(site);
        }
        let was = std::mem::replace(&mut entry.state, SitePresence::Live);
        if was != SitePresence::Live {
            let name = Arc::clone(&entry.name);
            self.event(LinkEvent::Live { site: name });
        }
        if matches!(was, SitePresence::Gone | SitePresence::Unheard) {
            for vni in self.imports.joined() {
                let import = self.imports.get(site, vni);
                if import.is_none_or(|it| it.need.is_none() && it.ask.is_none()) {
                    self.need(site, vni, Duration::ZERO);
                }
            }
        }
        if was != SitePresence::Live || was_draining {
            self.check_all_of(site);
        }
        if (was_known && has_gap) || (was_warming && !heartbeat.warming) {
            self.sites[site].check_at(now, Scope::All);
        }
    }

    /// A site is about to end.
    fn drains(&mut self, site: SiteId) {
        let now = self.now;
        let entry = &mut self.sites[site];
        if entry.state == SitePresence::Live {
            (entry.state, entry.stale_since) = (SitePresence::Stale, now);
            let name = Arc::clone(&entry.name);
            self.event(LinkEvent::Draining { site: name });
            self.fall_silent(site);
        } else if entry.state == SitePresence::Unheard {
            (entry.state, entry.stale_since) = (SitePresence::Stale, now);
        }
    }

    /// A site has more routes than it may have: takes nothing from it for a while.
    pub(super) fn bar(&mut self, site: SiteId) {
        let limit = self.settings.routes_per_site;
        let now = self.now;
        let until = now + 2 * self.settings.stale_time;
        let entry = &mut self.sites[site];
        if entry.barred_until.is_some() {
            return;
        }
        entry.barred_until = Some(until);
        entry.counts.stale += 1;
        (entry.state, entry.stale_since) = (SitePresence::Stale, now);
        let name = Arc::clone(&entry.name);
        self.event(LinkEvent::AboveLimit { site: name, limit });
        self.fall_silent(site);
    }

    /// Gives up all requests, checks and answers under way with a site.
    fn fall_silent(&mut self, site: SiteId) {
        self.sites[site].checks.clear();
        self.forget_checks(site);
        self.fail_asks_of(site);
        self.end_answers_to(site);
    }

    /// Notes which sites are silent, and withdraws the routes of sites that have been silent for too long.
    pub(super) fn tick_sites(&mut self) {
        let now = self.now;
        for site in self.sites.all() {
            let entry = &mut self.sites[site];
            if entry.barred_until.is_some_and(|until| until <= now) {
                entry.barred_until = None;
            }
            if entry.state == SitePresence::Live && now.since(entry.heard) > SILENT {
                (entry.state, entry.stale_since) = (SitePresence::Stale, entry.heard);
                entry.counts.stale += 1;
                let name = Arc::clone(&entry.name);
                self.event(LinkEvent::Silent { site: name });
                self.fall_silent(site);
            }
            let entry = &mut self.sites[site];
            let stale_time = self.settings.stale_time;
            if entry.state == SitePresence::Stale && now.since(entry.stale_since) > stale_time {
                entry.state = SitePresence::Gone;
                let name = Arc::clone(&entry.name);
                for vni in self.imports.joined() {
                    self.forget_import(site, vni);
                }
                self.event(LinkEvent::Gone { site: name });
            }
        }
    }

    /// Withdraws routes of a site's earlier process that have been kept for too long: a process that
    /// restarts again and again never warms up.
    pub(super) fn tick_imports(&mut self) {
        let most = 2 * self.settings.stale_time;
        let now = self.now;
        let imports = &self.imports;
        let is_over = |(site, vni): &&(SiteId, Vni)| {
            imports.get(*site, *vni).is_some_and(|it| {
                it.state == import::ImportState::InSync
                    && !it.is_forced
                    && it.old_since.is_some_and(|since: Moment| now.since(since) > most)
            })
        };
        let over: Vec<(SiteId, Vni)> = imports.old.iter().filter(is_over).copied().collect();
        for (site, vni) in over {
            let Some(import) = self.imports.get_mut(site, vni) else { continue };
            import.is_forced = true;
            self.retire(site, vni);
            self.tidy_import(site, vni);
        }
    }
}
