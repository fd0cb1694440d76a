//! Which events are asked for: of what kind, and about whom.

use serde::Deserialize;

use super::ApiError;
use super::params::{vni, wrong};
use crate::inspector::Inspector;
use crate::monitor::MonitorEvent;
use crate::shard::inspect::MonitorFilter;

/// Which events.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsAsked {
    vni: Option<String>,
    event: Option<String>,
    peer: Option<String>,
}

/// What is wanted of all that happens.
#[derive(Debug)]
pub(super) struct EventsWanted {
    pub(super) filter: MonitorFilter,
    /// Of these kinds; empty means all.
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
    /// Whether an event is wanted. That something was left out always is.
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

/// Kinds of events, with commas between them.
pub(super) fn kinds(text: Option<&str>) -> Vec<String> {
    let each = text.unwrap_or_default().split(',').map(str::trim);
    each.filter(|kind| !kind.is_empty()).map(str::to_owned).collect()
}

/// What a session is called; nothing said means any.
pub(super) fn named(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}
