//! `/`: the operator's page. A handful of files in the binary, which ask the API like anybody else.
//!
//! The page may load from its own origin and nowhere else, and runs no script but these files.
//! A browser keeps them and asks each time whether they are still the same.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Desk;

/// Everything from where the page came from, and nothing inline: a name that comes from the
/// network could not run even if it became markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Name, media type and content.
type File = (&'static str, &'static str, &'static str);

const HTML: File = ("", "text/html; charset=utf-8", include_str!("page.html"));
const SCRIPT: &str = "text/javascript; charset=utf-8";
const FILES: [File; FILE_COUNT] = [
    ("page.css", "text/css; charset=utf-8", include_str!("page.css")),
    ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ("main.js", SCRIPT, include_str!("main.js")),
    ("core.js", SCRIPT, include_str!("core.js")),
    ("live.js", SCRIPT, include_str!("live.js")),
    ("plot.js", SCRIPT, include_str!("plot.js")),
    ("listing.js", SCRIPT, include_str!("listing.js")),
    ("overview.js", SCRIPT, include_str!("overview.js")),
    ("events.js", SCRIPT, include_str!("events.js")),
    ("peers.js", SCRIPT, include_str!("peers.js")),
    ("vnis.js", SCRIPT, include_str!("vnis.js")),
    ("search.js", SCRIPT, include_str!("search.js")),
];
const FILE_COUNT: usize = 12;

pub(super) fn router() -> Router<Desk> {
    Router::new()
        .route("/", get(async |headers: HeaderMap| serve(&HTML, &headers)))
        .route("/page/{name}", get(file))
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some(file) => serve(file, &headers),
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

fn serve((_, kind, content): &File, headers: &HeaderMap) -> Response {
    let tag = format!("\"{:016x}\"", digest(content.as_bytes()));
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| *value == *tag);
    let about = [(ETAG, &*tag), (CACHE_CONTROL, "no-cache")];
    if known {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let rules = [
        (CONTENT_TYPE, *kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (about, rules, *content).into_response()
}

/// FNV-1a: tells versions of a file apart.
const fn digest(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its scripts build elements and texts; none makes markup of a string or asks elsewhere.
    #[test]
    fn the_page_is_alone_and_makes_no_markup() {
        for (name, _, content) in FILES.iter().chain([&HTML]) {
            let content = content.replace("http://www.w3.org/", "");
            for word in [
                "http:",
                "https:",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "eval(",
                "document.write",
                "@import",
                "url(",
                " style=\"",
                "setAttribute(\"style\"",
            ] {
                assert!(!content.contains(word), "{name}: {word}");
            }
        }
    }
}
