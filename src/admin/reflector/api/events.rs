//! What happens, as it happens: server-sent events.
//!
//! A reader holds a [`Monitor`], which never makes anybody wait: what a reader does not take in time is
//! left out and counted. So that many readers cost no more than that, their number is bounded for each
//! endpoint by itself: those of the open one take none from the control socket.

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

use super::ApiError;
use super::params::EventsAsked;
use crate::admin::reflector::streams::{StreamPermit, Streams};
use crate::admin::server::answer::NextHopRow;
use crate::ids::PeerId;
use crate::reflector::inspector::{Inspector, Monitor, MonitorEvent};
use crate::wire::Update;

/// A comment is sent when nothing has happened for so long, so that both ends know the other is there.
const ALIVE: Duration = Duration::from_secs(15);
/// Events sent together, while there are any.
const TOGETHER_BYTES: usize = 16 * 1024;

pub(super) async fn stream(
    streams: &Streams,
    State(inspector): State<Inspector>,
    asked: Result<Query<EventsAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    open(streams, &inspector, asked?.0, ALIVE).await
}

/// A stream with a comment whenever nothing has happened for so long.
async fn open(
    streams: &Streams,
    inspector: &Inspector,
    asked: EventsAsked,
    alive: Duration,
) -> Result<Response, ApiError> {
    let filter = asked.read()?;
    let place = streams.enter()?;
    let monitor = inspector.monitor(filter).await?;
    let reader = Reader { monitor, alive, _place: place };
    let chunks = stream::unfold(reader, |mut reader| async {
        let text = reader.next().await?;
        Some((Ok::<_, Infallible>(text), reader))
    });
    let head = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((head, Body::from_stream(chunks)).into_response())
}

struct Reader {
    monitor: Monitor,
    alive: Duration,
    _place: StreamPermit,
}

impl Reader {
    /// The next part of the stream; `None` when the reflector has stopped.
    async fn next(&mut self) -> Option<String> {
        let Ok(first) = tokio::time::timeout(self.alive, self.monitor.next()).await else {
            return Some(":\n\n".into());
        };
        let mut text = event_line(&first?);
        while text.len() < TOGETHER_BYTES
            && let Some(event) = self.monitor.try_next()
        {
            text.push_str(&event_line(&event));
        }
        Some(text)
    }
}

/// An event as it looks in JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventRow<'a> {
    Added(RouteEvent),
    Withdrawn(RouteEvent),
    Established {
        #[serde(flatten)]
        session: SessionEvent<'a>,
    },
    Closed {
        #[serde(flatten)]
        session: SessionEvent<'a>,
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
}

impl RouteEvent {
    fn new(route: &Update, announcer: Option<PeerId>) -> Self {
        Self {
            vni: route.vni.0,
            destination: route.destination.to_string(),
            next_hop: route.next_hop.into(),
            announcer: announcer.map(|peer| peer.0),
        }
    }
}

#[derive(Debug, Serialize)]
struct SessionEvent<'a> {
    peer: u64,
    shard: u16,
    remote: SocketAddr,
    node: &'a str,
}

impl<'a> From<&'a MonitorEvent> for EventRow<'a> {
    fn from(event: &'a MonitorEvent) -> Self {
        match event {
            MonitorEvent::Added { route, announcer } => {
                Self::Added(RouteEvent::new(route, *announcer))
            }
            MonitorEvent::Withdrawn { route, announcer } => {
                Self::Withdrawn(RouteEvent::new(route, *announcer))
            }
            MonitorEvent::Established { peer, shard, remote, node } => Self::Established {
                session: SessionEvent { peer: peer.0, shard: shard.0, remote: *remote, node },
            },
            MonitorEvent::Closed { peer, shard, remote, node, reason } => Self::Closed {
                session: SessionEvent { peer: peer.0, shard: shard.0, remote: *remote, node },
                reason: reason.name(),
                detail: reason.to_string(),
            },
            MonitorEvent::Missed(count) => Self::Missed { count: *count },
        }
    }
}

fn event_line(event: &MonitorEvent) -> String {
    // Numbers, texts and nothing else: it cannot fail.
    let json = serde_json::to_string(&EventRow::from(event)).unwrap_or_default();
    format!("data: {json}\n\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{Ipv6Addr, SocketAddr, TcpStream};
    use std::time::Instant;

    use futures_util::StreamExt as _;
    use support::PATIENCE;

    use super::*;
    use crate::reflector::{Reflector, ReflectorConfig};
    use crate::wire::{Hello, Message};

    #[test]
    fn comments_are_as_far_apart_as_documented() {
        let document = include_str!("../../../../docs/http.md");
        let sentence = format!("when nothing has happened for {} s.", ALIVE.as_secs());
        assert!(document.contains(&sentence), "{sentence}");
    }

    /// With a shorter time than that of [`ALIVE`], and real events.
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
            // It goes on with what happens.
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
