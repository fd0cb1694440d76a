//! Why there is no answer: one sentence, as JSON.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use thiserror::Error;

use crate::ids::ShardId;
use crate::reflector::http::health::numbers;
use crate::reflector::inspector::InspectError;

/// What the parser of queries begins its sentences with, which says nothing to who has asked.
const PARSER: &str = "Failed to deserialize query string: ";

/// See the module's documentation.
#[derive(Debug, Error)]
pub(in crate::reflector) enum ApiError {
    #[error("{0}")]
    Asked(String),
    #[error("{0}")]
    NotFound(String),
    #[error("only GET and HEAD are allowed")]
    ReadOnly,
    #[error("only POST is allowed")]
    OnlyPost,
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
        let text = rejection.body_text();
        Self::Asked(text.strip_prefix(PARSER).unwrap_or(&text).to_owned())
    }
}

#[derive(Serialize)]
struct Body {
    error: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Asked(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::ReadOnly | Self::OnlyPost => StatusCode::METHOD_NOT_ALLOWED,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Inspect(_) | Self::TooManyStreams(_) | Self::Stuck(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        (status, Json(Body { error: self.to_string() })).into_response()
    }
}
