//! The parts that the pages of the reflector and of the leaf share: answers to requests for their files, the style
//! sheet, and the scripts that are for both.
//!
//! A page is a few files in the binary, which use the API as any other client does. It may load only from its own
//! origin, and runs no script but these files. A browser keeps the files, and asks each time whether they have changed.

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::admin::server::answer;

/// Everything must come from the page's origin, and nothing may be inline: a name that comes from the
/// network could not run even if it became markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A file of a page.
#[derive(Debug)]
pub(crate) struct File {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

impl File {
    /// The page itself.
    pub(crate) const fn html(content: &'static str) -> Self {
        Self { name: "", kind: "text/html; charset=utf-8", content }
    }

    /// A module that the page runs.
    pub(crate) const fn script(name: &'static str, content: &'static str) -> Self {
        Self { name, kind: "text/javascript; charset=utf-8", content }
    }
}

/// The text of a page: a title, the first script, and a file beside the caller with the content between the shell's
/// head and foot.
macro_rules! shell {
    ($title:literal, $script:literal, $body:literal) => {
        concat!(
            include_str!("../../server/page/head.html"),
            "<title>",
            $title,
            "</title>\n<script src=\"page/",
            $script,
            "\" type=\"module\"></script>\n<body>\n",
            "<a class=\"skip\" href=\"#content\">Skip to the content</a>\n",
            include_str!($body),
            include_str!("../../server/page/foot.html"),
        )
    };
}

pub(crate) use shell;

/// The files that every page has.
static SHARED: [File; 5] = [
    File { name: "page.css", kind: "text/css; charset=utf-8", content: include_str!("page.css") },
    File { name: "icon.svg", kind: "image/svg+xml", content: include_str!("icon.svg") },
    File::script("core.js", include_str!("core.js")),
    File::script("frame.js", include_str!("frame.js")),
    File::script("table.js", include_str!("table.js")),
];

/// Answers `/` with `html`, and its files, `own` and shared ones, below `/page/`.
pub(crate) fn router<S>(html: &'static File, own: &'static [File]) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let file = async |name: Result<Path<String>, PathRejection>, headers: HeaderMap| {
        let is_it = |file: &&File| name.as_ref().is_ok_and(|Path(name)| file.name == *name);
        let found = own.iter().chain(&SHARED).find(is_it);
        found.map_or_else(missing, |file| serve(file, &headers))
    };
    Router::new()
        .route("/", get(async |headers: HeaderMap| serve(html, &headers)))
        .route("/page/{name}", get(file))
}

/// Whether a path is that of a page or of one of its files.
pub(crate) fn is_file(path: &str) -> bool {
    path == "/" || path.starts_with("/page/")
}

fn missing() -> Response {
    answer::refusal(StatusCode::NOT_FOUND, &"there is no such file")
}

fn serve(file: &File, headers: &HeaderMap) -> Response {
    let tag = format!("\"{:016x}\"", digest(file.content.as_bytes()));
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| *value == *tag);
    let about = [(ETAG, &*tag), (CACHE_CONTROL, "no-cache")];
    if known {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let rules = [
        (CONTENT_TYPE, file.kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (about, rules, file.content).into_response()
}

/// FNV-1a: distinguishes versions of a file.
const fn digest(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x100_0000_01b3);
        at += 1;
    }
    hash
}

/// Fails unless the files of a page need no other files and make no markup: scripts build elements and texts;
/// none makes markup of a string or sends requests to another origin.
#[cfg(test)]
pub(crate) fn check(html: &File, own: &[File]) {
    for File { name, content, .. } in own.iter().chain(&SHARED).chain([html]) {
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
