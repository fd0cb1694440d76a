//! Checks: whether the latest delta of each VNI has come. A quiet VNI has no next delta that would tell.

use std::time::Duration;

use super::export::ExportState;
use super::form::control::Kind;
use super::form::{Check, CheckAnswer};
use super::import::{self, Confirm};
use super::settings::{CHECK_REPEATS, CHECK_WAITS, CONFIRMS, VNIS_PER_MESSAGE};
use super::sites::Scope;
use super::{Link, vnis};
use crate::ids::Moment;
use crate::ids::link::SiteId;
use crate::wire::Vni;

/// A check that was sent and awaits its answer.
#[derive(Debug)]
struct Sent {
    site: SiteId,
    number: u64,
    vnis: Vec<Vni>,
    sent: Moment,
    /// Whether the site had warmed up when the check was made.
    is_warm: bool,
}

/// A received check, to be answered when its VNIs are in sync.
#[derive(Debug)]
struct Received {
    asker: SiteId,
    number: u64,
    vnis: Vec<Vni>,
    received: Moment,
}

/// The most checks of one site that may wait here.
const RECEIVED: usize = 8;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Checks {
    sent: Vec<Sent>,
    received: Vec<Received>,
    /// Whether an event has come for which a check may wait.
    pub(super) is_stirred: bool,
}

impl Link {
    /// Checks all VNIs with every site: at once, and again when the engine has surely carried the interest.
    pub(super) fn check_everything(&mut self) {
        self.sites.all().for_each(|site| self.check_all_of(site));
    }

    /// The same with one site.
    pub(super) fn check_all_of(&mut self, site: SiteId) {
        for after in [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5)] {
            self.sites[site].check_at(self.now + after, Scope::All);
        }
    }

    /// Forgets the checks sent to a site: there will be another when it is back.
    pub(super) fn forget_checks(&mut self, site: SiteId) {
        self.checks.sent.retain(|sent| sent.site != site);
    }

    /// Sends due checks, repeats unanswered ones, and answers the received ones that can be answered.
    pub(super) fn tick_checks(&mut self) {
        for site in self.sites.all() {
            while self.sites[site].answers()
                && let Some((&then, _)) = self.sites[site].checks.first_key_value()
                && then <= self.now
                && let Some((_, scope)) = self.sites[site].checks.pop_first()
            {
                self.check(site, scope);
            }
        }
        let now = self.now;
        for at in 0..self.checks.sent.len() {
            let sent = &self.checks.sent[at];
            if now.since(sent.sent) >= CHECK_REPEATS && self.sites[sent.site].answers() {
                self.send_check(at);
            }
        }
        self.checks.received.retain(|check| now.since(check.received) < CHECK_WAITS);
        self.answer_checks();
        while let Some(&(then, site, vni)) = self.imports.confirms.first()
            && then < now
        {
            self.imports.confirms.pop_first();
            let Some(import) = self.imports.get_mut(site, vni) else { continue };
            if import.confirm.is_some_and(|confirm| confirm.until == then)
                && import.state == import::ImportState::InSync
            {
                self.sites[site].counts.gaps += 1;
                self.need(site, vni, Duration::ZERO);
            }
        }
    }

    /// Checks the VNIs of a scope that are in sync.
    fn check(&mut self, site: SiteId, scope: Scope) {
        let mut vnis = match scope {
            Scope::All => self.imports.joined(),
            Scope::Some(vnis) => vnis,
        };
        vnis.sort_unstable();
        vnis.dedup();
        vnis.retain(|vni| {
            let import = self.imports.get(site, *vni);
            import.is_some_and(|import| import.state == import::ImportState::InSync)
        });
        for vnis in vnis.chunks(VNIS_PER_MESSAGE) {
            let number = self.asks.next_number();
            let is_warm = !self.sites[site].is_warming();
            let vnis = vnis.to_vec();
            self.checks.sent.push(Sent { site, number, vnis, sent: self.now, is_warm });
            self.send_check(self.checks.sent.len() - 1);
        }
    }

    fn send_check(&mut self, at: usize) {
        let sent = &mut self.checks.sent[at];
        sent.sent = self.now;
        let (site, number) = (sent.site, sent.number);
        let vni_steps = vnis::steps(sent.vnis.iter().copied());
        self.control(site, Kind::Check(Check { number, vni_steps }));
    }

    /// A site asks for the numbers of the latest deltas. Its check shows that it wants the VNIs.
    pub(super) fn got_check(&mut self, asker: SiteId, check: Check) {
        if !self.exports.is_open() {
            return;
        }
        let vnis: Vec<Vni> = vnis::from_steps(&check.vni_steps).take(VNIS_PER_MESSAGE).collect();
        for vni in &vnis {
            self.wanted_by(asker, *vni);
        }
        let number = check.number;
        let waiting = &mut self.checks.received;
        waiting.retain(|other| (other.asker, other.number) != (asker, number));
        if waiting.iter().filter(|other| other.asker == asker).count() < RECEIVED {
            waiting.push(Received { asker, number, vnis, received: self.now });
        }
        self.checks.is_stirred = true;
    }

    /// Answers checks whose VNIs are all in sync.
    fn answer_checks(&mut self) {
        if !std::mem::take(&mut self.checks.is_stirred) {
            return;
        }
        let exports = &self.exports;
        let is_ready = |check: &mut Received| {
            check.vnis.iter().all(|vni| exports.state(*vni).0 == ExportState::InSync)
        };
        let ready: Vec<Received> = self.checks.received.extract_if(.., is_ready).collect();
        for Received { asker, number, vnis, .. } in ready {
            vnis.iter().for_each(|vni| self.flush(*vni));
            let sequences = vnis.iter().map(|vni| self.exports.state(*vni).1).collect();
            let vni_steps = vnis::steps(vnis);
            self.control(asker, Kind::CheckAnswer(CheckAnswer { number, vni_steps, sequences }));
        }
    }

    /// A site has answered a check.
    pub(super) fn got_check_answer(&mut self, site: SiteId, epoch: u64, answer: &CheckAnswer) {
        if !self.is_epoch(site, epoch) {
            return;
        }
        let is_this = |sent: &Sent| sent.site == site && sent.number == answer.number;
        let Some(at) = self.checks.sent.iter().position(is_this) else { return };
        let Sent { is_warm, .. } = self.checks.sent.swap_remove(at);
        let until = self.now + CONFIRMS;
        for (vni, sequence) in vnis::from_steps(&answer.vni_steps).zip(&answer.sequences) {
            let Some(import) = self.imports.get_mut(site, vni) else { continue };
            if import.state != import::ImportState::InSync {
                continue;
            }
            if import.epoch != epoch {
                self.need(site, vni, Duration::ZERO);
                continue;
            }
            import.confirm = Some(Confirm { sequence: *sequence, until, is_warm });
            if !self.confirmed(site, vni) {
                self.imports.confirms.insert((until, site, vni));
            }
        }
    }

    /// Whether all deltas that a check told of have come. If the site had warmed up, the routes of an earlier process
    /// go now.
    pub(super) fn confirmed(&mut self, site: SiteId, vni: Vni) -> bool {
        let Some(import) = self.imports.get_mut(site, vni) else { return true };
        let Some(confirm) = import.confirm else { return true };
        if import.state != import::ImportState::InSync || import.next <= confirm.sequence {
            return false;
        }
        import.confirm = None;
        if confirm.is_warm {
            self.retire(site, vni);
            self.tidy_import(site, vni);
        }
        true
    }
}
