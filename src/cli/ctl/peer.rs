//! One peer: found by any of the names that operators use, and shown in detail.

use serde_json::Value;

use super::Ctl;
use super::client::escaped;
use super::listing::{Rows, View};
use super::screen::Failed;
use super::table::{Column, number, pairs, text};
use super::units::{count, shown, size, time};
use crate::cli::values::counted;

/// Candidates that are named.
const NAMED_MAX: usize = 5;

const PARTS: &[Column] = &[
    number("VNI", |part| count(&part["vni"])),
    number("ROUTES", |part| count(&part["routes"])),
    text("SUBSCRIPTION", |part| shown(&part["subscription"]["state"]).replace('_', " ")),
    number("CHANGES BEHIND", |part| count(&part["subscription"]["behind_entries"])),
    number("DUMP PLACES LEFT", |part| count(&part["subscription"]["behind_places"])),
];

impl Ctl {
    /// The number of the one session that a text names.
    pub(super) async fn find(&mut self, name: &str) -> Result<u64, Failed> {
        let lookup = Rows::Lookup(format!("/api/v1/peers?name={}", escaped(name)));
        let found = self.rows(lookup).await?;
        let id = |peer: &Value| peer["id"].as_u64().unwrap_or_default();
        match found.as_slice() {
            [peer] => Ok(id(peer)),
            [] => {
                // It says when the last of that name was seen; or one has just come.
                let peer: Value =
                    self.client.get(&format!("/api/v1/peers/{}", escaped(name))).await?;
                Ok(id(&peer))
            }
            many => {
                let describe = |peer: &Value| {
                    let (node, remote) = (shown(&peer["node"]), shown(&peer["remote"]));
                    match peer["name_proven"].as_str() {
                        Some(name) => format!("#{} ({node}, {remote}, proven {name})", id(peer)),
                        None => format!("#{} ({node}, {remote})", id(peer)),
                    }
                };
                let mut names: Vec<_> = many.iter().take(NAMED_MAX).map(describe).collect();
                if many.len() > NAMED_MAX {
                    names.push(format!("{} more", many.len() - NAMED_MAX));
                }
                let (count, names) = (many.len(), names.join(", "));
                Err(Failed::Sentence(format!(
                    "{count} sessions are called {name:?}: {names}; give the number of one"
                )))
            }
        }
    }

    pub(super) async fn show_peer(&mut self, name: &str) -> Result<(), Failed> {
        let id = self.find(name).await?;
        let path = format!("/api/v1/peers/{id}");
        if self.screen.is_json {
            let text = self.client.get_text(&path).await?;
            return self.screen.line(&text);
        }
        let peer: Value = self.client.get(&path).await?;
        let knows: Vec<_> =
            peer["capabilities"].as_array().into_iter().flatten().map(shown).collect();
        let is = |member: &str| if peer[member] == true { "yes" } else { "no" }.to_owned();
        let text = pairs(&[
            ("peer", format!("#{id}")),
            ("node", shown(&peer["node"])),
            ("proven", proven(&peer)),
            ("agent", shown(&peer["agent"])),
            ("remote", shown(&peer["remote"])),
            ("shard", count(&peer["shard"])),
            ("state", shown(&peer["state"])),
            ("uptime", time(&peer["uptime_seconds"])),
            ("established for", time(&peer["established_seconds"])),
            ("keepalive", time(&peer["keepalive_seconds"])),
            ("last heard", format!("{} ago", time(&peer["last_heard_seconds"]))),
            ("reflector", is("is_server")),
            ("extensions", if knows.is_empty() { "none".into() } else { knows.join(", ") }),
            ("slow", is("is_slow")),
            (
                "paced",
                match peer["fixed_pace_reason"].as_str() {
                    Some(reason) => format!("yes, at a fixed rate: {reason}"),
                    None => is("is_paced"),
                },
            ),
            ("paused", is("is_paused")),
            ("routes", count(&peer["routes"])),
            ("subscriptions", count(&peer["subscriptions"])),
            (
                "behind in",
                peer["behind"].as_u64().map_or_else(|| "-".into(), |n| counted(n, "VNI")),
            ),
            ("backlog", size(&peer["backlog_bytes"])),
            ("writing for", time(&peer["writing_seconds"])),
            ("received", {
                let (updates, bytes) = (count(&peer["updates_received"]), &peer["bytes_received"]);
                format!("{updates} updates, {}", size(bytes))
            }),
            ("skipped", skipped(&peer)),
            ("refused", format!("{} announcements", count(&peer["announcements_refused"]))),
            ("sent", {
                let (adds, removes) = (count(&peer["adds_sent"]), count(&peer["removes_sent"]));
                format!("{adds} adds, {removes} removes, {}", size(&peer["bytes_sent"]))
            }),
        ]);
        self.screen.write(&text)?;
        self.screen.write("\n")?;
        let parts = peer["vnis"].as_array().cloned().unwrap_or_default();
        self.show_rows(
            parts,
            &View {
                columns: PARTS,
                nothing: "The peer announces in no VNI and subscribes to none.",
                limit: None,
            },
        )
    }
}

/// What its certificate proves: its name, and its next hops.
fn proven(peer: &Value) -> String {
    if peer["transport"] != "tls" {
        return "nothing: no TLS".to_owned();
    }
    let name = match peer["name_proven"].as_str() {
        Some(name) => name.to_owned(),
        None => "no name".to_owned(),
    };
    let addresses: Vec<_> =
        peer["addresses_proven"].as_array().into_iter().flatten().map(shown).collect();
    [vec![name], addresses].concat().join(", ")
}

/// How many messages were skipped, and why.
fn skipped(peer: &Value) -> String {
    let all = peer["messages_skipped"].as_object();
    let number = |(_, number): (_, &Value)| number.as_u64().unwrap_or_default();
    let total: u64 = all.into_iter().flatten().map(number).sum();
    let reason =
        |(why, number): (&String, _)| format!("{} {}", count(number), why.replace('_', " "));
    let reasons: Vec<_> = all.into_iter().flatten().map(reason).collect();
    let sign = if reasons.is_empty() { "" } else { ": " };
    format!("{} messages{sign}{}", count(&total.into()), reasons.join(", "))
}
