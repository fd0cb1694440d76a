//! `/`: the leaf's page, for an operator at the hypervisor. `crate::admin::server::page` has the files that it shares
//! with the reflector's page, and answers requests for files.

use axum::Router;

use crate::admin::leaf::sources::Sources;
use crate::admin::server::page::{self, File};

static HTML: File = File::html(page::shell!("MetalBond leaf", "leaf.js", "body.html"));
static FILES: [File; 2] = [
    File::script("leaf.js", include_str!("leaf.js")),
    File::script("views.js", include_str!("views.js")),
];

pub(super) fn router() -> Router<Sources> {
    page::router(&HTML, &FILES)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_alone_and_makes_no_markup() {
        crate::admin::server::page::check(&super::HTML, &super::FILES);
    }
}
