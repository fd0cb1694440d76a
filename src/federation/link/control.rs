//! Control messages: to whom they go, and who takes them in.

use std::sync::Arc;

use super::Link;
use super::envelope::Content;
use super::form::control::Kind;
use super::uplink::Address;
use crate::ids::link::SiteId;

impl Link {
    /// Sends a control message to one site. Drops it when too many messages wait: all control messages repeat.
    pub(super) fn control(&mut self, site: SiteId, kind: Kind) {
        let to = Address::Site(Arc::clone(&self.sites[site].name));
        self.control_to(to, kind);
    }

    /// Sends a control message.
    pub(super) fn control_to(&mut self, to: Address, kind: Kind) {
        if self.speaks() && self.uplink.takes_control() {
            let payload = self.envelope(Content::Control(kind));
            self.uplink.push(to, payload);
        }
    }

    /// Processes a control message of a site.
    pub(super) fn got_control(&mut self, site: SiteId, epoch: u64, kind: Kind) {
        match kind {
            Kind::Heartbeat(heartbeat) => self.got_heartbeat(site, epoch, &heartbeat),
            Kind::Interest(interest) => self.got_interest(site, epoch, &interest),
            Kind::CheckAnswer(answer) => self.got_check_answer(site, epoch, &answer),
            Kind::Note(note) => self.got_note(site, note.inbox, note.chunks),
            Kind::InterestRequest(_) => self.own.is_due = Some(self.now),
            Kind::SnapshotRequest(request) => self.got_snapshot_request(site, &request),
            Kind::Credit(credit) => self.got_credit(site, credit.inbox, credit.chunks),
            Kind::Check(check) => self.got_check(site, check),
        }
    }
}
