//! A link in the portable form: what another process of this site must know so that other sites notice nothing.
//!
//! The epoch and all numbers continue. Tables that move hold the exporter's cursor and the importers' routes; the
//! link's part says to which epochs and numbers these belong. Snapshots that were under way are requested again.

use std::time::Duration;

use super::export::Export;
use super::import::{Import, ImportPeer, ImportState};
use super::sites::SitePresence;
use super::{Link, Output};
use crate::ids::Moment;
use crate::ids::link::SiteId;
use crate::portable::ENTRIES;
use crate::portable::form::piece::Kind;
use crate::portable::form::{self, LinkExport, LinkHalf, LinkImport, LinkSite};
use crate::wire::{Digest, Vni};

impl Link {
    /// Takes in nothing more, and requests nothing more of owners, but still sends what they have sealed.
    pub(crate) fn freeze(&mut self, now: Moment) {
        self.now = now;
        if self.frozen.is_none() {
            self.end_answers();
            self.flush_all();
            self.frozen = Some(Vec::new());
        }
    }

    /// Resumes. Requests the changes that were missed meanwhile.
    pub(crate) fn thaw(&mut self, now: Moment) {
        self.now = now;
        let Some(missed) = self.frozen.take() else { return };
        missed.into_iter().for_each(|vni| self.restart_export(vni));
        for site in self.sites.all() {
            self.fail_asks_of(site);
        }
        self.check_everything();
    }

    /// The state for another process. The link must be frozen, and all sealed batches must have come.
    pub(crate) fn export(&self) -> Vec<Kind> {
        let sites = self.sites.iter().map(|site| LinkSite {
            name: site.name.to_string(),
            epoch: site.epoch,
            heartbeat: site.heartbeat,
            warm: site.warm,
            is_gone: site.state == SitePresence::Gone,
            interest_epoch: site.interest.0,
            interest_generation: site.interest.1,
            told: site.told.into(),
        });
        let uptime = self.now.since(self.began).as_micros();
        let mut pieces = vec![Kind::Link(form::Link {
            site: self.settings.site.to_string(),
            epoch: self.epoch,
            heartbeats: self.heartbeats,
            interest_generation: self.own.generation,
            serial: self.asks.serial(),
            answers: self.answers.serial(),
            export_floor: self.exports.floor(),
            uptime: u64::try_from(uptime).unwrap_or(u64::MAX),
            sites: sites.collect(),
        })];
        let exports: Vec<LinkExport> = self.exports.iter().map(|(vni, it)| it.form(vni)).collect();
        for exports in exports.chunks(ENTRIES) {
            pieces.push(Kind::LinkExports(form::LinkExports { exports: exports.to_vec() }));
        }
        let of_vni = |vni: Vni| {
            let of_site = move |site| Some(import_form(vni, site, self.imports.get(site, vni)?));
            self.sites.all().filter_map(of_site)
        };
        let imports: Vec<LinkImport> = self.imports.joined().into_iter().flat_map(of_vni).collect();
        for imports in imports.chunks(ENTRIES) {
            pieces.push(Kind::LinkImports(form::LinkImports { imports: imports.to_vec() }));
        }
        pieces
    }

    /// Takes over the state of an earlier process of this site. Call it before anything else.
    pub(crate) fn restore(&mut self, pieces: &[Kind]) {
        for piece in pieces {
            match piece {
                Kind::Link(link) => self.restore_self(link),
                Kind::LinkExports(exports) => {
                    exports.exports.iter().for_each(|export| self.restore_export(export));
                }
                Kind::LinkImports(imports) => {
                    imports.imports.iter().for_each(|import| self.restore_import(import));
                }
                _ => {}
            }
        }
    }

    fn restore_self(&mut self, link: &form::Link) {
        self.epoch = link.epoch.max(1);
        self.heartbeats = link.heartbeats;
        self.own.generation = link.interest_generation;
        self.asks.begin_behind(link.serial);
        self.answers.begin_behind(link.answers);
        self.exports.begin_above(link.export_floor);
        self.warm_until =
            self.now + self.settings.warming.saturating_sub(Duration::from_micros(link.uptime));
        self.twin.listens_no_more();
        for site in &link.sites {
            let Some(number) = self.sites.named(&site.name) else { continue };
            let now = self.now;
            let entry = &mut self.sites[number];
            entry.epoch = site.epoch;
            entry.heartbeat = site.heartbeat;
            entry.warm = site.warm;
            entry.heard = now;
            entry.interest = (site.interest_epoch, site.interest_generation);
            entry.told = u16::try_from(site.told).unwrap_or(0);
            entry.state = match (site.is_gone, site.epoch) {
                (true, _) => SitePresence::Gone,
                (false, 0) => SitePresence::Unheard,
                (false, _) => SitePresence::Live,
            };
        }
    }

    fn restore_export(&mut self, export: &LinkExport) {
        let vni = Vni(export.vni);
        self.exports.restore(vni, Export::of(export));
        for site in &export.wanted_by {
            let site = u16::try_from(*site).ok().map(SiteId);
            if let Some(site) = site.filter(|site| self.sites.all().any(|known| known == *site)) {
                self.wanted_by(site, vni);
            }
        }
        if !export.is_in_sync {
            self.restart_export(vni);
        }
    }

    fn restore_import(&mut self, import: &LinkImport) {
        let vni = Vni(import.vni);
        let site = u16::try_from(import.site).ok().map(SiteId);
        let Some(site) = site.filter(|site| self.sites.all().any(|known| known == *site)) else {
            return;
        };
        if self.imports.join(vni) {
            self.outputs.push_back(Output::Listen(vni));
            // If a client still wants the VNI, its owner says so.
            self.wanted(vni, false);
        }
        let now = self.now;
        let Some(place) = self.imports.made(site, vni) else { return };
        place.epoch = import.epoch;
        place.next = import.next;
        place.main = usize::from(import.main == 1);
        for (half, form) in place.pair.iter_mut().zip(&import.halves) {
            *half = ImportPeer {
                is_used: form.is_used,
                is_dirty: form.is_dirty,
                epoch: form.epoch,
                digest: Digest { routes: form.routes, sum: form.sum },
                held: form.routes,
            };
        }
        let keeps_old = place.pair.iter().all(|half| half.is_used);
        if keeps_old {
            place.old_since = Some(now);
            self.imports.old.insert((site, vni));
        }
        let Some(place) = self.imports.made(site, vni) else { return };
        let routes = place.routes();
        self.count_routes(site, 0, routes);
        if import.is_in_sync {
            self.set_state(site, vni, ImportState::InSync);
        }
        let is_gone = self.sites[site].state == SitePresence::Gone;
        if !import.is_in_sync && !is_gone {
            self.need(site, vni, Duration::ZERO);
        }
    }
}

fn import_form(vni: Vni, site: SiteId, import: &Import) -> LinkImport {
    let half = |half: &ImportPeer| LinkHalf {
        is_used: half.is_used,
        is_dirty: half.is_dirty,
        epoch: half.epoch,
        // Nobody compares the digest of a dirty peer.
        routes: if half.is_dirty { half.held } else { half.digest.routes },
        sum: half.digest.sum,
    };
    LinkImport {
        vni: vni.0,
        site: site.0.into(),
        is_in_sync: import.state == ImportState::InSync,
        epoch: import.epoch,
        next: import.next,
        main: u32::from(import.main == 1),
        halves: import.pair.iter().map(half).collect(),
    }
}
