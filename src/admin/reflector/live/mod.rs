//! The last minutes, second by second, and the seconds that follow: `/api/v1/history` and `/api/v1/live`.
//!
//! `recorder` asks for the counters once a second and makes one sample of two answers; `ring` keeps the latest samples,
//! encoded; this file sends them. A sample is encoded once for any number of readers. Nothing waits for a reader that
//! stalls: when it reads again, it gets those samples that it missed and that are still in the ring.

pub(super) mod history;
mod recorder;
mod ring;
mod sample;

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;

use self::history::History;
use self::recorder::Recorder;
use self::ring::Ring;
use super::api::error::ApiError;
use super::state::AppState;
use super::streams::{StreamPermit, Streams};
use crate::inspector::Inspector;

/// A recorder to be run, and the history that it writes.
pub(super) fn recorder(inspector: Inspector) -> (Recorder, History) {
    let (writer, ring) = watch::channel(Ring::default());
    (Recorder::new(inspector, writer), History { ring, streams: Streams::default() })
}

/// All samples as JSON.
pub(super) async fn history(State(app): State<AppState>) -> Response {
    let text = whole(&app.history.ring.borrow());
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], text).into_response()
}

/// First all samples, then each as it comes, as server-sent events.
pub(super) async fn live(State(app): State<AppState>) -> Result<Response, ApiError> {
    let History { ring, streams } = app.history;
    let events = Events { ring, sent: None, _place: streams.enter()? };
    let head = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    let events = stream::unfold(events, Events::next);
    Ok((head, Body::from_stream(events)).into_response())
}

/// The names of a sample's values, and samples.
fn whole(ring: &Ring) -> String {
    let mut text = String::from("{\"fields\":");
    text.push_str(&sample::fields());
    text.push_str(",\"samples\":[");
    for (at, sample) in ring.after(0).enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(sample);
    }
    text.push_str("]}");
    text
}

/// One reader of the stream.
struct Events {
    ring: watch::Receiver<Ring>,
    /// The number of samples sent to it or missed by it; `None` before the first event.
    sent: Option<u64>,
    _place: StreamPermit,
}

impl Events {
    /// All new samples, once the reader has room for them.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let Some(sent) = self.sent else {
            let ring = self.ring.borrow_and_update();
            let text = format!("retry: 2000\nevent: history\ndata: {}\n\n", whole(&ring));
            self.sent = Some(ring.count());
            drop(ring);
            return Some((Ok(text.into()), self));
        };
        loop {
            self.ring.changed().await.ok()?;
            let ring = self.ring.borrow_and_update();
            let mut text = String::new();
            for sample in ring.after(sent) {
                text.push_str("event: sample\ndata: ");
                text.push_str(sample);
                text.push_str("\n\n");
            }
            self.sent = Some(ring.count());
            drop(ring);
            // An empty chunk would end the answer.
            if !text.is_empty() {
                return Some((Ok(text.into()), self));
            }
        }
    }
}
