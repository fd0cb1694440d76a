//! `/`: the reflector's page: a few files in the binary, which use the API as any other client does.
//! `crate::admin::server::page` has the files that it shares with the leaf's page, and answers requests for files.

use axum::Router;

use crate::admin::reflector::state::AppState;
use crate::admin::server::page::{self, File};

static HTML: File = File::html(page::shell!("MetalBond", "main.js", "body.html"));
static FILES: [File; 13] = [
    File::script("main.js", include_str!("main.js")),
    File::script("live.js", include_str!("live.js")),
    File::script("scale.js", include_str!("scale.js")),
    File::script("plot.js", include_str!("plot.js")),
    File::script("listing.js", include_str!("listing.js")),
    File::script("overview.js", include_str!("overview.js")),
    File::script("events.js", include_str!("events.js")),
    File::script("peers.js", include_str!("peers.js")),
    File::script("vnis.js", include_str!("vnis.js")),
    File::script("search.js", include_str!("search.js")),
    File::script("reflectors.js", include_str!("reflectors.js")),
    File::script("sites.js", include_str!("sites.js")),
    File::script("identity.js", include_str!("identity.js")),
];

pub(super) fn router() -> Router<AppState> {
    page::router(&HTML, &FILES)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_alone_and_makes_no_markup() {
        crate::admin::server::page::check(&super::HTML, &super::FILES);
    }
}
