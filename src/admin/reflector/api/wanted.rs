//! Which events are asked for: of what kind, and about whom.

use serde::Deserialize;

use super::ApiError;
use super::params::{vni, wrong};
use crate::inspector::Inspector;
use crate::monitor::MonitorEvent;
use crate::shard::inspect::MonitorFilter;

/// The parameters of a stream of events.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsAsked {
    vni: Option<String>,
    event: Option<String>,
    peer: Option<String>,
}

/// The wanted events.
#[derive(Debug)]
pub(super) struct EventsWanted {
    pub(super) filter: MonitorFilter,
    /// The wanted kinds; empty means all.
    kinds: Vec<String>,
    /// About a session that this text names.
    peer: Option<String>,
}

/// Kinds of events in the stream: those about routes, and those about sessions.
const KINDS: [[&str; 2]; 2] = [["added", "withdrawn"], ["established", "closed"]];

impl EventsAsked {
    pub(super) fn read(self) -> Result<EventsWanted, ApiError> {
        let vni = self.vni.as_deref().map(|text| vni("vni", text)).transpose()?;
        let kinds = kinds(self.event.as_deref());
        if let Some(other) = kinds.iter().find(|kind| !KINDS.as_flattened().contains(&&***kind)) {
            let expected = "added, withdrawn, established or closed, or several with commas";
            return Err(wrong("event", expected, other).into());
        }
        let [about_routes, _] = KINDS;
        let has_routes = kinds.is_empty() || kinds.iter().any(|it| about_routes.contains(&&**it));
        let filter = match vni {
            _ if !has_routes => MonitorFilter::Sessions,
            None => MonitorFilter::All,
            Some(vni) => MonitorFilter::Vni(vni),
        };
        Ok(EventsWanted { filter, kinds, peer: named(self.peer.as_deref()) })
    }
}

impl EventsWanted {
    /// Whether an event is wanted. A note that events were left out is always wanted.
    pub(super) fn has(&self, event: &MonitorEvent, inspector: &Inspector) -> bool {
        let (kind, peer, remote) = match event {
            MonitorEvent::Added { announcer, .. } => {
                ("added", announcer.map(|it| (it, None)), None)
            }
            MonitorEvent::Withdrawn { announcer, .. } => {
                ("withdrawn", announcer.map(|it| (it, None)), None)
            }
            MonitorEvent::Established { peer, remote, node, .. } => {
                ("established", Some((*peer, Some(&**node))), Some(*remote))
            }
            MonitorEvent::Closed { peer, remote, node, .. } => {
                ("closed", Some((*peer, Some(&**node))), Some(*remote))
            }
            MonitorEvent::Missed(_) => return true,
        };
        let is_about =
            |text: &String| peer.is_some_and(|peer| inspector.is_named(text, peer, remote));
        (self.kinds.is_empty() || self.kinds.iter().any(|it| it == kind))
            && self.peer.as_ref().is_none_or(is_about)
    }
}

/// Parses kinds of events, separated by commas.
pub(super) fn kinds(text: Option<&str>) -> Vec<String> {
    let each = text.unwrap_or_default().split(',').map(str::trim);
    each.filter(|kind| !kind.is_empty()).map(str::to_owned).collect()
}

/// The name of a session; `None` or an empty text means any session.
pub(super) fn named(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}
