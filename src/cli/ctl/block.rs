//! Refusing peers, prefixes and VNIs for a while.

use std::io::{BufRead as _, IsTerminal as _};

use serde_json::Value;

use super::Ctl;
use super::args::{Block, BlockTerms};
use super::client::{escaped, parsed};
use super::listing::{Rows, View};
use super::screen::{Failed, clean};
use super::table::{Column, number, text};
use super::units::{count, shown, time};
use crate::cli::values::{counted, remark};

const BLOCKS: &[Column] = &[
    number("BLOCK", |row| count(&row["id"])),
    text("REFUSES", |row| shown(&row["of"])),
    number("LEFT", |row| time(&row["left_seconds"])),
    text("UNTIL", |row| shown(&row["until"])),
    number("UID", |row| count(&row["uid"])),
];

impl Block {
    /// The parameters of the request, and the terms of the block.
    fn query(&self) -> (String, BlockTerms) {
        match self {
            Self::Peer { peer, terms } => (format!("peer={}", escaped(peer)), *terms),
            Self::Prefix { prefix, terms, vni, longer } => {
                let vni = vni.map(|vni| format!("&vni={vni}")).unwrap_or_default();
                (format!("prefix={}&longer={longer}{vni}", escaped(prefix)), *terms)
            }
            Self::Vni { vni, terms } => (format!("vni={vni}"), *terms),
        }
    }
}

/// What a block takes back, as a sentence.
fn takes_back(answer: &Value) -> String {
    let of = clean(answer["of"].as_str().unwrap_or_default());
    let number = |key: &str| answer["takes_back"][key].as_u64().unwrap_or(0);
    let routes = counted(number("routes"), "route");
    if number("sessions") > 0 {
        let sessions = counted(number("sessions"), "session");
        let announces = if number("sessions") == 1 { "announces" } else { "announce" };
        return format!("The block of {of} closes {sessions}, which {announces} {routes}.");
    }
    if number("routes") == 0 {
        return format!("The block of {of} closes no session and withdraws no route now.");
    }
    let (vnis, subscribers) = (number("vnis"), number("subscribers"));
    let vnis = counted(vnis, "VNI");
    format!(
        "The block of {of} withdraws {routes} of {vnis} with {}.",
        counted(subscribers, "subscriber")
    )
}

/// Whether the person at the terminal agrees.
fn agrees(sentence: &str) -> Result<bool, Failed> {
    if !std::io::stdin().is_terminal() {
        return Err(Failed::Sentence(format!(
            "{sentence} Nothing was blocked; add --yes to block without a question"
        )));
    }
    remark(&format!("{sentence} Block it? [y/N] "));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| format!("cannot read the answer: {error}"))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

impl Ctl {
    pub(super) async fn block(&mut self, block: &Block) -> Result<(), Failed> {
        let (query, BlockTerms { time, yes, .. }) = block.query();
        let path = format!("/control/v1/block?{query}&time={}us", time.as_micros());
        if !yes {
            let trial: Value = parsed(&self.client.post(&format!("{path}&try=true")).await?)?;
            if !agrees(&takes_back(&trial))? {
                return self.screen.line("Nothing was blocked.");
            }
        }
        let text = self.client.post(&path).await?;
        let answer: Value = parsed(&text)?;
        let block = &answer["block"];
        let (id, until) = (count(&block["id"]), shown(&block["until"]));
        let sentence = format!("{} It is block {id}, until {until}.", takes_back(&answer));
        self.done(&text, &sentence)
    }

    pub(super) async fn unblock(&mut self, block: Option<u32>) -> Result<(), Failed> {
        let which = block.map_or_else(|| "all=true".to_owned(), |id| format!("id={id}"));
        let text = self.client.post(&format!("/control/v1/unblock?{which}")).await?;
        let answer: Value = parsed(&text)?;
        let ended = answer["ended"].as_array().cloned().unwrap_or_default();
        let ended: Vec<_> = ended.iter().map(|row| shown(&row["of"])).collect();
        let sentence = match ended.as_slice() {
            [] => "There was no block.".to_owned(),
            ended => format!("No longer blocked: {}.", ended.join(", ")),
        };
        self.done(&text, &sentence)
    }

    pub(super) async fn show_blocks(&mut self) -> Result<(), Failed> {
        let rows = Rows::Lookup("/api/v1/blocks".to_owned());
        let view = View { columns: BLOCKS, nothing: "Nothing is blocked.", limit: None };
        self.list([rows], &view).await
    }
}
