use super::effective::Change;
use super::*;

use clap::CommandFactory as _;
use metalbond::settings::{Kind, Reload};

use crate::cli::{client, server};

fn role(name: &str) -> Command {
    crate::cli::Cli::command().find_subcommand(name).unwrap().clone()
}

/// The role's own matches with what a file says.
fn matches(name: &str, file: &str, flags: &[&str]) -> (ArgMatches, Effective) {
    let file = File::parse("x.toml".as_ref(), file).unwrap();
    let settings = role::named(name).unwrap();
    assert_eq!(wrong_in_file(&file, settings, &role(name)), [""; 0]);
    let command = with_defaults(role(name), settings, Some(&file));
    let words = [name].into_iter().chain(flags.iter().copied());
    let matches = command.try_get_matches_from(words).unwrap();
    let effective = Effective::new(settings, &role(name), &matches, Some(&file));
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
        ("server", "shards = 0", "invalid value '0' for '--shards <N>': 0 is not in"),
        ("server", "no-pacing = \"y\"", "invalid value 'y' for '--no-pacing"),
        ("server", "allow = [\"::/0\", \"x\"]", "invalid value 'x' for '--allow <PREFIX>'"),
        ("server", "listen = [\":1\", \":2\"]", "invalid value ':1,:2' for '--listen"),
        ("server", "log-format = \"xml\"", "invalid value 'xml' for '--log-format"),
        ("client", "subscribe = [1, -1]", "invalid value '-1' for '--subscribe <VNI>'"),
    ] {
        let file = File::parse("x.toml".as_ref(), &format!("[{table}]\n{line}\n")).unwrap();
        let wrong = wrong_in_file(&file, role::named(table).unwrap(), &role(table));
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
        reload: if key == "listen" { Reload::No } else { Reload::Yes },
    };
    let listen = change("listen", "[::]:4711", ":1");
    let mut changes = old.changes(&new);
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(
        changes,
        [change("allow", "::1,::2", "nothing"), listen, change("max-peers", "65536", "1000")]
    );
    old.take_over(&new);
    assert_eq!(old.changes(&new), [change("listen", "[::]:4711", ":1")]);
}

/// The table of a section in docs/configuration.md.
fn documented(role: &Role, table: &str) -> String {
    let mut text =
        String::from("| key | variable | default | reloaded | |\n|---|---|---|---|---|\n");
    for (_, row) in role.rows().into_iter().filter(|(of, _)| *of == table) {
        let reloaded = match row.reload() {
            Reload::No => "no",
            Reload::Yes => "yes",
            Reload::NewSessions => "yes, new sessions",
        };
        let (key, variable) = (row.key(), variable(row.flag()));
        let default = match documented_default(row) {
            text if text.is_empty() => " ".to_owned(),
            text => format!(" {text} "),
        };
        let details = match row.details() {
            "" => String::new(),
            details => format!(". {details}"),
        };
        let required = if row.is_required() { "; required" } else { "" };
        let meaning = row.meaning().split(" [default: ").next().unwrap();
        text.push_str(&format!(
            "| `{key}` | `{variable}` |{default}| {reloaded} | {meaning}{required}{details} |\n"
        ));
    }
    text
}

/// The default as the page says it: words as code, numbers as they are.
fn documented_default(row: &dyn Row) -> String {
    if let Some(default) = row.documented_default() {
        return default.to_owned();
    }
    match row.default().join(",") {
        text if text.is_empty() => text,
        text if row.kind() == Kind::Switch || text.parse::<u64>().is_ok() => text,
        text => format!("`{text}`"),
    }
}

/// The page has the tables that the settings come to.
#[test]
fn every_key_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    for role in ROLES {
        for table in role.tables() {
            let expected = documented(role, table);
            let heading = format!("\n## [{table}]\n\n");
            let (_, section) =
                page.split_once(&heading).unwrap_or_else(|| panic!("no section for [{table}]"));
            let found = section.split("\n\n").next().unwrap().trim_end();
            assert!(found == expected.trim_end(), "put this below [{table}]:\n{expected}");
        }
    }
}

/// What a feature declares in its own module: a table of its own, with flags that the role has.
mod a_section_of_its_own {
    use metalbond::settings::{NUMBER, Rows, SWITCH, Section, Setting, TEXT, Target};
    use metalbond::{many, maybe, one};

    use super::*;
    use crate::cli::role::{Role, read};

    #[derive(Clone, PartialEq, Debug, Default)]
    struct Federation {
        servers: Vec<String>,
        site: Option<String>,
        most: u64,
        is_quiet: bool,
    }

    impl Target for Federation {
        type Shown = ();
    }

    static FEDERATION: Section<Federation> = Section::of_table(
        "federation",
        &[
            Setting::new("servers", many!(Federation: servers, TEXT)).flag("federation"),
            Setting::new("site", maybe!(Federation: site, TEXT)).reloaded(),
            Setting::new("most", one!(Federation: most, NUMBER)).flag("federation-most"),
            Setting::new("quiet", one!(Federation: is_quiet, SWITCH)).flag("federation-quiet"),
        ],
    );

    static ROLE: Role = Role::new("server", || vec![&FEDERATION as &dyn Rows]);

    fn of(file: &str, flags: &[&str]) -> Result<(Federation, Effective), Vec<String>> {
        let file = File::parse("x.toml".as_ref(), file)?;
        let role = ROLE.augment(Command::new("server"));
        let wrong = [file.unknown(&keys([&ROLE])), wrong_in_file(&file, &ROLE, &role)].concat();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let words = ["server"].into_iter().chain(flags.iter().copied());
        let command = with_defaults(role.clone(), &ROLE, Some(&file));
        let matches = command.try_get_matches_from(words).unwrap();
        let effective = Effective::new(&ROLE, &role, &matches, Some(&file));
        Ok((read(&[&FEDERATION], &matches), effective))
    }

    #[test]
    fn is_read_from_its_table_and_from_flags() {
        let file = "[server]\nverbose = true\n[federation]\nservers = [\"a\", \"b\"]\nmost = 7\n";
        let (federation, effective) = of(file, &["--site", "fra1", "--federation-most=8"]).unwrap();
        let servers = vec!["a".to_owned(), "b".to_owned()];
        let expected =
            Federation { servers, site: Some("fra1".to_owned()), most: 8, is_quiet: false };
        assert_eq!(federation, expected);
        let text = effective.to_string();
        let (_, own) = text.split_once("[federation]\n").unwrap();
        assert_eq!(
            own,
            "servers = [\"a\", \"b\"] # file: x.toml:4\nsite = \"fra1\" # flag\n\
             most = 8 # flag\nquiet = false # default\n"
        );
        assert!(text.starts_with("[server]\nverbose = true # file: x.toml:2\n"), "{text}");
    }

    #[test]
    fn says_what_is_wrong_in_it() {
        assert_eq!(
            of("[federation]\nsites = \"a\"\n", &[]).unwrap_err(),
            ["x.toml:2: unknown key \"sites\" in [federation]; the nearest is site"]
        );
        assert_eq!(
            of("[federation]\nmost = \"a\"\n", &[]).unwrap_err(),
            [
                "x.toml:2: invalid value 'a' for '--federation-most <N>': invalid digit found in string"
            ]
        );
    }

    #[test]
    fn tells_of_changes_with_its_table() {
        let (_, old) = of("[federation]\nsite = \"a\"\n", &[]).unwrap();
        let (_, new) = of("[federation]\nsite = \"b\"\n", &[]).unwrap();
        let changes = old.changes(&new);
        assert_eq!((&*changes[0].key, changes[0].reload), ("[federation] site", Reload::Yes));
    }
}
