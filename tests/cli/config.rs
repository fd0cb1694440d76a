//! Flags, environment and file; `check-config`; SIGHUP.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::{BINARY, Process, sentence};
use support::client::Client;

/// A file that ends with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("metalbond-config-{}-{n}.toml", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.write(text);
        file
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// Exit status, standard output, standard error.
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(BINARY);
    command.args(arguments).envs(environment.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let stderr = text(stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
    (status.code().unwrap(), text(stdout), stderr)
}

/// What a configuration that is right comes to.
fn effective(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let (code, out, err) = run(&[&["check-config"], arguments].concat(), environment);
    assert!(code == 0 && err.is_empty(), "{err}");
    out
}

/// What is wrong with one that is not, as both ways to find out say it.
fn wrong(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let (code, out, err) = run(&[&["check-config"], arguments].concat(), environment);
    assert!(code == 1 && out.is_empty(), "{code} {out} {err}");
    let (code, _, printed) = run(arguments, environment);
    assert!(code != 0 && printed == err, "{printed} is not {err}");
    err
}

fn has_line(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "{line:?} not in:\n{text}");
}

#[test]
fn flags_go_first_then_the_environment_then_the_file() {
    let file = Scratch::new(
        "[server]\nmax-peers = 1\nkeepalive = 2\nsend-hold = \"3s\"\nallow = [\"::1\"]\n\
         [client]\nserver = [\"rr1\", \"rr2\"]\nstale-time = \"1s\"\nrt-proto = 7\nsubscribe = [1, 2]\n",
    );
    let at = |line: u32| format!("file: {}:{line}", file.path());
    let environment = [("METALBOND_MAX_PEERS", "10"), ("METALBOND_KEEPALIVE", "20")];
    let server = ["--config", file.path(), "server", "--max-peers", "100"];
    let text = effective(&server, &environment);
    has_line(&text, "[server]");
    has_line(&text, "max-peers = 100 # flag");
    has_line(&text, "keepalive = 20 # environment: METALBOND_KEEPALIVE");
    has_line(&text, &format!("send-hold = \"3s\" # {}", at(4)));
    has_line(&text, &format!("allow = [\"::1\"] # {}", at(5)));
    has_line(&text, "batch-delay = \"1ms\" # default");

    let environment = [
        ("METALBOND_CONFIG", file.path()),
        ("METALBOND_SUBSCRIBE", "3,4"),
        ("METALBOND_RT_PROTO", "8"),
        ("METALBOND_IPV4_ONLY", "true"),
    ];
    let text = effective(&["client", "--rt-proto", "9"], &environment);
    has_line(&text, "rt-proto = 9 # flag");
    has_line(&text, "subscribe = [3, 4] # environment: METALBOND_SUBSCRIBE");
    has_line(&text, "ipv4-only = true # environment: METALBOND_IPV4_ONLY");
    has_line(&text, &format!("server = [\"rr1\", \"rr2\"] # {}", at(7)));
    has_line(&text, "keepalive = 5 # default");

    // Without a role: every table, and what is printed says the same when it is read.
    let text = effective(&[], &environment[..1]);
    has_line(&text, "[server]");
    has_line(&text, "[client]");
    let again = Scratch::new(&text);
    let text = effective(&["--config", again.path()], &[]);
    let value = text.lines().find(|line| line.starts_with("send-hold")).unwrap();
    assert!(value.starts_with("send-hold = \"3s\" # file: "), "{value}");
}

/// As a template of a manifest leaves it.
#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let file =
        Scratch::new("[client]\nserver = \"rr1\"\ntun = \"t\"\nrt-proto = 7\nsubscribe = 1\n");
    for arguments in [&["server"][..], &["--config", file.path(), "client"]] {
        let expected = effective(arguments, &[]);
        let keys = expected
            .lines()
            // Keys of that table are named otherwise than their flags.
            .take_while(|line| *line != "[federation]")
            .filter_map(|line| line.trim_start_matches("# ").split_once([' ']).map(|(key, _)| key));
        let of_table = ["federation", "site", "federation-plane", "federation-stale-time"];
        let of_table = of_table.into_iter().filter(|_| arguments == ["server"]);
        let names: Vec<_> = keys
            .chain(of_table)
            .chain(["config"])
            .filter(|key| *key != "exclude-route-type")
            .map(|key| format!("METALBOND_{}", key.replace('-', "_").to_ascii_uppercase()))
            .collect();
        assert!(names.iter().any(|name| name == "METALBOND_HTTP") && names.len() > 15, "{names:?}");
        let empty: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(effective(arguments, &empty), expected);
    }
    // What an empty list of types says is something else.
    let none = [("METALBOND_EXCLUDE_ROUTE_TYPE", "")];
    let text = effective(&["client", "--server", "rr1"], &none);
    has_line(&text, "exclude-route-type = \"\" # environment: METALBOND_EXCLUDE_ROUTE_TYPE");
}

#[test]
fn unknown_keys_are_told_with_the_nearest() {
    let file =
        Scratch::new("[server]\nlisten = \"[::1]:0\"\nmax_peers = 1\n[client]\ntunn = \"x\"\n");
    let text = wrong(&["server", "--config", file.path()], &[]);
    let place = format!("metalbond: {}:3: unknown key \"max_peers\" in [server]", file.path());
    assert!(text.contains(&place) && text.contains("the nearest is max-peers"), "{text}");
    assert!(text.contains(":5: unknown key \"tunn\" in [client]; the nearest is tun"), "{text}");
    for text in ["[serve]\n", "[[server2]]\n"] {
        let file = Scratch::new(text);
        let text = wrong(&["server", "--config", file.path()], &[]);
        assert!(text.contains("unknown table") && text.contains("nearest is [server]"), "{text}");
    }
}

#[test]
fn malformed_values_are_told_with_their_place() {
    let file = Scratch::new("[server]\nmax-peers = \"many\"\n\n[client]\nannounce = [\"23\"]\n");
    let text = wrong(&["server", "--config", file.path()], &[]);
    let expected = format!("{}:2: invalid value 'many' for '--max-peers <N>'", file.path());
    assert!(sentence(&text).contains(&expected), "{text}");
    let text = wrong(&["client", "--config", file.path(), "--server", "rr1"], &[]);
    assert!(sentence(&text).contains(":5: invalid value '23' for '--announce"), "{text}");
    let text = wrong(&["server"], &[("METALBOND_DENY", "::/0,10.1.0.0/8")]);
    assert!(text.contains("METALBOND_DENY: ") && text.contains("10.0.0.0/8"), "{text}");
    let text = wrong(&["server", "--config", "/nonexistent.toml"], &[]);
    assert!(sentence(&text).contains("cannot read /nonexistent.toml (--config)"), "{text}");
    let file = Scratch::new("[server\n");
    let text = wrong(&["server", "--config", file.path()], &[]);
    assert!(sentence(&text).contains(".toml:1: "), "{text}");
    for (flag, value, printed) in [
        ("--send-hold", "0", "--send-hold 0 is not allowed"),
        ("--batch-delay", "500s", "--batch-delay 500s is above the maximum of 1s"),
        ("--max-peers", "0", "--max-peers 0 would accept no session"),
    ] {
        let text = wrong(&["server", flag, value], &[]);
        assert!(sentence(&text).contains(printed), "{text}");
    }
    effective(&["server", "--batch-delay", "1s", "--max-peers", "1", "--send-hold", "1s"], &[]);
}

#[test]
fn what_is_missing_or_mistyped_is_reported() {
    let (code, _, err) = run(&["check-config", "proxy"], &[]);
    assert!(code == 1 && err.contains("--server"), "{err}");
    for text in ["[proxy]\n", "[proxy]\nserver = []\n", "[server]\n"] {
        let file = Scratch::new(text);
        let text = wrong(&["proxy", "--config", file.path()], &[("METALBOND_SERVER", "")]);
        let printed =
            format!("{}: \"server\" is missing in [proxy]; set it there, with ", file.path());
        assert!(sentence(&text).contains(&printed) && text.contains("METALBOND_SERVER"), "{text}");
    }
    let (code, _, err) = run(&["check-config", "server", "--max-peers", "x"], &[]);
    assert!(code == 1 && err.contains("--max-peers"), "{err}");
    let (code, out, err) = run(&["check-config"], &[("METALBOND_MAX_PEER", "1")]);
    assert!(code == 0 && err.contains("perhaps METALBOND_MAX_PEERS is meant"), "{err}");
    has_line(&out, "max-peers = 65536 # default");
    let (code, out, err) = run(&["check-config", "server", "--send-hold", "5ms"], &[]);
    assert!(code == 0 && err.contains("--send-hold 5ms is less than"), "{err}");
    has_line(&out, "send-hold = \"5ms\" # flag");
}

/// A server whose file can be changed.
fn start(file: &Path) -> Process {
    Process::start(&["--config", file.to_str().unwrap()])
}

#[test]
fn a_lowered_limit_takes_effect_at_a_signal() {
    let file = Scratch::new("[server]\n");
    let server = start(&file.0);
    let mut first = Client::establish(server.address());
    file.write(
        "[server]\nmax-peers = 1\nlisten = \"[::]:1\"\nlog-level = \"debug\"\nio = \"epoll\"\n",
    );
    server.signal("HUP");
    server.logged("reloaded max-peers: 65536 -> 1", '\n');
    server.logged("io changed in the file, but needs a restart", '\n');
    Client::connect(server.address()).expect_closed();
    server.logged("limit max-peers (1) reached", '\n');
    // The flag that gives the address still goes first.
    assert!(!server.log().contains("listen changed"), "{}", server.log());
    first.keepalive();
    file.write("[server]\nlog-level = \"debug\"\nno-pacing = true\n");
    server.signal("HUP");
    server.logged("reloaded no-pacing: false -> true, for new sessions", '\n');
    server.logged("reloaded max-peers: 1 -> 65536", '\n');
    let _second = Client::establish(server.address());
    server.logged("connection accepted", '\n');
    server.signal("HUP");
    server.logged("nothing has changed", '\n');
    file.write("[server]\nsend-hold = \"5ms\"\n");
    server.signal("HUP");
    server.logged("--send-hold 5ms is less than", '\n');
    server.logged("reloaded send-hold: 90s -> 5ms", '\n');
}

#[test]
fn a_new_list_closes_sessions_at_a_signal() {
    let file = Scratch::new("[server]\n");
    let server = start(&file.0);
    let mut kept = Client::establish((Ipv6Addr::LOCALHOST, server.port()).into());
    let mut denied = Client::establish((Ipv4Addr::LOCALHOST, server.port()).into());
    file.write("[server]\nallow = \"::1\"\n");
    server.signal("HUP");
    denied.expect_closed();
    server.logged("source is denied by the access list", '\n');
    kept.keepalive();
    Client::connect((Ipv4Addr::LOCALHOST, server.port()).into()).expect_closed();
    server.logged("connection refused", '\n');
}

/// As a full disk or an editor that truncates leaves it.
#[test]
fn a_file_without_its_table_changes_nothing() {
    let file = Scratch::new("[server]\nallow = \"127.0.0.1\"\n");
    let server = start(&file.0);
    server.logged("reflector started", '\n');
    for text in ["", "# nothing\n", "[client]\nserver = \"rr1\"\n"] {
        file.write(text);
        server.signal("HUP");
        server.logged("not reloaded, everything stays as it was", '\n');
        server.logged(&format!("{} has no table [server]", file.path()), '\n');
        Client::connect((Ipv6Addr::LOCALHOST, server.port()).into()).expect_closed();
    }
    file.write("[server]\n");
    server.signal("HUP");
    server.logged("reloaded allow: 127.0.0.1 -> nothing", '\n');
    Client::establish((Ipv6Addr::LOCALHOST, server.port()).into());
    file.write("");
    let server = start(&file.0);
    server.logged("WARN", '\n');
    server.logged(&format!("{} has no table [server]", file.path()), '\n');
}

#[test]
fn a_broken_file_changes_nothing() {
    let file = Scratch::new("[server]\nmax-peers = 2\n");
    let mut server = start(&file.0);
    let mut first = Client::establish((Ipv4Addr::LOCALHOST, server.port()).into());
    for (text, printed) in [
        ("[server]\nmax-peers = 1\nsend-holt = \"1s\"\n", "the nearest is send-hold"),
        ("[server]\nmax-peers = 1\ndeny = [\"127.0.0.1/8\"]\n", "is 127.0.0.0/8"),
        ("[server]\nmax-peers = 1\nsend-hold = 0\n", "--send-hold 0 is not allowed"),
        (
            "[server]\nmax-peers = 1\nbatch-delay = \"2s\"\n",
            "--batch-delay 2s is above the maximum of 1s",
        ),
        ("[server]\nmax-peers = 0\n", "--max-peers 0 would accept no session"),
        ("[server]\nmax-peers = 1\n[", "everything stays as it was"),
    ] {
        file.write(text);
        server.signal("HUP");
        server.logged(printed, '\n');
    }
    assert!(!server.log().contains("reloaded max-peers"), "{}", server.log());
    first.keepalive();
    let _second = Client::establish(server.address());
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
}

#[test]
fn a_leaf_takes_up_its_log_level_at_a_signal() {
    let server = Process::start(&[]);
    let file = Scratch::new("[client]\n");
    let leaf = server.client(&["--config", file.path()]);
    leaf.logged("session established", '\n');
    file.write("[client]\nlog-level = \"debug\"\nstale-time = \"1s\"\n");
    leaf.signal("HUP");
    leaf.logged("reloaded log-level: info -> debug", '\n');
    leaf.logged("stale-time changed in the file, but needs a restart", '\n');
}

#[test]
fn a_port_alone_is_on_the_loopback() {
    let server = Process::start(&["--http", "0"]);
    server.logged("http=127.0.0.1:", ' ');
}

#[test]
fn completions_and_manual_pages_know_the_flags() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = run(&["completions", shell], &[]);
        assert!(code == 0 && out.contains("max-peers-per-source"), "{shell}");
    }
    let (code, out, _) = run(&["man", "server"], &[]);
    assert!(code == 0 && out.contains("METALBOND_MAX_PEERS"), "{out}");
    let (code, out, _) = run(&["man"], &[]);
    assert!(code == 0 && out.contains("check"), "{out}");
    let (code, _, err) = run(&["man", "nonsense"], &[]);
    assert!(code == 1 && sentence(&err).contains("check-config"), "{err}");
}
