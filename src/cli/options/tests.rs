use super::effective::Change;
use super::*;

use crate::cli::{client, server};

fn role(name: &str) -> Command {
    command().find_subcommand(name).unwrap().clone()
}

/// The role's own matches with what a file says.
fn matches(name: &str, file: &str, flags: &[&str]) -> (ArgMatches, Effective) {
    let file = File::parse("x.toml".as_ref(), file).unwrap();
    assert_eq!(wrong_in_file(&file, &role(name)), [""; 0]);
    let command = with_defaults(role(name), Some(&file));
    let words = [name].into_iter().chain(flags.iter().copied());
    let matches = command.try_get_matches_from(words).unwrap();
    let effective = Effective::new(&role(name), &matches, Some(&file));
    (matches, effective)
}

#[test]
fn flags_go_before_the_file_and_the_file_before_defaults() {
    let file = "[server]\nmax-peers = 7\nkeepalive = 3\nallow = [\"10.0.0.0/8\", \"::/0\"]\n";
    let (matches, effective) = matches("server", file, &["--max-peers", "8"]);
    let args = server::Args::from_arg_matches(&matches).unwrap();
    let config = args.config();
    assert_eq!((config.max_peers, config.settings.keepalive), (8, 3));
    assert!(config.access.list.allows([10, 1, 1, 1].into()));
    assert!(!config.access.list.allows([11, 1, 1, 1].into()));
    let text = effective.to_string();
    for line in [
        "[server]",
        "max-peers = 8 # flag",
        "keepalive = 3 # file: x.toml:3",
        "allow = [\"10.0.0.0/8\", \"::/0\"] # file: x.toml:4",
        "batch-delay = \"1ms\" # default",
        "# http is not set",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} not in:\n{text}");
    }
}

#[test]
fn what_is_required_may_be_in_the_file() {
    let file = "[client]\nserver = \"rr1\"\nsubscribe = [1, 2]\nexclude-route-type = [\"NAT\", \"STD\"]\n\
                ipv4-only = true\n";
    let (matches, effective) = matches("client", file, &["--ipv4-only=false"]);
    let args = client::Args::from_arg_matches(&matches).unwrap();
    assert_eq!((args.server(), args.ipv4_only()), (&["rr1:4711".to_owned()][..], false));
    let text = effective.to_string();
    assert!(text.contains("exclude-route-type = \"NAT,STD\" # file: x.toml:4"), "{text}");
    // What is printed can be read back, and says the same.
    let (_, again) = self::matches("client", &text, &[]);
    assert_eq!(effective.changes(&again), []);
}

#[test]
fn malformed_values_are_told_as_those_of_flags_are() {
    for (table, line, words) in [
        ("server", "listen = \"x\"", "invalid value 'x' for '--listen <ADDR:PORT>': expected ADDR"),
        ("server", "keepalive = 0", "invalid value '0' for '--keepalive <SECONDS>': 0 is not in"),
        ("server", "no-pacing = \"y\"", "invalid value 'y' for '--no-pacing"),
        ("server", "allow = [\"::/0\", \"x\"]", "invalid value 'x' for '--allow <PREFIX>'"),
        ("server", "listen = [\":1\", \":2\"]", "invalid value ':1,:2' for '--listen"),
        ("server", "log-format = \"xml\"", "invalid value 'xml' for '--log-format"),
        ("client", "subscribe = [1, -1]", "invalid value '-1' for '--subscribe <VNI>'"),
    ] {
        let file = File::parse("x.toml".as_ref(), &format!("[{table}]\n{line}\n")).unwrap();
        let wrong = wrong_in_file(&file, &role(table));
        assert!(wrong.len() == 1 && wrong[0].contains(words), "{wrong:?}");
        assert!(wrong[0].starts_with("x.toml:2: ") && !wrong[0].contains('\n'), "{wrong:?}");
    }
}

#[test]
fn changes_are_told_and_taken_over() {
    let (_, mut old) = matches("server", "[server]\nallow = [\"::1\", \"::2\"]\n", &[]);
    let (_, new) = matches("server", "[server]\nmax-peers = 1000\nlisten = \":1\"\n", &[]);
    let change = |key: &str, old: &str, new: &str| Change {
        key: key.to_owned(),
        old: old.to_owned(),
        new: new.to_owned(),
    };
    let listen = change("listen", "[::]:4711", ":1");
    let mut changes = old.changes(&new);
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(
        changes,
        [change("allow", "::1,::2", "nothing"), listen, change("max-peers", "65536", "1000")]
    );
    old.take_over(&new, &["allow", "max-peers"]);
    assert_eq!(old.changes(&new), [change("listen", "[::]:4711", ":1")]);
}

/// The page that lists all keys is complete, and says the truth about which are reloaded.
#[test]
fn every_key_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (table, reloadable) in [("server", server::RELOADABLE), ("client", client::RELOADABLE)] {
        let section =
            page.split("\n## ").find(|section| section.starts_with(&format!("[{table}]")));
        let section = section.unwrap_or_else(|| panic!("no section for [{table}]"));
        let keys = keys(&command(), table);
        for key in &keys {
            let start = format!("| `{key}` | `{}` |", environment::variable(key));
            let row = section.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("no row {start} in [{table}]"));
            let says_so = row.split('|').nth(4).is_some_and(|cell| cell.trim().starts_with("yes"));
            assert_eq!(says_so, reloadable.contains(&key.as_str()), "{row}");
        }
        assert!(reloadable.iter().all(|key| keys.iter().any(|known| known == key)));
    }
}
