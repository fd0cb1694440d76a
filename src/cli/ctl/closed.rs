//! Sessions that have ended, and what happened last.

use serde_json::Value;

use super::Ctl;
use super::client::escaped;
use super::listing::{Rows, View};
use super::screen::Failed;
use super::show::node;
use super::table::{Column, number, text};
use super::units::{count, shown, size, time};

const CLOSED: &[Column] = &[
    text("ENDED", |row| second(&row["ended_at"])),
    number("PEER", |row| count(&row["peer"])),
    text("NODE", |row| node(&row["node"])),
    text("REMOTE", |row| shown(&row["remote"])),
    number("LASTED", |row| time(&row["lasted_seconds"])),
    number("ROUTES", |row| count(&row["routes"])),
    number("SUBS", |row| count(&row["subscriptions"])),
    number("RECEIVED", |row| size(&row["bytes_received"])),
    number("SENT", |row| size(&row["bytes_sent"])),
    text("WHY", |row| shown(&row["detail"])),
];

const RECORDED: &[Column] = &[
    text("TIME", |row| shown(&row["at"])),
    text("EVENT", |row| shown(&row["event"]).replace('_', " ")),
    text("PEER", recorded_peer),
    text("DETAILS", |row| shown(&row["detail"])),
];

/// A time to the second.
fn second(at: &Value) -> String {
    let at = shown(at);
    at.split_once('.').map_or_else(|| at.clone(), |(whole, _)| format!("{whole}Z"))
}

/// The node and number: a recorder has several sessions of one node.
fn recorded_peer(row: &Value) -> String {
    match (row["node"].as_str().filter(|node| !node.is_empty()), row["peer"].as_u64()) {
        (Some(_), Some(peer)) => format!("{}#{peer}", node(&row["node"])),
        (None, Some(peer)) => format!("#{peer}"),
        _ => "-".to_owned(),
    }
}

impl Ctl {
    pub(super) async fn show_closed(
        &mut self,
        peer: Option<&str>,
        limit: Option<u64>,
    ) -> Result<(), Failed> {
        let which = peer.map(|peer| format!("?peer={}", escaped(peer))).unwrap_or_default();
        let rows = Rows::Listing(format!("/api/v1/closed{which}"));
        let view = View { columns: CLOSED, nothing: "No session has ended.", limit };
        self.list([rows], &view).await
    }

    pub(super) async fn show_recorder(&mut self, limit: Option<u64>) -> Result<(), Failed> {
        let limit = limit.map(|limit| format!("?limit={limit}")).unwrap_or_default();
        let rows = Rows::Lookup(format!("/api/v1/recorder{limit}"));
        let view = View { columns: RECORDED, nothing: "Nothing has happened.", limit: None };
        self.list([rows], &view).await
    }
}
