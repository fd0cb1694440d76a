//! The checks that a request must pass before it gets an answer, and the headers for browsers that every answer has.

use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, HOST, HeaderName, HeaderValue, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Request, StatusCode, Version};
use axum::response::Response;
use tracing::debug;

use super::{answer, is_health, page};
use crate::http_guard::{HttpGuard, Turned};

/// The rule that decides which requests are answered.
#[derive(Clone, Debug)]
pub(crate) enum EntryRule {
    /// All requests: the file of the socket decides who may connect.
    #[cfg(unix)]
    Anyone,
    /// Requests that use an allowed name of the endpoint.
    Named(HttpGuard),
    /// The same, and requests for anything but health and the files of a page must bear the token, if there is
    /// one. These files ask for the token, and hold nothing that is not public in the source.
    Bearing(HttpGuard),
}

impl EntryRule {
    /// The refusal of a request; `None` if the request is admitted.
    pub(super) fn refuse<B>(&self, request: &Request<B>) -> Option<Response> {
        let (guard, needs_token) = match self {
            #[cfg(unix)]
            Self::Anyone => return None,
            Self::Named(guard) => (guard, false),
            Self::Bearing(guard) => (guard, true),
        };
        if let Some(refusal) = refuse_host(guard, request) {
            return Some(refusal);
        }
        let path = request.uri().path();
        if !needs_token || is_health(path) || page::is_file(path) {
            return None;
        }
        let authorization = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let (sentence, challenge) = match guard.takes_token(authorization) {
            Ok(()) => return None,
            Err(Turned::NoToken) => (
                "a token is needed: send the one of --http-token-file as Authorization: Bearer TOKEN",
                "Bearer realm=\"metalbond\"",
            ),
            Err(Turned::WrongToken) => (
                "this is not the token of --http-token-file",
                "Bearer realm=\"metalbond\", error=\"invalid_token\"",
            ),
        };
        let mut refusal = answer::refusal(StatusCode::UNAUTHORIZED, &sentence);
        refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        Some(refusal)
    }
}

/// The refusal of a request that uses a name that the endpoint does not have.
fn refuse_host<B>(guard: &HttpGuard, request: &Request<B>) -> Option<Response> {
    let hosts = request.headers().get_all(HOST);
    let headers: Vec<_> = hosts.iter().map(|host| host.to_str().unwrap_or_default()).collect();
    // RFC 9112, section 3.2. Version 1.0 had no such header, and no browser speaks it.
    let is_well = match headers.len() {
        0 => request.version() < Version::HTTP_11,
        count => count == 1,
    };
    if !is_well {
        return Some(answer::refusal(
            StatusCode::BAD_REQUEST,
            &"a request needs exactly one header Host",
        ));
    }
    let target = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let host = headers.into_iter().chain(target).find(|host| !guard.takes_host(host))?;
    debug!(host, "refused a request over HTTP that names another host");
    let sentence = format!(
        "requests may not name this endpoint {host:?}: use its address or localhost, or allow that name with --http-host"
    );
    Some(answer::refusal(StatusCode::MISDIRECTED_REQUEST, &sentence))
}

/// Sets headers: browsers must use an answer only as its own type, must not keep one that does not allow it, and must
/// not show it to pages of other origins.
pub(super) fn seal(answer: &mut Response) {
    const POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
