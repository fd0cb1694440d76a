//! What there is: peers, VNIs, subscriptions, shards, limits.

use std::time::Duration;

use metalbond::reflector::{SETTINGS, Shown};
use serde_json::{Value, json};

use super::Ctl;
use super::client::escaped;
use super::listed::{PeersShown, VnisShown};
use super::listing::{Rows, View};
use super::screen::Failed;
use super::table::{Column, TextTable, number, text};
use super::units::{count, shown, size, time};

/// Between two looks at what shards have used of their cores.
const LOAD_OVER: Duration = Duration::from_millis(500);
/// Of a node's name.
const NODE_MAX: usize = 24;

/// No wider than 80 characters.
const PEERS: &[Column] = &[
    text("PEER", peer),
    text("STATE", state),
    number("UPTIME", |row| time(&row["uptime_seconds"])),
    number("ROUTES", |row| count(&row["routes"])),
    number("SUBS", |row| count(&row["subscriptions"])),
    number("BEHIND", |row| count(&row["behind"])),
    number("BACKLOG", |row| size(&row["backlog_bytes"])),
];

const PEERS_WIDE: &[Column] = &[
    number("NUMBER", |row| count(&row["id"])),
    text("NODE", |row| node(&row["node"])),
    text("PROVEN", |row| node(&row["name_proven"])),
    text("REMOTE", |row| shown(&row["remote"])),
    text("STATE", state),
    number("UPTIME", |row| time(&row["uptime_seconds"])),
    number("ROUTES", |row| count(&row["routes"])),
    number("SUBS", |row| count(&row["subscriptions"])),
    number("BEHIND", |row| count(&row["behind"])),
    number("BACKLOG", |row| size(&row["backlog_bytes"])),
    number("ADDS", |row| count(&row["adds_sent"])),
    number("REMOVES", |row| count(&row["removes_sent"])),
];

const SLOW: &[Column] = &[
    text("PEER", |row| node(&row["name"])),
    text("REMOTE", |row| shown(&row["remote"])),
    number("SUBS", |row| count(&row["subscriptions"])),
    number("BEHIND", |row| count(&row["behind"])),
    number("BACKLOG", |row| size(&row["backlog_bytes"])),
    number("WRITING", |row| time(&row["writing_seconds"])),
    number("HEARD", |row| time(&row["last_heard_seconds"])),
    text("WHY", why),
];

const VNIS: &[Column] = &[
    number("VNI", |row| count(&row["vni"])),
    number("SHARD", |row| count(&row["shard"])),
    number("ROUTES", |row| count(&row["routes"])),
    number("MEMBERS", |row| count(&row["members"])),
    number("SUBSCRIBERS", |row| count(&row["subscribers"])),
    number("BEHIND", |row| count(&row["behind"])),
    number("TOMBSTONES", |row| count(&row["tombstones"])),
    number("JOURNAL", |row| count(&row["journal"])),
];

const SUBSCRIPTIONS: &[Column] = &[
    text("PEER", |row| node(&row["name"])),
    number("VNI", |row| count(&row["vni"])),
    text("STATE", |row| shown(&row["state"]).replace('_', " ")),
    number("CHANGES BEHIND", |row| count(&row["behind_entries"])),
    number("DUMP PLACES LEFT", |row| count(&row["behind_places"])),
];

const SHARDS: &[Column] = &[
    number("SHARD", |row| count(&row["shard"])),
    text("STATE", |row| state_of_shard(row).into()),
    number("LOAD", |row| shown(&row["load"])),
    number("CPU", |row| time(&row["cpu_seconds"])),
    number("PARTITIONS", |row| count(&row["partitions"])),
    number("PEERS", |row| count(&row["now"]["established"])),
    number("CAME", |row| count(&row["session_moves"]["arrived"])),
    number("LEFT", |row| count(&row["session_moves"]["left"])),
    number("SLOW", |row| count(&row["now"]["slow_peers"])),
    number("VNIS", |row| count(&row["now"]["vnis"])),
    number("ROUTES", |row| count(&row["now"]["routes"])),
    number("BACKLOG", |row| size(&row["now"]["backlog_bytes"])),
    number("STALL P50", |row| time(&row["loop_stalls"]["p50_seconds"])),
    number("P99", |row| time(&row["loop_stalls"]["p99_seconds"])),
    number("P999", |row| time(&row["loop_stalls"]["p999_seconds"])),
    number("LATE", |row| count(&row["late_ticks"])),
];

fn state_of_shard(row: &Value) -> &'static str {
    match (&row["is_stuck"], &row["is_awake"], &row["is_freed_from_core"]) {
        (Value::Bool(true), ..) => "stuck",
        (_, Value::Bool(false), _) => "asleep",
        (_, _, Value::Bool(true)) => "off its core",
        _ => "awake",
    }
}

const LIMITS: &[Column] = &[
    text("LIMIT", |row| shown(&row["name"])),
    number("VALUE", |row| shown(&row["value"])),
    number("USED", |row| count(&row["used"])),
    number("HITS", |row| count(&row["hits"])),
];

impl Ctl {
    pub(super) async fn show_peers(&mut self, which: &PeersShown) -> Result<(), Failed> {
        let PeersShown { sort, matching, state, limit, wide } = which;
        let columns = if *wide { PEERS_WIDE } else { PEERS };
        let view = View { columns, nothing: "There is no such peer.", limit: *limit };
        let given = [("sort", sort), ("match", matching), ("state", state)];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let query: Vec<_> =
            given.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        if query.is_empty() {
            let view = View { nothing: "No peer is connected.", ..view };
            return self.list([Rows::Listing("/api/v1/peers".to_owned())], &view).await;
        }
        let rows = Rows::Sorted(format!("/api/v1/peers?{}", query.join("&")));
        self.list([rows], &view).await
    }

    pub(super) async fn show_slow(&mut self) -> Result<(), Failed> {
        let view = View { columns: SLOW, nothing: "No peer is slow.", limit: None };
        self.list([Rows::Listing("/api/v1/peers?slow=true".to_owned())], &view).await
    }

    pub(super) async fn show_vnis(&mut self, which: &VnisShown) -> Result<(), Failed> {
        let VnisShown { sort, limit } = which;
        if self.is_leaf().await? {
            if sort.is_some() {
                let sentence = "a leaf lists its VNIs in ascending order: leave out --sort";
                return Err(Failed::Sentence(sentence.into()));
            }
            return self.show_vnis_of_leaf(*limit).await;
        }
        let view = View {
            columns: VNIS,
            nothing: "No peer announces in a VNI or subscribes to one.",
            limit: *limit,
        };
        let rows = match sort {
            None => Rows::Listing("/api/v1/vnis".to_owned()),
            Some(column) => Rows::Sorted(format!("/api/v1/vnis?sort={}", escaped(column))),
        };
        self.list([rows], &view).await
    }

    pub(super) async fn show_subscriptions(
        &mut self,
        vni: Option<u32>,
        peer: Option<String>,
    ) -> Result<(), Failed> {
        let view =
            View { columns: SUBSCRIPTIONS, nothing: "There is no such subscription.", limit: None };
        let Some(peer) = peer else {
            let which = vni.map(|vni| format!("?vni={vni}")).unwrap_or_default();
            let all = Rows::Listing(format!("/api/v1/subscriptions{which}"));
            return self.list([all], &view).await;
        };
        // A peer knows its own: no need to look at everybody's.
        let id = self.find(&peer).await?;
        let peer: Value = self.client.get(&format!("/api/v1/peers/{id}")).await?;
        let parts = peer["vnis"].as_array().cloned().unwrap_or_default();
        let is_meant = |part: &Value| {
            part["subscription"].is_object() && vni.is_none_or(|vni| part["vni"] == vni)
        };
        let rows: Vec<_> = parts
            .into_iter()
            .filter(is_meant)
            .map(|part| {
                let mut row = json!({
                    "peer": id, "shard": peer["shard"], "vni": part["vni"],
                    "remote": peer["remote"], "node": peer["node"], "name": peer["name"],
                    "peer_state": peer["state"], "is_slow": peer["is_slow"],
                });
                if let (Some(row), Some(progress)) =
                    (row.as_object_mut(), part["subscription"].as_object())
                {
                    row.extend(progress.clone());
                }
                row
            })
            .collect();
        self.show_rows(rows, &view)
    }

    pub(super) async fn show_shards(&mut self) -> Result<(), Failed> {
        if self.screen.is_json {
            let text = self.client.get_text("/api/v1/shards").await?;
            return self.screen.line(&text);
        }
        let before: Vec<Value> = self.client.get("/api/v1/shards").await?;
        let began = tokio::time::Instant::now();
        tokio::time::sleep(LOAD_OVER).await;
        let mut shards: Vec<Value> = self.client.get("/api/v1/shards").await?;
        let took = began.elapsed().as_secs_f64();
        for (shard, before) in shards.iter_mut().zip(before) {
            // One that stands still says nothing.
            let cpu = |shard: &Value| shard["cpu_seconds"].as_f64();
            if let (Some(now), Some(before)) = (cpu(shard), cpu(&before)) {
                let load = (now - before) / took * 100.0;
                shard["load"] = format!("{:.0} %", load.clamp(0.0, 100.0)).into();
            }
        }
        let why = shards.first().and_then(|shard| shard["why"].as_str()).map(String::from);
        self.show_rows(
            shards,
            &View { columns: SHARDS, nothing: "There is no shard.", limit: None },
        )?;
        why.map_or(Ok(()), |why| self.screen.line(&format!("Awake: {why}.")))
    }

    pub(super) async fn show_limits(&mut self) -> Result<(), Failed> {
        if self.screen.is_json {
            let text = self.client.get_text("/api/v1/limits").await?;
            return self.screen.line(&text);
        }
        let limits: Value = self.client.get("/api/v1/limits").await?;
        let shown = SETTINGS.iter().flat_map(|section| section.all_shown());
        let member = |(key, shown): (&'static str, Shown)| (key, shown.name());
        let mut rows: Vec<_> =
            shown.map(member).map(|(key, name)| limit(key, name, &limits[name])).collect();
        rows.sort_by_key(|(rank, _)| *rank);
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        self.show_rows(rows, &View { columns: LIMITS, nothing: "", limit: None })
    }

    /// Shows rows that are all here.
    pub(super) fn show_rows(&mut self, rows: Vec<Value>, view: &View<'_>) -> Result<(), Failed> {
        if self.screen.is_json {
            let document = json!({"rows": rows, "next": null});
            self.screen.line(&document.to_string())
        } else if rows.is_empty() {
            self.screen.line(view.nothing)
        } else {
            let text = TextTable::new(view.columns).rows(&rows);
            self.screen.write(&text)
        }
    }
}

/// How a peer is called, and where it is where it has named no node: its number alone says little.
fn peer(row: &Value) -> String {
    let name = node(&row["name"]);
    if row["node"].as_str().is_some_and(|node| !node.is_empty()) {
        return name;
    }
    let remote = shown(&row["remote"]);
    let ip = remote.rsplit_once(':').map_or(&*remote, |(ip, _)| ip);
    node(&format!("{name} {ip}").into())
}

pub(super) fn node(value: &Value) -> String {
    let name = shown(value);
    if name.chars().count() <= NODE_MAX {
        return name;
    }
    name.chars().take(NODE_MAX - 2).chain("..".chars()).collect()
}

/// A setting in force, by what its value looks like, and where it stands among the others. `name` is its
/// member of the answer, which ends with the unit.
fn limit(key: &str, name: &str, of: &Value) -> (u8, Value) {
    let row = |name: &str, value: String| json!({"name": name, "value": value, "used": of["used"], "hits": of["hits"]});
    let any = || "any".to_owned();
    if of["limit"].is_u64() || of["limit"].is_null() && of.get("limit").is_some() {
        (0, row(key, of["limit"].as_u64().map_or_else(any, |most| most.to_string())))
    } else if of["allowed_prefixes"].is_u64() {
        let [allowed, denied] =
            ["allowed_prefixes", "denied_prefixes"].map(|of_list| count(&of[of_list]));
        (1, row("allow and deny", format!("{allowed} allowed, {denied} denied")))
    } else if of["seconds"].is_number() {
        (2, row(key, time(&of["seconds"])))
    } else if name.ends_with("_seconds") {
        (3, row(key, time(of)))
    } else if let Some(what) = name.strip_prefix("is_") {
        (3, row(what, if of == true { "on" } else { "off" }.to_owned()))
    } else if name.ends_with("_bytes_per_second") {
        (3, row(key, format!("{} B/s", count(of))))
    } else {
        (3, row(key, shown(of)))
    }
}

/// The state, and what is odd about it.
fn state(row: &Value) -> String {
    let odd = [("is_paced", "paced"), ("is_paused", "paused"), ("is_slow", "slow")];
    let odd = odd.into_iter().filter(|(member, _)| row[*member] == true).map(|(_, word)| word);
    [&*shown(&row["state"])].into_iter().chain(odd).collect::<Vec<_>>().join(",")
}

/// Why a peer is slow.
fn why(row: &Value) -> String {
    let mut why = Vec::new();
    if row["loses_large_packets"] == true {
        why.push("large packets do not reach it (MTU of the path)");
    }
    if row["writing_seconds"].as_f64().is_some_and(|seconds| seconds > 1.0) {
        why.push("reads nothing");
    }
    if row["fixed_pace_reason"].is_string() {
        why.push("paced at a fixed rate");
    } else if row["is_paced"] == true {
        why.push("paced");
    }
    if row["behind"].as_u64().is_some_and(|behind| behind > 0) {
        why.push("lacks routes or changes");
    }
    why.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_by_what_they_look_like() {
        let limit_line = |key, name, of: Value| {
            let (_, row) = limit(key, name, &of);
            format!("{} {}", shown(&row["name"]), shown(&row["value"]))
        };
        for (limit_line, expected) in [
            (limit_line("max-x", "max_x", json!({"limit": 5, "used": 1, "hits": 0})), "max-x 5"),
            (limit_line("max-x", "max_x", json!({"limit": null, "hits": 0})), "max-x any"),
            (limit_line("send-hold", "send_hold", json!({"seconds": 90.0})), "send-hold 1m30s"),
            (limit_line("batch-delay", "batch_delay_seconds", json!(0.001)), "batch-delay 1ms"),
            (limit_line("no-pacing", "is_pacing", json!(true)), "pacing on"),
            (limit_line("pace", "pace_bytes_per_second", json!(28000)), "pace 28000 B/s"),
        ] {
            assert_eq!(limit_line, expected);
        }
    }

    #[test]
    fn all_reasons_of_slowness_are_named() {
        let row = json!({
            "loses_large_packets": true, "writing_seconds": 2.5, "is_paced": true, "behind": 1
        });
        let expected = "large packets do not reach it (MTU of the path), reads nothing, paced, \
                        lacks routes or changes";
        assert_eq!(why(&row), expected);
        assert_eq!(why(&json!({"loses_large_packets": false})), "");
    }
}
