//! Manual pages, as `metalbond man` writes them.

use std::path::Path;
use std::process::Command;

use crate::ctl::Folder;
use crate::process::BINARY;

/// Writes all pages into a folder.
fn all() -> Folder {
    let folder = Folder::new();
    let status = Command::new(BINARY).args(["man", "--all", &folder.path("")]).status();
    assert!(status.unwrap().success());
    folder
}

/// The sections of a page: their titles and what is in them.
fn sections(page: &str) -> Vec<(String, String)> {
    let sections = page.split(".SH ").skip(1);
    sections
        .map(|section| {
            let (title, text) = section.split_once('\n').unwrap();
            (title.replace('"', ""), text.replace('\\', ""))
        })
        .collect()
}

#[test]
fn they_tell_how_it_ends_and_what_it_goes_by() {
    let folder = all();
    for (page, expected) in [
        (
            "server",
            [
                ("EXIT STATUS", &["0", "1", "2"][..]),
                ("SIGNALS", &["SIGTERM", "SIGINT", "SIGHUP", "5 seconds"]),
                ("FILES", &["/etc/metalbond/server.toml", "/run/metalbond/control.sock"]),
                ("ENVIRONMENT", &["METALBOND_CONFIG", "METALBOND_MAX_PEERS", "RUST_LOG"]),
            ],
        ),
        (
            "client",
            [
                ("EXIT STATUS", &["0", "1", "2"]),
                ("SIGNALS", &["SIGTERM", "SIGINT", "SIGHUP", "--cleanup"]),
                ("FILES", &["/etc/metalbond/client.toml"]),
                ("ENVIRONMENT", &["METALBOND_EXCLUDE_ROUTE_TYPE", "also when it is empty"]),
            ],
        ),
        (
            "proxy",
            [
                ("EXIT STATUS", &["0", "1", "2"]),
                ("SIGNALS", &["SIGTERM", "SIGINT", "SIGHUP", "5 seconds"]),
                ("FILES", &["/etc/metalbond/proxy.toml", "/run/metalbond-proxy/control.sock"]),
                ("ENVIRONMENT", &["METALBOND_CONFIG", "METALBOND_STALE_TIME"]),
            ],
        ),
        (
            "ctl",
            [
                ("EXIT STATUS", &["0", "1", "2"]),
                ("SIGNALS", &["SIGINT, SIGTERM, SIGHUP"]),
                ("FILES", &["/run/metalbond/control.sock", "FILE.part"]),
                ("ENVIRONMENT", &["METALBOND_CONTROL", "--socket"]),
            ],
        ),
    ] {
        let page = std::fs::read_to_string(folder.path(&format!("metalbond-{page}.1"))).unwrap();
        let sections = sections(&page);
        for (title, words) in expected {
            let section = sections.iter().find(|(found, _)| found == title);
            let (_, text) = section.unwrap_or_else(|| panic!("no {title} in:\n{page}"));
            for word in words {
                assert!(text.contains(word), "no {word} in {title}:\n{text}");
            }
        }
    }
}

#[test]
fn they_have_all_subcommands_and_nothing_that_man_warns_of() {
    let folder = all();
    let files = std::fs::read_dir(&folder.0).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    for name in ["metalbond", "metalbond-check-config-client", "metalbond-ctl-show-routes"] {
        assert!(files.contains(&folder.0.join(format!("{name}.1"))), "no {name} in {files:?}");
    }
    if let Some(missing) = support::missing(&["man"]) {
        support::skip!(missing);
    }
    for file in &files {
        assert_eq!(warnings(file), "", "{}", file.display());
    }
}

fn warnings(page: &Path) -> String {
    let output = Command::new("man").args(["--warnings", "--local-file"]).arg(page).output();
    String::from_utf8_lossy(&output.unwrap().stderr).into_owned()
}
