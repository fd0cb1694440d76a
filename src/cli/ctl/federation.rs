//! The other sites, and how they are reached.

use serde_json::Value;

use super::Ctl;
use super::client::parsed;
use super::screen::Failed;
use super::table::{Column, TextTable, number, text};
use super::units::{count, shown, size, time};
use crate::cli::values::counted;

const SITES: &[Column] = &[
    text("SITE", |row| shown(&row["site"])),
    text("STATE", |row| shown(&row["state"]).replace('_', " ")),
    number("HEARD", |row| time(&row["heard_seconds"])),
    number("LAG", |row| time(&row["lag_seconds"])),
    number("ROUTES", |row| count(&row["routes"])),
    number("IN SYNC", |row| count(&row["vnis_in_sync"])),
    number("CHANGES", |row| count(&row["changes_received"])),
    number("SNAPSHOTS", |row| count(&row["snapshots"])),
    number("GAPS", |row| count(&row["gaps"])),
    number("UPTIME", |row| time(&row["uptime_seconds"])),
    text("AGENT", |row| shown(&row["agent"])),
];

impl Ctl {
    pub(super) async fn show_federation(&mut self) -> Result<(), Failed> {
        let text = self.client.get_text("/api/v1/federation").await?;
        if self.screen.is_json {
            return self.screen.line(&text);
        }
        let now: Value = parsed(&text)?;
        if now.is_null() {
            return self.screen.line("This reflector exchanges routes with no other site.");
        }
        for line in head(&now) {
            self.screen.line(&line)?;
        }
        let sites = now["sites"].as_array().cloned().unwrap_or_default();
        if sites.is_empty() {
            return self.screen.line("No other site has been heard of.");
        }
        self.screen.line("")?;
        let rows = TextTable::new(SITES).rows(&sites);
        self.screen.line(rows.trim_end())
    }
}

fn head(now: &Value) -> Vec<String> {
    let site = shown(&now["site"]);
    let mut lines = Vec::new();
    let version = shown(&now["server_version"]);
    let address = shown(&now["server_address"]);
    lines.push(if now["is_connected"] == true {
        let answers = match now["round_trip_seconds"].as_f64() {
            Some(_) => format!(", answers in {}", time(&now["round_trip_seconds"])),
            None => ", does not answer".to_owned(),
        };
        format!("Site {site}, connected to nats-server {version} at {address}{answers}.")
    } else {
        format!("Site {site}, not connected: it works alone.")
    });
    if let Some(error) = now["error"].as_str() {
        lines.push(format!("Last error: {error}."));
    }
    match now["twin"].as_bool() {
        Some(true) => lines.push(
            "Another reflector has the name of this site and came first: this reflector sends \
             nothing to other sites."
                .to_owned(),
        ),
        Some(false) => lines.push(
            "Another reflector has the name of this site: that reflector came later and sends \
             nothing to other sites."
                .to_owned(),
        ),
        None => {}
    }
    if now["is_draining"] == true {
        lines.push("This reflector tells the other sites that it is about to stop.".to_owned());
    }
    let number = |name: &str| now[name].as_u64().unwrap_or_default();
    lines.push(format!(
        "Clients here want {}, other sites {}; {} wait for the NATS server, {} for snapshots.",
        counted(number("vnis_wanted"), "VNI"),
        counted(number("vnis_exported"), "VNI"),
        number("vnis_behind"),
        number("snapshots_awaited"),
    ));
    lines.push(format!(
        "Sent {} in {}; {} wait.",
        counted(number("changes_sent"), "change"),
        counted(number("messages_sent"), "message"),
        size(&now["queued_bytes"]),
    ));
    lines
}
