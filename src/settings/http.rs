//! Rows of an HTTP endpoint, which each role has in its own table.

use super::{Field, Setting, Target};

/// The row `http-host`: the host names that requests may use for the endpoint.
#[must_use]
pub const fn http_host<C: Target>(hosts: &'static dyn Field<C>) -> Setting<C> {
    Setting::new("http-host", hosts)
        .meaning(
            "Host names by which HTTP requests may address this endpoint, besides localhost and \
             addresses; separate several by commas, or repeat the flag",
        )
        .details("See [Who may ask](http.md#who-may-ask)")
        .reloaded()
}

/// The row `http-token-file`: the file with the token that requests must bear.
#[must_use]
pub const fn http_token_file<C: Target>(file: &'static dyn Field<C>) -> Setting<C> {
    Setting::new("http-token-file", file)
        .meaning(
            "File with a token that HTTP requests must bear, except those for health and for \
             the files of the page",
        )
        .details("A reload reads the file again. See [Who may ask](http.md#who-may-ask)")
        .reloaded()
}
