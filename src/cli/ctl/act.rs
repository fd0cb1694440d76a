//! Commands to a reflector.

use std::io::IsTerminal as _;
use std::num::NonZeroU32;
use std::time::Duration;

use clap::ValueEnum as _;
use serde::Deserialize;
use tokio::time::Instant;

use super::Ctl;
use super::client::parsed;
use super::screen::Failed;
use crate::cli::log::Level;
use crate::cli::values::{counted, remark};

/// Between two looks at how many are left.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
struct Draining {
    is_draining: bool,
    sessions: u64,
}

impl Ctl {
    pub(super) async fn reset(&mut self, peer: &str) -> Result<(), Failed> {
        let id = self.find(peer).await?;
        let answer = self.client.post(&format!("/control/v1/reset?peer={id}")).await?;
        self.done(&answer, &format!("The session of peer #{id} has ended."))
    }

    pub(super) async fn drain(&mut self, rate: NonZeroU32, wait: bool) -> Result<(), Failed> {
        let answer = self.client.post(&format!("/control/v1/drain?rate={rate}")).await?;
        if !wait {
            return self.done(
                &answer,
                &format!(
                    "Draining: the reflector takes no new sessions and ends \
                     {rate} sessions a second."
                ),
            );
        }
        // Before the time is over for one more question.
        let is_over = |end: Instant| Instant::now() + 2 * LOOK >= end;
        let deadline = self.client.patience.end;
        let is_seen = std::io::stderr().is_terminal();
        loop {
            let text = self.client.get_text("/control/v1/drain").await?;
            let now: Draining = parsed(&text)?;
            if is_seen {
                remark(&format!("\r{} left \x1b[K", counted(now.sessions, "session")));
            }
            let end = match now {
                Draining { sessions: 0, is_draining: true } => Some(Ok(())),
                Draining { is_draining: false, .. } => {
                    Some(Err("another operator has ended the draining (undrain)".to_owned()))
                }
                Draining { sessions, .. } => deadline.is_some_and(is_over).then(|| {
                    let are = if sessions == 1 { "is" } else { "are" };
                    Err(format!(
                        "{} {are} left after --timeout, and the reflector continues to drain: \
                         raise --rate or --timeout",
                        counted(sessions, "session")
                    ))
                }),
            };
            if let Some(end) = end {
                if is_seen {
                    remark("\n");
                }
                end?;
                return self.done(&text, "Drained: no session is left.");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(super) async fn undrain(&mut self) -> Result<(), Failed> {
        let answer = self.client.post("/control/v1/undrain").await?;
        self.done(&answer, "The reflector takes new sessions again.")
    }

    pub(super) async fn log(&mut self, level: Level, peer: Option<&str>) -> Result<(), Failed> {
        let name = level.to_possible_value();
        let name = name.as_ref().map_or("info", |value| value.get_name());
        let Some(peer) = peer else {
            let answer = self.client.post(&format!("/control/v1/log?level={name}")).await?;
            return self.done(&answer, &format!("The log level is {name}."));
        };
        let id = self.find(peer).await?;
        let answer = self.client.post(&format!("/control/v1/log?level={name}&peer={id}")).await?;
        let sentence = if level > Level::Info {
            format!("The log follows peer #{id} until its session ends.")
        } else {
            format!("The log does not follow peer #{id}.")
        };
        self.done(&answer, &sentence)
    }

    /// What was done: as the reflector says it, or for people.
    pub(super) fn done(&mut self, answer: &str, sentence: &str) -> Result<(), Failed> {
        let text = if self.screen.is_json { answer } else { sentence };
        self.screen.line(text)
    }
}
