//! The routes that the policy refuses, and those that another policy would refuse.

use std::path::Path;

use serde_json::Value;

use super::Ctl;
use super::client::parsed;
use super::screen::Failed;
use super::table::{Column, TextTable, number, text};
use super::units::{count, shown};
use crate::cli::values::counted;

const REFUSED: &[Column] = &[
    text("CLASS", |row| shown(&row["class"])),
    text("RULE", rule),
    text("REASON", reason),
    text("VERDICT", |row| shown(&row["verdict"])),
    number("REFUSED", |row| count(&row["refused"])),
];

const WOULD_REFUSE: &[Column] = &[
    text("CLASS", |row| shown(&row["class"])),
    text("RULE", rule),
    text("REASON", reason),
    text("VERDICT", |row| shown(&row["verdict"])),
    number("COUNT", |row| count(&row["count"])),
    text("FIRST", first),
];

fn rule(row: &Value) -> String {
    let rule = shown(&row["rule"]);
    if rule == "0" { "class".to_owned() } else { rule }
}

fn reason(row: &Value) -> String {
    shown(&row["reason"]).replace('_', " ")
}

/// The first example: who, what and why.
fn first(row: &Value) -> String {
    let peer = match row["node"].as_str().filter(|node| !node.is_empty()) {
        Some(node) => node.to_owned(),
        None => format!("#{}", shown(&row["peer"])),
    };
    let route = row["route"].as_str().map(|route| format!(" {route}")).unwrap_or_default();
    let vni = if row["vni"].is_null() {
        String::new()
    } else {
        format!(" in VNI {}", shown(&row["vni"]))
    };
    format!("{peer}{route}{vni}: {}", shown(&row["why"]))
}

fn classes(answer: &Value) -> String {
    let classes = answer["classes"].as_array().into_iter().flatten();
    let one = |row: &Value| format!("{} {}", shown(&row["name"]), shown(&row["sessions"]));
    let classes: Vec<_> = classes.map(one).collect();
    format!("Sessions by class: {}.", classes.join(", "))
}

impl Ctl {
    pub(super) async fn show_policy(&mut self) -> Result<(), Failed> {
        let text = self.client.get_text("/api/v1/policy").await?;
        if self.screen.is_json {
            return self.screen.line(&text);
        }
        let now: Value = parsed(&text)?;
        if now["is_set"] != true {
            self.screen.line("There is no policy: the configuration has no table [policy].")?;
        }
        self.screen.line(&classes(&now))?;
        let filtered = now["filtered_routes"].as_u64().unwrap_or(0);
        self.screen.line(&format!("{} filtered now.", counted(filtered, "route")))?;
        let refused = now["refused"].as_array().cloned().unwrap_or_default();
        if refused.is_empty() {
            return self.screen.line("Nothing has been refused.");
        }
        self.screen.line("")?;
        self.screen.line(TextTable::new(REFUSED).rows(&refused).trim_end())
    }

    pub(super) async fn try_policy(&mut self, file: &Path) -> Result<(), Failed> {
        let text = std::fs::read(file).map_err(|error| {
            format!("cannot read {}: {error}; give the path of a TOML file", file.display())
        })?;
        let text = self.client.post_body("/control/v1/policy/try", text.into()).await?;
        if self.screen.is_json {
            return self.screen.line(&text);
        }
        let trial: Value = parsed(&text)?;
        self.screen.line(&classes(&trial))?;
        let number = |key: &str| trial[key].as_u64().unwrap_or(0);
        let (routes, subscriptions) = (number("routes"), number("subscriptions"));
        let judged = format!(
            "{} and {} judged",
            counted(routes, "route"),
            counted(subscriptions, "subscription")
        );
        let rows = trial["would_refuse"].as_array().cloned().unwrap_or_default();
        if rows.is_empty() {
            return self.screen.line(&format!("{judged}: the policy would refuse nothing."));
        }
        self.screen
            .line(&format!("{judged}. The policy would refuse, or report with verdict warn:"))?;
        self.screen.line("")?;
        self.screen.line(TextTable::new(WOULD_REFUSE).rows(&rows).trim_end())
    }
}
