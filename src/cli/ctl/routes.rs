//! Routes, and why a peer has one.

use serde_json::Value;

use super::Ctl;
use super::args::{Route, Within};
use super::client::escaped;
use super::listing::{Rows, View};
use super::screen::Failed;
use super::table::{Column, number, text};
use super::units::{count, shown, time};

/// Announcers that are named in a row.
const NAMED_MAX: usize = 4;

const ROUTES: &[Column] = &[
    number("VNI", |row| count(&row["vni"])),
    text("DESTINATION", |row| shown(&row["destination"])),
    text("NEXT HOP", |row| next_hop(&row["next_hop"])),
    text("TYPE", |row| shown(&row["next_hop"]["type"])),
    number("AGE", |row| time(&row["age_seconds"])),
    text("ANNOUNCED BY", announcers),
];

const FILTERED: &[Column] = &[
    number("VNI", |row| count(&row["vni"])),
    text("DESTINATION", |row| shown(&row["destination"])),
    text("NEXT HOP", |row| next_hop(&row["next_hop"])),
    text("ANNOUNCED BY", announcer),
    text("REFUSED BECAUSE", |row| shown(&row["why"])),
];

impl Ctl {
    pub(super) async fn show_routes(
        &mut self,
        within: Option<Within>,
        vni: Option<u32>,
    ) -> Result<(), Failed> {
        if self.is_leaf().await? {
            return self.show_routes_of_leaf(within, vni).await;
        }
        let vnis = match vni {
            Some(vni) => vec![u64::from(vni)],
            None => self.vnis_with("routes", Rows::Listing("/api/v1/vnis".to_owned())).await?,
        };
        let all = vnis.into_iter().map(|vni| match &within {
            None => Rows::Listing(format!("/api/v1/vnis/{vni}/routes")),
            Some(Within::Prefix(prefix)) => {
                let prefix = escaped(prefix);
                Rows::Listing(format!("/api/v1/vnis/{vni}/routes?within={prefix}"))
            }
            Some(Within::Address(address)) => {
                let address = escaped(&address.to_string());
                Rows::Lookup(format!("/api/v1/routes/lookup?vni={vni}&address={address}"))
            }
        });
        self.list(all, &View { columns: ROUTES, nothing: "There is no such route.", limit: None })
            .await
    }

    /// Routes that the policy or a block refuses.
    pub(super) async fn show_filtered(&mut self, vni: Option<u32>) -> Result<(), Failed> {
        if self.is_leaf().await? {
            return Err("only a reflector filters routes: leave out --filtered".to_owned().into());
        }
        let vnis = match vni {
            Some(vni) => vec![u64::from(vni)],
            None => self.vnis_with("filtered", Rows::Listing("/api/v1/vnis".to_owned())).await?,
        };
        let all = vnis.into_iter().map(|vni| Rows::Listing(format!("/api/v1/vnis/{vni}/filtered")));
        self.list(all, &View { columns: FILTERED, nothing: "No route is filtered.", limit: None })
            .await
    }

    /// All VNIs with such routes, in ascending order.
    pub(super) async fn vnis_with(&mut self, which: &str, all: Rows) -> Result<Vec<u64>, Failed> {
        let rows = self.rows(all).await?;
        let has_routes = |row: &&Value| row[which].as_u64().is_some_and(|routes| routes > 0);
        let mut vnis: Vec<_> =
            rows.iter().filter(has_routes).filter_map(|row| row["vni"].as_u64()).collect();
        vnis.sort_unstable();
        Ok(vnis)
    }

    /// Of a reflector, why a peer has a route or lacks it; without a peer, why a leaf's kernel does.
    pub(super) async fn explain(
        &mut self,
        peer: Option<&str>,
        route: &Route,
    ) -> Result<(), Failed> {
        let Route { vni, destination, next_hop } = route;
        let to = escaped(destination);
        let mut path = format!("/api/v1/explain?vni={vni}&destination={to}");
        match peer {
            Some(peer) => path.push_str(&format!("&peer={}", escaped(peer))),
            None if self.is_leaf().await? => {}
            None => {
                let sentence = "a reflector answers, and it explains what one peer has: name the \
                     peer before the route";
                return Err(sentence.to_owned().into());
            }
        }
        for (name, value) in next_hop {
            path.push_str(&format!("&{name}={}", escaped(value)));
        }
        if self.screen.is_json {
            let text = self.client.get_text(&path).await?;
            return self.screen.line(&text);
        }
        let explained: Value = self.client.get(&path).await?;
        let verdict = match explained["verdict"].as_str() {
            verdict if peer.is_none() => verdict_of_leaf(verdict.unwrap_or_default()),
            Some("sent") => {
                "Sent: the reflector has sent the peer every matching route that it should have."
            }
            Some("waits") => {
                "Waits: the reflector has not yet sent the peer every matching route that it should have."
            }
            _ => "Not owed: the peer should not have the route.",
        };
        self.screen.write(&format!("{verdict}\n"))?;
        for reason in explained["reasons"].as_array().into_iter().flatten() {
            self.screen.write(&format!("- {}\n", shown(reason)))?;
        }
        Ok(())
    }
}

/// What the kernel of a leaf has of a route, in a sentence.
fn verdict_of_leaf(verdict: &str) -> &'static str {
    match verdict {
        "installed" => "Installed: the kernel has the route.",
        "refused" => "Refused: the kernel refuses the route.",
        "conflict" => "Conflict: a route of another program is in its place.",
        "shadowed" => "Shadowed: a lower VNI has the destination in the same table.",
        "pending" => "Waits: the kernel does not have the route yet.",
        "excluded" => "Excluded: the configuration of the leaf excludes such routes.",
        "unusable" => "Unusable: packets cannot reach the next hop.",
        "own" => "Own: this host announces the network itself.",
        "limit" => "Limit: the leaf refuses the route because of a limit on routes.",
        "not_subscribed" => "Not subscribed: the leaf does not ask for the routes of the VNI.",
        "no_table" => "No table: the leaf installs no routes of the VNI.",
        "not_installing" => "Not installed: the leaf installs no routes.",
        _ => "Not announced: no server has the route.",
    }
}

/// An address, and what is not plain about it.
pub(super) fn next_hop(hop: &Value) -> String {
    let mut text = shown(&hop["address"]);
    if hop["target_vni"].as_u64().is_some_and(|vni| vni > 0) {
        text.push_str(&format!(" vni {}", count(&hop["target_vni"])));
    }
    if hop["type"] == "nat" {
        text.push_str(&format!(" ports {}-{}", count(&hop["nat_from"]), count(&hop["nat_to"])));
    }
    text
}

/// Who announces a filtered route: a peer, or another site.
fn announcer(row: &Value) -> String {
    let name = shown(&row["name"]);
    if row["peer"].is_null() { format!("site {name}") } else { name }
}

fn announcers(row: &Value) -> String {
    let known = row["announcer_names"].as_array().map(Vec::as_slice).unwrap_or_default();
    let numbers = row["announcers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let stale = row["stale_announcers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = |(name, number)| {
        let remark = if stale.contains(number) { " (stale)" } else { "" };
        format!("{}{remark}", shown(name))
    };
    let mut names: Vec<_> = known.iter().zip(numbers).take(NAMED_MAX).map(named).collect();
    let sites = row["sites"].as_array().map(Vec::as_slice).unwrap_or_default();
    names.extend(sites.iter().map(|site| format!("site {}", shown(site))));
    let all = row["announcer_count"].as_u64().unwrap_or_default();
    let left = all.saturating_sub(names.len() as u64);
    if left > 0 {
        names.push(format!("{left} more"));
    }
    names.join(" ")
}
