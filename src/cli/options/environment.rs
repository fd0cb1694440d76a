//! The environment: `METALBOND_` and the flag's name in capitals, for every flag.
//!
//! An empty variable counts as not set: templates of manifests and compose files produce such variables.

use std::ffi::OsString;

use super::nearest::distance;
use crate::cli::role::takes_empty;

const PREFIX: &str = "METALBOND_";
/// Edits up to which another variable is taken for a mistyped one. Others are left alone: whoever
/// runs services named metalbond may set `METALBOND_PORT` and the like for all of them.
const MISTYPED: usize = 2;

/// The variable of a flag.
pub(in crate::cli) fn variable(flag: &str) -> String {
    format!("{PREFIX}{}", flag.replace('-', "_").to_ascii_uppercase())
}

/// What the environment says of a flag, if anything.
pub(super) fn value(flag: &str) -> Option<OsString> {
    let is_set = |value: &OsString| !value.is_empty() || takes_empty(flag);
    std::env::var_os(variable(flag)).filter(is_set)
}

/// Variables that are probably mistyped, each with what was probably meant.
pub(super) fn mistyped<'a>(
    set: impl IntoIterator<Item = OsString>,
    flags: impl IntoIterator<Item = &'a str>,
) -> Vec<(String, String)> {
    let known: Vec<_> = flags.into_iter().map(variable).collect();
    let set = set.into_iter().filter_map(|name| name.into_string().ok());
    set.filter(|name| name.starts_with(PREFIX) && !known.contains(name))
        .filter_map(|name| {
            let near = |known: &&String| distance(&name, known) <= MISTYPED;
            let meant = known.iter().filter(near).min_by_key(|known| distance(&name, known))?;
            Some((name.clone(), meant.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_after_flags() {
        assert_eq!(variable("max-routes-per-peer"), "METALBOND_MAX_ROUTES_PER_PEER");
    }

    #[test]
    fn only_near_misses_are_taken_for_mistakes() {
        let set = ["METALBOND_LISTN", "METALBOND_LISTEN", "METALBOND_SERVICE_HOST", "LISTN"];
        let found = mistyped(set.map(OsString::from), ["listen", "http"]);
        assert_eq!(found, [("METALBOND_LISTN".to_owned(), "METALBOND_LISTEN".to_owned())]);
    }
}
