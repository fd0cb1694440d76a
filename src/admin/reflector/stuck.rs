//! Questions that a shard does not answer because it stands still.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use super::api::ApiError;
use crate::inspector::Inspector;

/// How long a request waits before it is given up if a shard is stuck. A request that takes long for its size alone
/// is not given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gives up requests to these pages.
pub(in crate::admin) fn given_up(pages: Router, inspector: Inspector) -> Router {
    pages.layer(from_fn_with_state(inspector, give_up))
}

/// Gives up a request when it has waited for [`PATIENCE`] and a shard is stuck: better a sentence that says so than
/// no answer, at the moment when answers are wanted most.
async fn give_up(State(inspector): State<Inspector>, request: Request, next: Next) -> Response {
    let mut answer = pin!(next.run(request));
    loop {
        if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut answer).await {
            return answer;
        }
        let stuck = inspector.stuck();
        if !stuck.is_empty() {
            return ApiError::Stuck(stuck).into_response();
        }
    }
}
