//! Why there is no answer: one sentence, as JSON.

use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::admin::server::answer;
use crate::admin::server::asked::Wrong;
use crate::client::Error as LeafError;

/// See the module's documentation.
#[derive(Debug, Error)]
pub(in crate::admin::leaf) enum ApiError {
    #[error(transparent)]
    Asked(#[from] Wrong),
    #[error(
        "there is no such page: a leaf answers here; metalbond ctl shows its servers, vnis and routes"
    )]
    NoPage,
    #[error("only GET and HEAD are allowed")]
    ReadOnly,
    #[error(transparent)]
    Leaf(#[from] LeafError),
    #[error("the thread that writes routes to the kernel has ended; restart the leaf")]
    KernelWriter,
    #[error("the kernel does not answer, so the leaf cannot say now which routes the kernel has")]
    KernelSilent,
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Wrong::from(rejection).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Asked(_) => StatusCode::BAD_REQUEST,
            Self::NoPage | Self::Leaf(LeafError::NotSubscribed(_)) => StatusCode::NOT_FOUND,
            Self::ReadOnly => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        answer::refusal(status, &self)
    }
}
