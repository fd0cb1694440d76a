//! One connection: what it asks, and what it holds meanwhile.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::{CONNECTION, DATE};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Notify;

use super::hall::{AnswerPermit, Hall};
use super::origin::{Caller, Origin};
use crate::admin::server::entry::EntryRule;
use crate::admin::server::{answer, date, entry, is_health};
use crate::relaxed::Relaxed;
use crate::sources::Source;

/// Answers requests.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) entry: EntryRule,
    pub(super) router: Router,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Visitor {
    hall: Arc<Hall>,
    source: Option<Source>,
    /// The client's process, over a Unix socket.
    caller: Option<Caller>,
    /// Whether it came when there were no descriptors: then it may only ask about health.
    is_short: bool,
    go: Arc<Notify>,
    /// Its number among the waiting connections.
    number: Relaxed,
}

impl Visitor {
    /// A connection that waits for its first request.
    pub(super) fn new(hall: Arc<Hall>, origin: Origin, is_short: bool) -> Arc<Self> {
        let go = Arc::default();
        let source = origin.address.map(Source::of);
        let number = Relaxed::new(hall.enter(source, &go));
        Arc::new(Self { hall, source, caller: origin.caller, is_short, go, number })
    }

    /// Waits until the connection is to be closed to make room.
    pub(super) async fn sent_away(&self) {
        self.go.notified().await;
    }

    /// Answers one request.
    pub(super) async fn answer(
        visitor: &Arc<Self>,
        clock: fn() -> u64,
        desk: &Endpoint,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        if let Some(caller) = visitor.caller {
            request.extensions_mut().insert(caller);
        }
        let ask = |request| TowerToHyperService::new(desk.router.clone()).call(request);
        let mut answer = if let Some(refusal) = desk.entry.refuse(&request) {
            ended(refusal)
        } else if is_health(request.uri().path()) {
            ended(ask(request).await?)
        } else if let Some(place) = visitor.place() {
            let answered = Answered { _place: place, visitor: Arc::clone(visitor) };
            ask(request).await?.map(|body| Body::new(Held { body, _answered: answered }))
        } else {
            let sentence = "too many answers are being sent at a time; try again later";
            ended(answer::refusal(StatusCode::SERVICE_UNAVAILABLE, &sentence))
        };
        if let Ok(date) = HeaderValue::from_str(&date::http(clock())) {
            answer.headers_mut().insert(DATE, date);
        }
        entry::seal(&mut answer);
        Ok(answer)
    }

    /// A permit for an answer, if there is one; then the connection no longer waits.
    fn place(&self) -> Option<AnswerPermit> {
        if self.is_short {
            return None;
        }
        let place = self.hall.place(self.source)?;
        self.hall.leave(self.number.get());
        Some(place)
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.hall.leave(self.number.get());
    }
}

/// An answer after which the connection ends.
fn ended(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Held until an answer is complete; then its connection waits again.
#[derive(Debug)]
struct Answered {
    _place: AnswerPermit,
    visitor: Arc<Visitor>,
}

impl Drop for Answered {
    fn drop(&mut self) {
        let Visitor { hall, source, go, number, .. } = &*self.visitor;
        number.set(hall.enter(*source, go));
    }
}

/// The body of an answer.
#[derive(Debug)]
struct Held {
    body: Body,
    _answered: Answered,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
