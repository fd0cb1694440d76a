//! Groups of the system, by name.

use std::fs;
use std::path::Path;

/// The number of a group, which may be given as a number. Reads only the system's own file: a directory service
/// may not answer at a start, and a static binary cannot ask one.
pub(super) fn number_of(group: &str) -> Option<u32> {
    number_in(group, &fs::read_to_string(Path::new("/etc/group")).unwrap_or_default())
}

fn number_in(group: &str, file: &str) -> Option<u32> {
    let named = |line: &str| {
        let mut fields = line.split(':');
        (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok()).flatten()
    };
    group.parse().ok().or_else(|| file.lines().find_map(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name_or_is_a_number() {
        let file = "root:x:0:\nmetalbond-ro:x:995:alice,bob\nbroken\nother:x:y:\n";
        assert_eq!(number_in("metalbond-ro", file), Some(995));
        assert_eq!(number_in("root", file), Some(0));
        assert_eq!(number_in("4711", file), Some(4711));
        for group in ["metalbond", "x", "", "broken", "other", "alice"] {
            assert_eq!(number_in(group, file), None, "{group}");
        }
    }
}
