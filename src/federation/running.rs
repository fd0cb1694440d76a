//! Federation on its shard.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ahash::RandomState;
use tracing::{error, info, warn};

use super::bus::{Bus, BusSettings};
use super::hub::Hub;
use super::link::{Link, LinkEvent, LinkSettings, SitePresence, SiteRefusal, SiteStatus as Seen};
use super::{FederationStatus, Roster, SiteState, SiteStatus};
use crate::config::FederationConfig;
use crate::ids::{Moment, ShardId};
use crate::portable::form::piece::Kind;
use crate::shard::{Delivery, Shard};

/// A link, and its connection to the engine.
#[derive(Debug)]
pub(crate) struct Federation {
    hub: Rc<Hub>,
    /// `None` until the client is set up.
    bus: Rc<RefCell<Option<Bus>>>,
    roster: Arc<Roster>,
}

impl Federation {
    /// Starts federation on the thread of its shard. `left` is the state left by an earlier process. `seeds` are the
    /// process's seeds for hashes; moments count from `began`.
    pub(crate) fn start(
        config: &FederationConfig,
        left: &[Kind],
        (shard, seeds): (ShardId, [u64; 4]),
        began: Instant,
        roster: &Arc<Roster>,
    ) -> Option<Self> {
        let site = config.site.as_deref()?;
        let mut settings = LinkSettings::new(site);
        settings.stale_time = config.stale_time;
        settings.routes_per_site = config.routes_per_site;
        let [a, b, c, d] = seeds;
        let hasher = RandomState::with_seeds(a, b, c, d);
        let now = Moment(0) + began.elapsed();
        let mut link = Link::new(settings, shard, hasher.clone(), now, wall_clock());
        link.restore(left);
        let hub = Hub::new(link, began);
        let bus = Rc::new(RefCell::new(None));
        let settings = BusSettings {
            servers: config.servers.clone(),
            plane: config.plane,
            credentials: config.credentials.clone(),
            ca: config.ca.clone(),
            certificate: config.certificate.clone().zip(config.key.clone()),
            hasher,
        };
        let servers: Vec<_> = config.servers.iter().map(|url| without_password(url)).collect();
        info!(site, plane = config.plane, ?servers, "federation begins");
        let (place, of) = (Rc::clone(&bus), Rc::clone(&hub));
        tokio::task::spawn_local(async move {
            match Bus::start(Rc::clone(&of), &settings).await {
                Ok(bus) => {
                    of.wishes().for_each(|wish| bus.grant(wish));
                    *place.borrow_mut() = Some(bus);
                }
                Err(error) => {
                    error!(%error, "no federation: this site works alone until this reflector starts again");
                    of.engine.borrow_mut().error = Some(error.to_string());
                }
            }
        });
        Some(Self { hub, bus, roster: Arc::clone(roster) })
    }

    /// Hands over the deliveries of owners of VNIs.
    pub(crate) fn delivered(&self, now: Moment, parcel: &[Delivery]) {
        self.hub.delivered(now, parcel);
    }

    /// Does whatever is due. Returns when it wants the next turn.
    pub(crate) fn turn(&self, now: Moment, shard: &mut Shard) -> Moment {
        let bus = self.bus.borrow();
        let grant = |wish| {
            if let Some(bus) = bus.as_ref() {
                bus.grant(wish); // without a bus: granted when there is one
            }
        };
        let next = self.hub.turn(now, shard, grant, say);
        let news = self.hub.names_from(self.roster.len());
        if !news.is_empty() {
            self.roster.add(news);
        }
        next
    }

    /// Until when the shard may sleep although messages come: so many come that they are better taken together.
    pub(crate) fn rests_until(&self, now: Moment) -> Option<Moment> {
        self.hub.rests_until(now)
    }

    /// Waits until a turn has work.
    pub(crate) async fn has_news(&self) {
        self.hub.news.notified().await;
    }

    /// Whether nothing waits for the engine.
    pub(crate) fn is_flushed(&self) -> bool {
        self.hub.is_flushed()
    }

    /// Announces that sessions are about to end, or that they are not, after all.
    pub(crate) fn drain(&self, is_draining: bool) {
        self.hub.drain(is_draining);
    }

    /// Freezes the link before a handover to another process, or thaws it again.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        self.hub.freeze(is_frozen);
    }

    /// The state shared with other sites, for another process. The link must be frozen.
    pub(crate) fn export(&self) -> Vec<Kind> {
        self.hub.export()
    }

    /// The status for operators.
    pub(crate) fn status(&self) -> FederationStatus {
        let (link, engine) = self.hub.status();
        let (server, server_version) = engine.server.unwrap_or_default();
        FederationStatus {
            site: link.site.to_string(),
            is_connected: link.is_connected,
            server,
            server_version,
            server_address: engine.address,
            round_trip_seconds: engine.round_trip.as_ref().map(Duration::as_secs_f64),
            connections: engine.connections,
            error: engine.error,
            is_draining: link.is_draining,
            twin: link.twin,
            vnis_wanted: link.vnis_wanted,
            vnis_exported: link.vnis_exported,
            vnis_behind: link.vnis_behind,
            snapshots_awaited: link.snapshots_awaited,
            snapshots_sent: link.counts.answers,
            changes_sent: link.counts.changes_sent,
            messages_sent: link.counts.messages_sent,
            messages_received: link.counts.messages_received,
            messages_unknown: link.counts.unknown,
            queued_messages: link.queued.0 as u64,
            queued_bytes: link.queued.1 as u64,
            fell_behind: link.counts.fell_behind,
            overflows: link.counts.overflows,
            sites: link.sites.into_iter().map(site).collect(),
        }
    }
}

fn site(seen: Seen) -> SiteStatus {
    let state = match seen.state {
        _ if seen.is_above_limit => SiteState::AboveLimit,
        SitePresence::Unheard => SiteState::Unheard,
        SitePresence::Gone => SiteState::Gone,
        SitePresence::Stale if seen.is_draining => SiteState::Draining,
        SitePresence::Stale => SiteState::Stale,
        SitePresence::Live if seen.is_warming => SiteState::Warming,
        SitePresence::Live => SiteState::Live,
    };
    SiteStatus {
        site: seen.site.to_string(),
        state,
        heard_seconds: seen.heard.as_ref().map(Duration::as_secs_f64),
        routes: seen.routes,
        vnis_in_sync: seen.vnis_in_sync,
        lag_seconds: seen.lag,
        agent: seen.agent.into(),
        uptime_seconds: seen.uptime.as_secs_f64(),
        changes_received: seen.counts.changes,
        snapshots: seen.counts.snapshots,
        snapshots_failed: seen.counts.failed,
        gaps: seen.counts.gaps,
        mismatches: seen.counts.mismatches,
        unreadable: seen.counts.poisoned,
        stale: seen.counts.stale,
    }
}

/// Logs an event that an operator should know.
fn say(event: LinkEvent) {
    match event {
        LinkEvent::Live { site } => info!(%site, "site is there"),
        LinkEvent::Silent { site } => {
            warn!(%site, "site is silent: this reflector keeps the routes of that site for \
             --federation-stale-time");
        }
        LinkEvent::Draining { site } => {
            info!(%site, "site is about to end: this reflector keeps the routes of that site for \
             --federation-stale-time");
        }
        LinkEvent::AboveLimit { site, limit } => {
            warn!(%site, limit, "site has too many routes (--federation-max-routes-per-site): \
                 this reflector accepts nothing from that site for twice the stale time");
        }
        LinkEvent::Gone { site } => {
            warn!(%site, "site was away for too long: this reflector withdraws the routes of that \
                 site");
        }
        LinkEvent::Restarted { site } => info!(%site, "site has a new process"),
        LinkEvent::Mismatch { site, vni } => {
            error!(%site, %vni, "routes differ from the site's although no message was lost: this \
                 reflector requests all routes of the VNI from that site again");
        }
        LinkEvent::Poisoned { site, vni } => {
            let vni = vni.map(tracing::field::display);
            warn!(%site, vni, "a message of the site cannot be read; further unreadable messages \
                 are only counted");
        }
        LinkEvent::Refused(refusal) => {
            let SiteRefusal { site, class, rule, reason, verdict, vni, route, why } = *refusal;
            warn!(
                %site, class, rule, reason, verdict, %vni, route,
                "policy refused a site: {why}; further refusals of this site for this reason are only counted"
            );
        }
        LinkEvent::Twin { is_later: true } => error!(
            "another reflector has the name of this site (--site): this reflector came later and \
             sends nothing to other sites"
        ),
        LinkEvent::Twin { is_later: false } => error!(
            "another reflector has the name of this site (--site): that reflector came later and \
             sends nothing to other sites"
        ),
        LinkEvent::TwinGone => info!("no other reflector has the name of this site any more"),
    }
}

/// An address without user name and password, for the log.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
