//! What happens, as it happens: server-sent events.
//!
//! A reader holds a [`Monitor`], for which no shard waits: events that a reader does not take in time are left out and
//! counted. Each endpoint bounds the number of its readers separately, so readers of the open endpoint take no places
//! of the control socket.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::ApiError;
use super::wanted::{EventsAsked, EventsWanted};
use crate::admin::reflector::streams::{StreamPermit, Streams};
use crate::admin::server::answer::NextHopRow;
use crate::admin::server::date;
use crate::ids::{PeerId, ShardId};
use crate::inspector::Inspector;
use crate::monitor::{Monitor, MonitorEvent};
use crate::wire::Update;

/// A comment is sent when no event has come for this time, so that both ends know that the other is there.
const ALIVE: Duration = Duration::from_secs(15);
/// The most bytes of events sent together.
const TOGETHER_BYTES: usize = 16 * 1024;

pub(super) async fn stream(
    streams: &Streams,
    State(inspector): State<Inspector>,
    asked: Result<Query<EventsAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    open(streams, &inspector, asked?.0, ALIVE).await
}

/// A stream with a comment whenever no event has come for `alive`.
async fn open(
    streams: &Streams,
    inspector: &Inspector,
    asked: EventsAsked,
    alive: Duration,
) -> Result<Response, ApiError> {
    let wanted = asked.read()?;
    let place = streams.enter()?;
    let monitor = inspector.monitor(wanted.filter).await?;
    let inspector = inspector.clone();
    let reader = Reader { monitor, inspector, wanted, alive, _place: place };
    let chunks = stream::unfold(reader, |mut reader| async {
        let text = reader.next().await?;
        Some((Ok::<_, Infallible>(text), reader))
    });
    let head = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((head, Body::from_stream(chunks)).into_response())
}

struct Reader {
    monitor: Monitor,
    inspector: Inspector,
    wanted: EventsWanted,
    alive: Duration,
    _place: StreamPermit,
}

impl Reader {
    /// The next part of the stream; `None` when the reflector has stopped.
    async fn next(&mut self) -> Option<String> {
        let mut text = String::new();
        let silent = Instant::now() + self.alive;
        while text.is_empty() {
            // There may be many unwanted events.
            if Instant::now() >= silent {
                return Some(":\n\n".into());
            }
            let Ok(first) = timeout_at(silent, self.monitor.next_at()).await else {
                return Some(":\n\n".into());
            };
            let (at, event) = first?;
            self.write(at, &event, &mut text);
            while text.len() < TOGETHER_BYTES
                && let Some((at, event)) = self.monitor.try_next_at()
            {
                self.write(at, &event, &mut text);
            }
        }
        Some(text)
    }

    /// Writes an event down if it is wanted.
    fn write(&self, at: u64, event: &MonitorEvent, text: &mut String) {
        if !self.wanted.has(event, &self.inspector) {
            return;
        }
        let row = EventRow::new(event, &|peer| self.inspector.name_of(peer));
        // Numbers and texts only: it cannot fail.
        let json = serde_json::to_string(&Timed { row, at: date::precise(at) }).unwrap_or_default();
        text.push_str("data: ");
        text.push_str(&json);
        text.push_str("\n\n");
    }
}

/// An event and when it happened.
#[derive(Debug, Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    row: EventRow<'a>,
    at: String,
}

/// An event in its JSON form.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventRow<'a> {
    Added(RouteEvent),
    Withdrawn(RouteEvent),
    Established {
        #[serde(flatten)]
        session: SessionEventRow<'a>,
    },
    Closed {
        #[serde(flatten)]
        session: SessionEventRow<'a>,
        reason: &'static str,
        detail: String,
    },
    Missed {
        count: u64,
    },
}

#[derive(Debug, Serialize)]
struct RouteEvent {
    vni: u32,
    destination: String,
    next_hop: NextHopRow,
    announcer: Option<u64>,
    /// The announcer's name.
    announcer_name: Option<String>,
}

impl RouteEvent {
    fn new(route: &Update, announcer: Option<PeerId>, name: Name<'_>) -> Self {
        Self {
            vni: route.vni.0,
            destination: route.destination.to_string(),
            next_hop: route.next_hop.into(),
            announcer: announcer.map(|peer| peer.0),
            announcer_name: announcer.map(name),
        }
    }
}

/// Gives the name of a peer.
type Name<'a> = &'a dyn Fn(PeerId) -> String;

#[derive(Debug, Serialize)]
struct SessionEventRow<'a> {
    peer: u64,
    shard: u16,
    remote: SocketAddr,
    node: &'a str,
    /// The peer's name.
    name: String,
}

impl<'a> SessionEventRow<'a> {
    fn new(
        (peer, shard): (PeerId, ShardId),
        remote: SocketAddr,
        node: &'a str,
        name: Name<'_>,
    ) -> Self {
        Self { peer: peer.0, shard: shard.0, remote, node, name: name(peer) }
    }
}

impl<'a> EventRow<'a> {
    fn new(event: &'a MonitorEvent, name: Name<'_>) -> Self {
        match event {
            MonitorEvent::Added { route, announcer } => {
                Self::Added(RouteEvent::new(route, *announcer, name))
            }
            MonitorEvent::Withdrawn { route, announcer } => {
                Self::Withdrawn(RouteEvent::new(route, *announcer, name))
            }
            MonitorEvent::Established { peer, shard, remote, node } => Self::Established {
                session: SessionEventRow::new((*peer, *shard), *remote, node, name),
            },
            MonitorEvent::Closed { peer, shard, remote, node, reason } => Self::Closed {
                session: SessionEventRow::new((*peer, *shard), *remote, node, name),
                reason: reason.name(),
                detail: reason.to_string(),
            },
            MonitorEvent::Missed(count) => Self::Missed { count: *count },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{Ipv6Addr, SocketAddr, TcpStream};
    use std::time::Instant;

    use futures_util::StreamExt as _;
    use support::PATIENCE;

    use super::*;
    use crate::config::ReflectorConfig;
    use crate::reflector::Reflector;
    use crate::wire::{Hello, Message};

    #[test]
    fn comments_are_as_far_apart_as_documented() {
        let document = include_str!("../../../../docs/http.md");
        let sentence = format!("when nothing has happened for {} s.", ALIVE.as_secs());
        assert!(document.contains(&sentence), "{sentence}");
    }

    /// With a shorter time than [`ALIVE`], and real events.
    #[test]
    fn a_quiet_stream_says_that_it_is_there() {
        const QUIET: Duration = Duration::from_millis(50);
        let listen = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let config = ReflectorConfig { listen, shards: Some(1), ..ReflectorConfig::default() };
        let reflector = Reflector::start(&config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (streams, inspector) = (Streams::default(), reflector.inspector());
            let asked = EventsAsked::default();
            let answer = open(&streams, &inspector, asked, QUIET).await.unwrap();
            let mut chunks = answer.into_body().into_data_stream();
            let mut next = async || {
                let chunk = tokio::time::timeout(PATIENCE, chunks.next()).await.unwrap();
                chunk.unwrap().unwrap()
            };
            for _ in 0..2 {
                let began = Instant::now();
                assert_eq!(next().await, ":\n\n");
                assert!(began.elapsed() >= QUIET);
            }
            // It goes on with real events.
            let mut peer = TcpStream::connect(reflector.listen_addr()).unwrap();
            let hello = Hello { keepalive_interval: 60, is_server: false, extensions: None };
            let mut bytes = Vec::new();
            for message in [Message::Hello(hello), Message::Keepalive] {
                message.encode_into(&mut bytes);
            }
            peer.write_all(&bytes).unwrap();
            loop {
                let chunk = next().await;
                if chunk != ":\n\n" {
                    assert!(chunk.starts_with(b"data: {\"event\":\"established\""), "{chunk:?}");
                    break;
                }
            }
        });
    }
}
