//! Words, names and lines that more than one subcommand needs.

use std::io::Write as _;

/// A number of things, which have a plural in s.
pub(super) fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The name of this machine, told to peers that know our extensions; empty if it has none.
pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// Writes to standard error what nobody has to read.
pub(super) fn remark(text: &str) {
    drop(std::io::stderr().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_plural() {
        let counts = [0, 1, 2].map(|number| counted(number, "session"));
        assert_eq!(counts, ["0 sessions", "1 session", "2 sessions"]);
    }
}
