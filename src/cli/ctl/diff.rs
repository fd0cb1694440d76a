//! Whether two reflectors hold the same routes.
//!
//! The command reads a digest of each VNI from both servers, and then the routes of the VNIs whose digests differ. From
//! a server without digests, such as the reference, it reads all routes. It checks differences a second time, because
//! tables change while the command reads them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use metalbond::wire::{Destination, Digest, NextHop, NextHopType};
use serde::Deserialize;
use serde_json::json;

use super::Ctl;
use super::other::Other;
use super::screen::Failed;
use super::table::{Column, TextTable, number, text};
use super::units::{count, shown};
use crate::cli::values::counted;

const DIFFERENCES: &[Column] = &[
    number("VNI", |row| count(&row["vni"])),
    text("ROUTE", |row| shown(&row["route"])),
    text("ONLY AT", |row| shown(&row["only_at"])),
];

/// A route of a server.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Route {
    Valid(Destination, NextHop),
    /// What a Go server holds and no reflector would: as text.
    Invalid(String),
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid(destination, hop) => write!(f, "{destination} via {hop}"),
            Self::Invalid(text) => write!(f, "{text} (invalid)"),
        }
    }
}

/// One page of digests.
#[derive(Deserialize)]
struct Digests {
    rows: Vec<DigestRow>,
}

#[derive(Deserialize)]
struct DigestRow {
    vni: u32,
    routes: u64,
    sum: String,
}

/// `/routes.json`, of any server.
#[derive(Deserialize)]
struct Dump {
    #[serde(default)]
    vnet: HashMap<u32, HashMap<String, Vec<DumpedHop>>>,
}

#[derive(Deserialize)]
struct DumpedDestination {
    #[serde(rename = "Prefix")]
    prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DumpedHop {
    target_address: String,
    #[serde(rename = "TargetVNI")]
    target_vni: u32,
    r#type: usize,
    #[serde(rename = "NATPortRangeFrom")]
    nat_from: u32,
    #[serde(rename = "NATPortRangeTo")]
    nat_to: u32,
}

/// Why a dump cannot be read.
fn unreadable(who: &str, why: impl fmt::Display) -> Failed {
    Failed::Sentence(format!(
        "the answer of {who} to /routes.json is not an answer of a server: {why}"
    ))
}

/// The tables of a dump.
fn tables(who: &str, text: &[u8]) -> Result<HashMap<u32, HashSet<Route>>, Failed> {
    let dump: Dump = serde_json::from_slice(text).map_err(|error| unreadable(who, error))?;
    let mut all = HashMap::new();
    for (vni, destinations) in dump.vnet {
        let mut routes = HashSet::new();
        for (key, hops) in destinations {
            let key: DumpedDestination =
                serde_json::from_str(&key).map_err(|error| unreadable(who, error))?;
            routes.extend(hops.iter().map(|hop| hop.route_to(&key.prefix)));
        }
        all.insert(vni, routes);
    }
    Ok(all)
}

impl DumpedHop {
    fn route_to(&self, prefix: &str) -> Route {
        if let (Ok(destination), Some(hop)) = (prefix.parse(), self.read()) {
            return Route::Valid(destination, hop);
        }
        let Self { target_address, target_vni, r#type, nat_from, nat_to } = self;
        Route::Invalid(format!(
            "{prefix} via {target_address} VNI {target_vni} type {type} ports {nat_from}-{nat_to}"
        ))
    }

    fn read(&self) -> Option<NextHop> {
        let address = self.target_address.parse().ok()?;
        let kind = *NextHopType::ALL.get(self.r#type)?;
        NextHop::new(address, self.target_vni, kind, self.nat_from, self.nat_to).ok()
    }
}

/// A digest of each VNI.
type Sums = BTreeMap<u32, (u64, String)>;

fn sums_of(tables: &HashMap<u32, HashSet<Route>>) -> Sums {
    let sum = |(vni, routes): (&u32, &HashSet<Route>)| {
        let mut digest = Digest::default();
        let mut invalid = 0;
        for route in routes {
            match route {
                Route::Valid(destination, hop) => digest.add(destination, hop),
                Route::Invalid(_) => invalid += 1,
            }
        }
        // No reflector has such a number of routes, so the VNI differs.
        (*vni, (digest.routes + invalid, format!("{:016x}", digest.sum)))
    };
    tables.iter().filter(|(_, routes)| !routes.is_empty()).map(sum).collect()
}

fn read_sums(who: &str, text: &[u8]) -> Result<Sums, Failed> {
    let digests: Digests = serde_json::from_slice(text)
        .map_err(|error| format!("the answer of {who} is not an answer of a reflector: {error}"))?;
    Ok(digests.rows.into_iter().map(|row| (row.vni, (row.routes, row.sum))).collect())
}

/// A route that one of the two lacks.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Difference {
    vni: u32,
    route: Route,
    is_here: bool,
}

impl Ctl {
    /// What differs between this reflector and another.
    async fn differences(&mut self, other: &mut Other) -> Result<HashSet<Difference>, Failed> {
        let here = self.client.get_text("/api/v1/digests").await?;
        let here = read_sums("this reflector", here.as_bytes())?;
        // What a server without digests holds is read at once.
        let (there, mut whole) = match other.get("/api/v1/digests").await? {
            Some(text) => (read_sums(&other.name, &text)?, None),
            None => {
                let text = other.get("/routes.json").await?;
                let text = text.ok_or_else(|| format!("{} has no /routes.json", other.name))?;
                let tables = tables(&other.name, &text)?;
                (sums_of(&tables), Some(tables))
            }
        };
        let all: std::collections::BTreeSet<_> = here.keys().chain(there.keys()).copied().collect();
        let mut found = HashSet::new();
        for vni in all.into_iter().filter(|vni| here.get(vni) != there.get(vni)) {
            let path = format!("/routes.json?vni={vni}");
            let text = self.client.get_text(&path).await?;
            let ours = tables("this reflector", text.as_bytes())?.remove(&vni).unwrap_or_default();
            let theirs = match &mut whole {
                Some(tables) => tables.remove(&vni),
                None => {
                    let text = other.get(&path).await?.unwrap_or_default();
                    tables(&other.name, &text)?.remove(&vni)
                }
            };
            let theirs = theirs.unwrap_or_default();
            let difference = |(route, is_here): (&Route, bool)| Difference {
                vni,
                route: route.clone(),
                is_here,
            };
            let only_here = ours.difference(&theirs).map(|route| (route, true));
            let only_there = theirs.difference(&ours).map(|route| (route, false));
            found.extend(only_here.chain(only_there).map(difference));
        }
        Ok(found)
    }

    pub(super) async fn diff(
        &mut self,
        address: &str,
        token: Option<&Path>,
        settle: Duration,
    ) -> Result<(), Failed> {
        let mut other = Other::connect(address, token, self.client.patience).await?;
        let mut found = self.differences(&mut other).await?;
        if !found.is_empty() {
            tokio::time::sleep(settle).await;
            let again = self.differences(&mut other).await?;
            found.retain(|difference| again.contains(difference));
        }
        let here = self.client.path().display().to_string();
        let mut rows: Vec<_> = found.into_iter().collect();
        rows.sort_by_cached_key(|it| (it.vni, it.route.to_string()));
        let vnis: HashSet<u32> = rows.iter().map(|row| row.vni).collect();
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let rows: Vec<_> = rows
            .iter()
            .map(|Difference { vni, route, is_here }| {
                let only_at = if *is_here { &here } else { &other.name };
                json!({ "vni": vni, "route": route.to_string(), "only_at": only_at })
            })
            .collect();
        if self.screen.is_json {
            self.screen.line(&json!({ "rows": rows, "next": null }).to_string())?;
        } else if rows.is_empty() {
            self.screen.line(&format!("{here} and {} hold the same routes.", other.name))?;
        } else {
            self.screen.write(&TextTable::new(DIFFERENCES).rows(&rows))?;
        }
        self.screen.finish()?;
        if rows.is_empty() {
            return Ok(());
        }
        let vnis = counted(u64::try_from(vnis.len()).unwrap_or(u64::MAX), "VNI");
        Err(Failed::Sentence(format!(
            "{here} and {} differ in {} of {vnis}, and differed {settle:?} before as well",
            other.name,
            counted(count, "route")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_of_the_reference_is_read() {
        let text = br#"{"date": "2006-01-02", "vnet": {"20": {
            "{\"IPVersion\":4,\"Prefix\":\"10.0.0.1/32\"}": [
                {"TargetAddress": "2001:db8::", "TargetVNI": 7, "Type": 1, "NATPortRangeFrom": 1024, "NATPortRangeTo": 2047}
            ]}, "21": {}}, "metalbondVersion": "0.3.5"}"#;
        let Ok(read) = tables("it", text) else { panic!("it is not read") };
        let [Route::Valid(destination, hop)] = Vec::from_iter(&read[&20])[..] else {
            panic!("one route")
        };
        assert_eq!(destination.to_string(), "10.0.0.1/32");
        assert_eq!((hop.target_vni(), hop.nat_ports()), (7, (1024, 2047)));
        assert_eq!(sums_of(&read).into_keys().collect::<Vec<_>>(), [20]);
        assert!(tables("it", br#"{"vnet": {"20": {"x": []}}}"#).is_err());
    }

    #[test]
    fn an_invalid_route_of_the_reference_is_a_difference() {
        let text = br#"{"vnet": {"20": {"{\"Prefix\":\"10.0.0.1/32\"}": [
                {"TargetAddress": "fe80::1%x", "TargetVNI": 0, "Type": 9, "NATPortRangeFrom": 5, "NATPortRangeTo": 1},
                {"TargetAddress": "::1", "TargetVNI": 0, "Type": 0, "NATPortRangeFrom": 0, "NATPortRangeTo": 0}
            ]}}}"#;
        let Ok(read) = tables("it", text) else { panic!("it is not read") };
        let mut texts: Vec<_> = read[&20].iter().map(ToString::to_string).collect();
        texts.sort();
        let invalid = "10.0.0.1/32 via fe80::1%x VNI 0 type 9 ports 5-1 (invalid)";
        assert!(texts.contains(&invalid.to_owned()), "{texts:?}");
        assert_eq!((texts.len(), sums_of(&read)[&20].0), (2, 2));
    }
}
