//! Whether leaves have the routes that they should have.

use std::time::Duration;

use metalbond::settings::duration;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Ctl;
use super::client::{escaped, parsed};
use super::screen::Failed;
use super::table::{Column, TextTable, number, text};
use super::units::{count, shown, time};
use crate::cli::values::counted;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

const LEAVES: &[Column] = &[
    text("LEAF", |row| shown(&row["name"])),
    number("VNI", |row| count(&row["vni"])),
    text("STATE", |row| shown(&row["state"])),
    number("OWED", |row| count(&row["routes_owed"])),
    number("HAS", |row| count(&row["routes_reported"])),
    number("KERNEL", kernel),
    number("REPORTED", |row| match time(&row["report_age_seconds"]) {
        none if none == "-" => none,
        age => format!("{age} ago"),
    }),
    text("WHY", |row| shown(&row["detail"])),
];

/// What can be said to `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Compare this VNI only
    #[arg(value_name = "VNI")]
    vni: Option<String>,
    /// Compare this peer only: a session's number (#7), a node, an address, or an address and port
    #[arg(value_name = "PEER")]
    peer: Option<String>,
    /// List leaves that agree and peers that do not report, too
    #[arg(long)]
    all: bool,
    /// While a leaf differs or is behind, look again for this time (500ms, 5s)
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    settle: Duration,
}

/// What is asked about.
#[derive(Debug, Default)]
struct Asked {
    vni: Option<u32>,
    peer: Option<String>,
}

#[derive(Deserialize)]
struct Verified {
    rows: Vec<Value>,
    rows_left_out: u64,
    leaves: Leaves,
}

#[derive(Deserialize)]
struct Leaves {
    agrees: u64,
    differs: u64,
    behind: u64,
    silent: u64,
}

/// How many routes a kernel has of those that it should have.
fn kernel(row: &Value) -> String {
    match (row["kernel_accepted"].as_u64(), row["kernel_wanted"].as_u64()) {
        (Some(accepted), Some(wanted)) => format!("{accepted} of {wanted}"),
        _ => "-".to_owned(),
    }
}

impl Asked {
    /// One argument is a VNI if it is a number, and else a peer.
    fn read(first: Option<&str>, second: Option<&str>) -> Result<Self, String> {
        let Some(first) = first else { return Ok(Self::default()) };
        match (first.parse(), second) {
            (Ok(vni), peer) => Ok(Self { vni: Some(vni), peer: peer.map(str::to_owned) }),
            (Err(_), None) => Ok(Self { vni: None, peer: Some(first.to_owned()) }),
            (Err(_), Some(_)) => Err(format!("{first:?} is not a VNI: expected a number")),
        }
    }

    fn path(&self, all: bool) -> String {
        let vni = self.vni.map(|vni| format!("vni={vni}"));
        let peer = self.peer.as_ref().map(|peer| format!("peer={}", escaped(peer)));
        let state = (!all).then(|| "state=differs,behind".to_owned());
        let asked: Vec<_> = [vni, peer, state].into_iter().flatten().collect();
        format!("/api/v1/verify?{}", asked.join("&"))
    }
}

impl Leaves {
    fn sentence(&self) -> String {
        let Self { agrees, differs, behind, silent } = *self;
        let mut parts = vec![match agrees {
            1 => "1 leaf agrees".to_owned(),
            many => format!("{many} leaves agree"),
        }];
        if differs > 0 {
            parts.push(format!("{differs} {}", if differs == 1 { "differs" } else { "differ" }));
        }
        if behind > 0 {
            parts.push(format!("{behind} {} still behind", if behind == 1 { "is" } else { "are" }));
        }
        if silent > 0 {
            let verb = if silent == 1 { "does" } else { "do" };
            parts.push(format!("{} {verb} not report", counted(silent, "peer")));
        }
        format!("{}.", parts.join(", "))
    }
}

impl Ctl {
    pub(super) async fn verify(&mut self, args: &VerifyArgs) -> Result<(), Failed> {
        let VerifyArgs { vni, peer, all, settle } = args;
        let asked = Asked::read(vni.as_deref(), peer.as_deref())?;
        // Of one peer, everything.
        let path = asked.path(*all || asked.peer.is_some());
        let end = Instant::now() + *settle;
        let (text, found) = loop {
            let text = self.client.get_text(&path).await?;
            let found: Verified = parsed(&text)?;
            let is_good = found.leaves.differs + found.leaves.behind == 0;
            if is_good || Instant::now() >= end {
                break (text, found);
            }
            sleep(LOOK.min(end - Instant::now())).await;
        };
        let sentence = found.leaves.sentence();
        if self.screen.is_json {
            self.screen.line(&text)?;
        } else {
            self.screen.write(&TextTable::new(LEAVES).rows(&found.rows))?;
            if found.rows_left_out > 0 {
                self.screen.line(&format!("{} more rows are not shown.", found.rows_left_out))?;
            }
            self.screen.line(&sentence)?;
        }
        self.screen.finish()?;
        if found.leaves.differs + found.leaves.behind == 0 {
            return Ok(());
        }
        Err(Failed::Sentence(format!(
            "not every leaf that reports has the routes that it should have, after {settle:?}"
        )))
    }
}
