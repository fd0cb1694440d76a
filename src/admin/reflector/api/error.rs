//! Why there is no answer: one sentence, as JSON.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::admin::server::answer;
use crate::admin::server::asked::Wrong;
use crate::ids::ShardId;
use crate::threads::InspectError;

/// See the module's documentation.
#[derive(Debug, Error)]
pub(in crate::admin) enum ApiError {
    #[error("{0}")]
    Asked(String),
    #[error("{0}")]
    NotFound(String),
    #[error("only GET and HEAD are allowed")]
    ReadOnly,
    #[error("only POST is allowed")]
    OnlyPost,
    #[error(
        "the control socket for readers takes no command: use that of --control, which is for the reflector's user \
         and root (sudo)"
    )]
    ReadersOnly,
    #[error("{0}")]
    Refused(String),
    #[error("{0} streams of this kind are open already; end one of them")]
    TooManyStreams(usize),
    #[error("no answer, because shards stand still: {}", numbers(.0))]
    Stuck(Vec<ShardId>),
    #[error(transparent)]
    Inspect(#[from] InspectError),
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Wrong::from(rejection).into()
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::Asked(rejection.body_text())
    }
}

impl From<Wrong> for ApiError {
    fn from(Wrong(sentence): Wrong) -> Self {
        Self::Asked(sentence)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Asked(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::ReadOnly | Self::OnlyPost => StatusCode::METHOD_NOT_ALLOWED,
            Self::ReadersOnly => StatusCode::FORBIDDEN,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Inspect(_) | Self::TooManyStreams(_) | Self::Stuck(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        answer::refusal(status, &self)
    }
}

/// The numbers of shards as text.
pub(in crate::admin::reflector) fn numbers(shards: &[ShardId]) -> String {
    let numbers: Vec<_> = shards.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}
