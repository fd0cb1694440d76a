//! `/api/v1/reflectors`: this reflector and others, side by side.
//!
//! This reflector fetches `/metrics` from the addresses in `http-peers`. They are the `health` addresses of other
//! reflectors, which answer without a token and name no peer, so no token crosses the network. It reads its own text in
//! the same way. It fetches all texts at the same time, at most once in [`FRESH`], however often this path is
//! requested.

mod client;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use self::text::Told;
use super::api::ApiError;
use super::metrics;
use super::state::AppState;
use crate::admin::server::listing;
use crate::threads::InspectError;

/// How long an answer is good for further requests.
const FRESH: Duration = Duration::from_secs(1);

/// See the module's documentation. Copies share the latest answers.
#[derive(Clone, Debug)]
pub(super) struct Others {
    /// One request asks at a time; requests that wait meanwhile get its answers.
    turn: Arc<Semaphore>,
    latest: watch::Sender<Option<Latest>>,
}

/// The latest answers, and their time.
#[derive(Debug)]
struct Latest {
    at: Instant,
    rows: Vec<Row>,
}

impl Default for Others {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), latest: watch::Sender::new(None) }
    }
}

/// The answer of a reflector, or the reason why there is none.
#[derive(Clone, Debug, Serialize)]
struct Row {
    /// The HTTP address of the other reflector; null for this reflector.
    address: Option<SocketAddr>,
    error: Option<String>,
    #[serde(flatten)]
    told: Told,
}

#[derive(Debug, Serialize)]
struct End {
    next: Option<String>,
}

impl Others {
    /// This reflector first, then the others in the order of the setting.
    pub(super) async fn list(&self, State(app): State<AppState>) -> Result<Response, ApiError> {
        let rows = self.rows(app).await?;
        Ok(listing::respond(listing::of::<_, _, InspectError>(rows, End { next: None })).await?)
    }

    async fn rows(&self, app: AppState) -> Result<Vec<Row>, ApiError> {
        // An error means that the semaphore is closed, and no code closes it.
        let _turn = self.turn.acquire().await.ok();
        if let Some(Latest { at, rows }) = &*self.latest.borrow()
            && at.elapsed() < FRESH
        {
            return Ok(rows.clone());
        }
        let addresses = app.inspector.in_force().config.http_peers;
        let mut asked = JoinSet::new();
        for (place, address) in addresses.into_iter().enumerate() {
            asked.spawn(async move { (place, address, client::metrics(address).await) });
        }
        let own = metrics::own(app).await?;
        let mut others = Vec::new();
        while let Some(answer) = asked.join_next().await {
            // An error means that the task was cancelled, and no code cancels it.
            let Ok((place, address, answer)) = answer else { continue };
            let row = match answer.and_then(|text| text::read(&text)) {
                Ok(told) => Row { address: Some(address), error: None, told },
                Err(error) => {
                    Row { address: Some(address), error: Some(error), told: Told::default() }
                }
            };
            others.push((place, row));
        }
        others.sort_by_key(|(place, _)| *place);
        let told = text::read(&own).unwrap_or_default();
        let own = Row { address: None, error: None, told };
        let rows: Vec<_> =
            [own].into_iter().chain(others.into_iter().map(|(_, row)| row)).collect();
        self.latest.send_replace(Some(Latest { at: Instant::now(), rows: rows.clone() }));
        Ok(rows)
    }
}
