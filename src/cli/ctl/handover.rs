//! Another process takes over the sessions of a reflector.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::Ctl;
use super::client::{Client, parsed};
use super::patience::Patience;
use super::screen::Failed;
use super::units::{count, shown, size, time};
use crate::cli::values::counted;

/// Between two looks at what has become of it.
const LOOK: Duration = Duration::from_millis(50);
/// How long the command waits without --timeout.
const TAKES: Duration = Duration::from_secs(90);

impl Ctl {
    /// Has the reflector start a successor, and waits until that serves.
    pub(super) async fn handover(&mut self, to: Option<&Path>) -> Result<(), Failed> {
        let to = to.map(|to| {
            std::path::absolute(to).unwrap_or_else(|_| to.to_owned()).display().to_string()
        });
        let path = match &to {
            Some(to) => format!("/control/v1/handover?to={}", super::client::escaped(to)),
            None => "/control/v1/handover".to_owned(),
        };
        let started = self.client.post(&path).await?;
        let before: Value = parsed(&started)?;
        let end = self.client.patience.end.unwrap_or_else(|| Instant::now() + TAKES);
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(now) = self.look().await {
                let latest = &now["latest"];
                // A process that has just begun to serve has no report for a moment.
                let serves = now["generation"].as_u64() > before["generation"].as_u64();
                if serves && latest.is_object() {
                    let sentence = sentence(latest);
                    let text = now.to_string();
                    return self.screen.line(if self.screen.is_json { &text } else { &sentence });
                }
                let is_over = now["is_under_way"] == false
                    && now["attempts"].as_u64() > before["attempts"].as_u64();
                if is_over && latest["outcome"] == "called_off" {
                    return Err(called_off(latest).into());
                }
            }
            if Instant::now() > end {
                return Err(
                    "no process has taken over in time; run metalbond ctl show handover for the \
                     outcome, and read the reflector's log for the reason"
                        .to_owned()
                        .into(),
                );
            }
        }
    }

    /// What has become of it, from whichever process answers now.
    async fn look(&self) -> Option<Value> {
        let path = self.client.path().to_owned();
        let patience = Patience::new(Some(Duration::from_secs(2)));
        let mut client = Client::connect(&path, patience).await.ok()?;
        client.get("/api/v1/handover").await.ok()
    }

    pub(super) async fn show_handover(&mut self) -> Result<(), Failed> {
        let text = self.client.get_text("/api/v1/handover").await?;
        if self.screen.is_json {
            return self.screen.line(&text);
        }
        let now: Value = parsed(&text)?;
        let generation = now["generation"].as_u64().unwrap_or_default();
        let line = match generation {
            0 => "This process has not taken over from another one.".to_owned(),
            n => format!("Sessions have passed through {}.", counted(n, "handover")),
        };
        self.screen.line(&line)?;
        let called_off_before = now["called_off"].as_u64().unwrap_or_default();
        if called_off_before > 0 {
            let line = format!(
                "{} called off since this process began.",
                counted(called_off_before, "handover")
            );
            self.screen.line(&line)?;
        }
        if now["is_under_way"] == true {
            self.screen.line("A handover is under way.")?;
        }
        let latest = &now["latest"];
        if latest.is_null() {
            return Ok(());
        }
        let text = match latest["outcome"].as_str() {
            Some("called_off") => called_off(latest),
            _ => sentence(latest),
        };
        self.screen.line(&text)?;
        let steps = &latest["steps"];
        for (name, key) in [
            ("prepare", "prepare_seconds"),
            ("shards", "shards_seconds"),
            ("snapshot", "snapshot_seconds"),
            ("silence", "silence_seconds"),
        ] {
            self.screen.line(&format!("  {name:<10}{}", time(&steps[key])))?;
        }
        Ok(())
    }
}

fn sentence(latest: &Value) -> String {
    let (connections, routes) = (count(&latest["connections"]), count(&latest["routes"]));
    let (from, to) = (shown(&latest["from"]), shown(&latest["to"]));
    let silence = time(&latest["steps"]["silence_seconds"]);
    let bytes = size(&latest["bytes"]);
    format!(
        "Process {to} has taken over from process {from}: {connections} connections, {routes} routes, \
         {bytes}; no session was served for {silence}."
    )
}

fn called_off(latest: &Value) -> String {
    let reason = shown(&latest["reason"]);
    format!(
        "The handover to process {} was called off: {reason}. Sessions go on.",
        shown(&latest["to"])
    )
}
