//! Federation as metrics.

use super::status::{FederationStatus, SiteState, SiteStatus};
use crate::metrics::{Row, Rows, Value};

impl FederationStatus {
    /// The status as metrics.
    pub(crate) fn rows(&self) -> Rows {
        let by_site = |number: fn(&SiteStatus) -> u64| {
            let one = |site: &SiteStatus| (vec![site.site.clone()], number(site));
            Value::Labelled(self.sites.iter().map(one).collect())
        };
        let times = |time: fn(&SiteStatus) -> Option<f64>| {
            let one = |site: &SiteStatus| Some((vec![site.site.clone()], time(site)?));
            Value::LabelledTimes(self.sites.iter().filter_map(one).collect())
        };
        let states = |site: &SiteStatus| {
            let is = site.state;
            let one = move |(state, name): (SiteState, &str)| {
                (vec![site.site.clone(), name.to_owned()], u64::from(is == state))
            };
            SiteState::ALL.into_iter().map(one).collect::<Vec<_>>()
        };
        vec![
            (CONNECTED, Value::Switch(self.is_connected)),
            (CONNECTIONS, Value::Number(self.connections)),
            (TWIN, Value::Switch(self.twin.is_some())),
            (
                ROUND_TRIP,
                Value::LabelledTimes(
                    self.round_trip_seconds.map(|it| (vec![], it)).into_iter().collect(),
                ),
            ),
            (STATE, Value::Labelled(self.sites.iter().flat_map(states).collect())),
            (HEARD, times(|site| site.heard_seconds)),
            (LAG, times(|site| Some(site.lag_seconds))),
            (ROUTES, by_site(|site| site.routes)),
            (IN_SYNC, by_site(|site| site.vnis_in_sync)),
            (WANTED, Value::Number(self.vnis_wanted)),
            (EXPORTED, Value::Number(self.vnis_exported)),
            (BEHIND, Value::Number(self.vnis_behind)),
            (QUEUED, Value::Number(self.queued_bytes)),
            (CHANGES_SENT, Value::Number(self.changes_sent)),
            (CHANGES_RECEIVED, by_site(|site| site.changes_received)),
            (SENT, Value::Number(self.messages_sent)),
            (RECEIVED, Value::Number(self.messages_received)),
            (UNKNOWN, Value::Number(self.messages_unknown)),
            (SNAPSHOTS_SENT, Value::Number(self.snapshots_sent)),
            (SNAPSHOTS, by_site(|site| site.snapshots)),
            (FAILED, by_site(|site| site.snapshots_failed)),
            (GAPS, by_site(|site| site.gaps)),
            (MISMATCHES, by_site(|site| site.mismatches)),
            (UNREADABLE, by_site(|site| site.unreadable)),
            (STALE, by_site(|site| site.stale)),
            (FELL_BEHIND, Value::Number(self.fell_behind)),
            (OVERFLOWS, Value::Number(self.overflows)),
        ]
    }
}

const SITE: &[&str] = &["site"];

const CONNECTED: Row = Row::new()
    .gauge("metalbond_federation_connected", "1 while a NATS server is connected, else 0.");
const CONNECTIONS: Row = Row::new().counter(
    "metalbond_federation_connections_total",
    "Connections to a NATS server, the first one included.",
);
const TWIN: Row = Row::new()
    .gauge("metalbond_federation_twin", "1 while another reflector uses the name of this site.");
const ROUND_TRIP: Row = Row::new().gauge(
    "metalbond_federation_round_trip_seconds",
    "Seconds that the NATS server took to answer the latest request.",
);
const STATE: Row = Row::new()
    .gauge(
        "metalbond_federation_site_state",
        "1 for the current state of another site, 0 for its other states.",
    )
    .by(&["site", "state"]);
const HEARD: Row = Row::new()
    .gauge(
        "metalbond_federation_site_heard_seconds",
        "Seconds since the last message from another site.",
    )
    .by(SITE);
const LAG: Row = Row::new()
    .gauge(
        "metalbond_federation_site_lag_seconds",
        "Age in seconds of the latest change of another site when it arrived, by the clocks of both sites.",
    )
    .by(SITE);
const ROUTES: Row = Row::new()
    .gauge("metalbond_federation_site_routes", "Routes of another site in the tables of this site.")
    .by(SITE);
const IN_SYNC: Row = Row::new()
    .gauge(
        "metalbond_federation_site_vnis_in_sync",
        "VNIs that clients here want and whose routes equal those of the other site.",
    )
    .by(SITE);
const WANTED: Row = Row::new()
    .gauge("metalbond_federation_vnis_wanted", "VNIs that clients here want from other sites.");
const EXPORTED: Row = Row::new()
    .gauge("metalbond_federation_vnis_exported", "VNIs that other sites want from this site.");
const BEHIND: Row = Row::new().gauge(
    "metalbond_federation_vnis_behind",
    "VNIs whose changes wait because the NATS server is slow.",
);
const QUEUED: Row = Row::new()
    .gauge("metalbond_federation_queued_bytes", "Bytes that wait to be sent to the NATS server.");
const CHANGES_SENT: Row = Row::new().counter(
    "metalbond_federation_changes_sent_total",
    "Changes of routes sent to other sites; each counts once, however many sites get it.",
);
const CHANGES_RECEIVED: Row = Row::new()
    .counter(
        "metalbond_federation_changes_received_total",
        "Changes of routes from another site, those of snapshots included.",
    )
    .by(SITE);
const SENT: Row =
    Row::new().counter("metalbond_federation_messages_sent_total", "Messages sent to other sites.");
const RECEIVED: Row = Row::new()
    .counter("metalbond_federation_messages_received_total", "Messages received from other sites.");
const UNKNOWN: Row = Row::new().counter(
    "metalbond_federation_messages_unknown_total",
    "Messages of other sites with a version or kind that this program does not know.",
);
const SNAPSHOTS_SENT: Row = Row::new().counter(
    "metalbond_federation_snapshots_sent_total",
    "Snapshots of a VNI sent to a site that requested it.",
);
const SNAPSHOTS: Row = Row::new()
    .counter(
        "metalbond_federation_snapshots_total",
        "Complete snapshots of a VNI from another site.",
    )
    .by(SITE);
const FAILED: Row = Row::new()
    .counter(
        "metalbond_federation_snapshots_failed_total",
        "Failed snapshots from another site; the reflector requested each again.",
    )
    .by(SITE);
const GAPS: Row = Row::new()
    .counter(
        "metalbond_federation_gaps_total",
        "Gaps in the messages of another site about a VNI; after each, the reflector requested the VNI's \
         routes again.",
    )
    .by(SITE);
const MISMATCHES: Row = Row::new()
    .counter(
        "metalbond_federation_mismatches_total",
        "Times at which the routes of a VNI differed from those of another site although no message was lost.",
    )
    .by(SITE);
const UNREADABLE: Row = Row::new()
    .counter("metalbond_federation_unreadable_total", "Unreadable messages from another site.")
    .by(SITE);
const STALE: Row = Row::new()
    .counter("metalbond_federation_site_stale_total", "Times at which another site became stale.")
    .by(SITE);
const FELL_BEHIND: Row = Row::new().counter(
    "metalbond_federation_fell_behind_total",
    "Times at which the NATS server was too slow for the changes of a VNI.",
);
const OVERFLOWS: Row = Row::new().counter(
    "metalbond_federation_overflows_total",
    "Times at which messages were lost because this reflector or the NATS server was too slow.",
);
