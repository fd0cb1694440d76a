//! Which known name a mistyped one may have meant.

/// The known name that takes the fewest edits.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().min_by_key(|known| distance(name, known))
}

/// Edits from one name to the other: letters added, left out, replaced or swapped.
pub(super) fn distance(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_edits_decide() {
        let known = ["listen", "max-peers", "max-routes-per-peer", "keepalive"];
        for (name, expected) in [
            ("lsiten", "listen"),
            ("max-peer", "max-peers"),
            ("max_routes_per_peer", "max-routes-per-peer"),
            ("keep-alive", "keepalive"),
        ] {
            assert_eq!(nearest(name, known), Some(expected), "{name}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
