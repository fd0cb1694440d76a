//! What happens, as it happens.

use std::future::pending;
use std::pin::pin;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::Ctl;
use super::client::{Client, Stream};
use super::routes::next_hop;
use super::screen::{Failed, reader_gone};
use super::units::{count, shown};
use crate::cli::values::remark;

/// What begins a line with an event.
const DATA: &[u8] = b"data: ";
/// No event is longer.
const EVENT_MAX: usize = 1 << 20;

impl Ctl {
    /// Shows events until the reflector ends the connection, the time is over, or this process is interrupted.
    pub(super) async fn monitor(&mut self, vni: Option<u32>) -> Result<(), Failed> {
        let mut events = Events::open(&mut self.client, vni).await?;
        remark("watching; press Ctrl-C to end\n");
        let mut gone = pin!(reader_gone());
        let mut over = pin!(time_over(self.client.patience.end));
        loop {
            let goes_on = tokio::select! {
                biased;
                () = &mut gone => return Err(Failed::NoReader),
                () = &mut over => {
                    remark("the time is over\n");
                    return Ok(());
                }
                goes_on = events.wait() => goes_on?,
            };
            if !goes_on {
                break;
            }
            events.take(|event| self.show_event(event))?;
            self.screen.finish()?;
        }
        remark("the reflector has ended the events\n");
        Ok(())
    }

    fn show_event(&mut self, event: &[u8]) -> Result<(), Failed> {
        if self.screen.is_json {
            self.screen.write(&String::from_utf8_lossy(event))?;
            return self.screen.write("\n");
        }
        let Ok(event) = serde_json::from_slice::<Value>(event) else { return Ok(()) };
        // That of an older reflector has no time.
        let at = event["at"].as_str().map_or_else(now, str::to_owned);
        self.screen.write(&format!("{at}  {}\n", line(&event)))
    }
}

/// Ends with the time that the command may take; never, if it has no end.
pub(super) async fn time_over(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}

/// Events as they come: lines of JSON.
pub(super) struct Events {
    stream: Stream,
    /// What has come and has not been taken.
    rest: Vec<u8>,
}

impl Events {
    /// Those of all sessions, and of the routes of one VNI or of all.
    pub(super) async fn open(client: &mut Client, vni: Option<u32>) -> Result<Self, Failed> {
        let which = vni.map(|vni| format!("?vni={vni}")).unwrap_or_default();
        let stream = client.stream(&format!("/api/v1/events{which}")).await?;
        Ok(Self { stream, rest: Vec::new() })
    }

    /// Waits for more; false at the end. Cancel safe.
    pub(super) async fn wait(&mut self) -> Result<bool, Failed> {
        // A sign of life comes every 15 s.
        match self.stream.next().await {
            Ok(Some(_)) if self.rest.len() > EVENT_MAX => {
                Err("an event of the reflector is too long".to_owned().into())
            }
            Ok(Some(piece)) => {
                self.rest.extend_from_slice(&piece);
                Ok(true)
            }
            Err(hung @ Failed::Hung(_)) => Err(hung),
            // Cut short is how a reflector that stops ends it.
            Ok(None) | Err(_) => Ok(false),
        }
    }

    /// Takes each event that has come whole.
    pub(super) fn take(
        &mut self,
        mut each: impl FnMut(&[u8]) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines = self.rest[..whole].split(|byte| *byte == b'\n');
        lines.filter_map(|line| line.strip_prefix(DATA)).try_for_each(&mut each)?;
        self.rest.drain(..whole);
        Ok(())
    }
}

/// An event in one line.
fn line(event: &Value) -> String {
    let what = event["event"].as_str().unwrap_or_default();
    match what {
        "added" | "withdrawn" => {
            let (vni, destination) = (count(&event["vni"]), shown(&event["destination"]));
            let hop = next_hop(&event["next_hop"]);
            let kind = match event["next_hop"]["type"].as_str() {
                Some("standard") | None => String::new(),
                Some(other) => format!(" {other}"),
            };
            let by = match &event["announcer_name"] {
                Value::Null => "by several".to_owned(),
                name => format!("by {}", shown(name)),
            };
            format!("{what:11}  vni {vni}  {destination} via {hop}{kind}  {by}")
        }
        "established" | "closed" => {
            let why = match event["detail"].as_str() {
                Some(_) => format!("  {}", shown(&event["detail"])),
                None => String::new(),
            };
            let (name, remote) = (shown(&event["name"]), shown(&event["remote"]));
            format!("{what:11}  {name}  {remote}{why}")
        }
        "missed" => {
            format!("{what:11}  {} events, which came too fast to be shown", count(&event["count"]))
        }
        _ => shown(event),
    }
}

/// The time in UTC.
pub(super) fn now() -> String {
    let mut text = String::new();
    // A String takes everything.
    SystemTime.format_time(&mut Writer::new(&mut text)).unwrap_or_default();
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_one_line() {
        let hop = json!({"address": "2001:db8::1", "target_vni": 0, "type": "standard"});
        let added = json!({
            "event": "added", "vni": 7, "destination": "10.0.0.1/32", "next_hop": hop, "announcer": 3,
            "announcer_name": "a#3"
        });
        assert_eq!(line(&added), "added        vni 7  10.0.0.1/32 via 2001:db8::1  by a#3");
        let closed = json!({
            "event": "closed", "peer": 3, "name": "a\u{1b}", "remote": "[::1]:1", "detail": "closed by peer"
        });
        assert_eq!(line(&closed), "closed       a?  [::1]:1  closed by peer");
        assert!(line(&json!({"event": "missed", "count": 5})).contains("5 events"));
    }

    #[test]
    fn times_are_in_utc() {
        assert!(now().ends_with('Z') && now().len() == "2026-11-23T03:10:11.123456Z".len());
    }
}
