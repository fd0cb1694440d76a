//! The rules of the source tree that no lint knows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

mod imports;
mod log_lines;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that know no clock, socket, thread or randomness.
const PURE: &[&str] = &[
    "access",
    "dataplane",
    "portable",
    "wire",
    "session",
    "table",
    "outbox",
    "shard",
    "metrics",
    "netlink/fib",
];

/// What would make them impure.
const IMPURE: &[&str] = &[
    "std::thread",
    "Instant::now",
    "SystemTime",
    "TcpStream",
    "UdpSocket",
    "tokio::",
    "socket2::",
    "libc::",
    "rustix::",
    "Mutex",
    "RwLock",
    "Atomic",
    "RandomState::new",
    "thread_rng",
    "std::fs",
    "std::env",
];

/// Lines of code past which a file has more than one job.
const LINES_MAX: usize = 500;

#[test]
fn pure_folders_stay_pure() {
    let mut found = Vec::new();
    for folder in PURE {
        for file in sources(&root().join("src").join(folder)) {
            if is_test(&file) {
                continue;
            }
            for (number, line) in code(&file) {
                found.extend(
                    IMPURE
                        .iter()
                        .filter(|word| line.contains(*word))
                        .map(|word| format!("{}:{number}: {word}", file.display())),
                );
            }
        }
    }
    assert!(found.is_empty(), "impure code in a pure folder:\n{}", found.join("\n"));
}

/// Without its feature `runtime-rng` ahash has the same keys in every process, so whoever chooses what a map
/// holds can choose what collides. Maps get a hasher with random seeds, and the simulator its own.
#[test]
fn maps_have_random_keys() {
    let fixed = ["AHashMap::new", "AHashMap::default", "AHashMap::with_capacity(", "AHashSet::new"];
    let fixed =
        [&fixed[..], &["AHashSet::default", "ahash::RandomState::new", "RandomState::default"]];
    let mut found = Vec::new();
    for file in sources(&root().join("src")) {
        for (number, line) in code(&file) {
            let words = fixed.concat().into_iter().filter(|word| line.contains(word));
            found.extend(words.map(|word| format!("{}:{number}: {word}", file.display())));
        }
    }
    assert!(found.is_empty(), "hash maps with known keys:\n{}", found.join("\n"));
}

#[test]
fn unsafe_stays_in_the_io_folder() {
    let io = root().join("src/io");
    let mut found = Vec::new();
    for file in sources(&root().join("src")) {
        if file.starts_with(&io) {
            continue;
        }
        for (number, line) in code(&file) {
            if line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe") {
                found.push(format!("{}:{number}", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "unsafe outside src/io:\n{}", found.join("\n"));
}

#[test]
fn files_stay_small() {
    let mut found = Vec::new();
    for folder in ["src", "tests", "loadgen", "benches"] {
        for file in sources(&root().join(folder)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > LINES_MAX {
                found.push(format!("{}: {lines} lines", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "files to cut up:\n{}", found.join("\n"));
}

/// One way to skip a test, so that each is counted, and fails where none may be skipped.
#[test]
fn tests_are_skipped_by_the_macro_alone() {
    let mut found = Vec::new();
    for folder in ["src", "tests", "loadgen"] {
        for file in sources(&root().join(folder)) {
            if file.starts_with(root().join("tests/support"))
                || file.starts_with(root().join("tests/tidy"))
            {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap().to_lowercase();
            for (number, line) in (1..).zip(text.lines()) {
                let says_so = line.contains("print") && line.contains("skipped");
                if says_so || line.contains("metalbond_test_strict") {
                    found.push(format!("{}:{number}", file.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "tests to skip with support::skip!:\n{}", found.join("\n"));
}

#[test]
fn the_packages_that_tests_need_are_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let command = readme.split("apt-get install ").nth(1).unwrap().split("```").next().unwrap();
    let named: BTreeSet<_> = command.split_whitespace().filter(|word| *word != "\\").collect();
    let needed: BTreeSet<_> = support::packages().map(|(_, package)| package).collect();
    assert_eq!(named, needed);
}

#[test]
fn the_oldest_compiler_is_the_same_everywhere() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    for (path, claim) in [
        ("README.md", format!("Rust {oldest} or newer")),
        ("docs/operations.md", format!("Rust {oldest} or newer")),
        ("deploy/docker/Dockerfile", format!("RUST_VERSION={oldest}\n")),
    ] {
        assert!(read(path).contains(&claim), "{path} doesn't say {claim:?}");
    }
}

/// Who makes a release changes it in all of them.
#[test]
fn the_version_is_the_same_everywhere() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let image = format!("image: metalbond:{version}\n");
    for (path, claim) in [
        ("deploy/kubernetes/client/daemonset.yaml", &image),
        ("deploy/kubernetes/proxy/daemonset.yaml", &image),
        ("deploy/kubernetes/server/deployment.yaml", &image),
        ("deploy/kubernetes/server-daemonset/daemonset.yaml", &image),
        (
            "deploy/helm/metalbond/Chart.yaml",
            &format!("\nversion: {version}\nappVersion: {version}\n"),
        ),
        ("docs/kubernetes.md", &format!("`metalbond:{version}`")),
        ("docs/operations.md", &format!("metalbond_{version}-1_")),
    ] {
        assert!(read(path).contains(claim), "{path} doesn't say {claim:?}");
    }
}

/// A reader who looks a term up goes on in the source.
#[test]
fn the_glossary_names_files_that_exist_and_terms_in_order() {
    let text = fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let tables = text.split("\n\n").filter(|part| part.starts_with("| term |"));
    let own: Vec<_> = tables.clone().nth(1).map(rows).unwrap();
    assert!(own.is_sorted_by_key(|(term, _)| term.to_lowercase()), "{own:?}");
    for row in tables.flat_map(|table| table.lines().skip(2)) {
        let place = row.split('`').rev().nth(1).unwrap();
        assert!(root().join(place).exists(), "there is no {place}: {row}");
    }
}

/// A bound that no test fills may not hold.
#[test]
fn every_bound_names_tests_that_fill_it() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let section = text.split("\n## Queues, bounds, and what happens there\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let parts = section.split("\n\n").map(str::trim);
    let tables: Vec<_> = parts.filter(|part| part.starts_with("| queue |")).collect();
    let [bounds, tests] = tables[..] else { panic!("a table of bounds and one of tests") };
    let names = |table| rows(table).into_iter().map(|(bound, _)| bound).collect::<Vec<_>>();
    assert_eq!(names(bounds), names(tests), "each bound has a row of tests, in the same order");
    let known = tests_by_name();
    for (bound, tests) in rows(tests) {
        let named: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test fills the bound of {bound}");
        for test in named {
            assert!(known.contains(test), "no test is named {test}: {bound}");
        }
    }
}

/// An attack that no test runs may succeed.
#[test]
fn every_attack_names_tests_that_run_it() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let tables = text.split("\n\n").filter(|part| part.starts_with("| attack |"));
    let known = tests_by_name();
    let mut count = 0;
    for attack in tables.flat_map(|table| table.lines().skip(2)) {
        let tests = attack.split('|').nth(3).unwrap();
        let named: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test runs {attack}");
        for test in named {
            assert!(known.contains(test), "no test is named {test}: {attack}");
        }
        count += 1;
    }
    assert!(count > 0, "no attack is named");
}

/// The first two cells of each row of a table.
fn rows(table: &str) -> Vec<(&str, &str)> {
    let cells = table.lines().skip(2).map(|row| row.split('|').skip(1).map(str::trim));
    cells.map(|mut cells| (cells.next().unwrap(), cells.next().unwrap())).collect()
}

/// The names of all tests, without their modules.
fn tests_by_name() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in ["src", "tests"].into_iter().flat_map(|folder| sources(&root().join(folder))) {
        let text = fs::read_to_string(file).unwrap();
        // Attributes may come in between.
        let marks =
            ["#[test]", "#[tokio::test"].into_iter().flat_map(|mark| text.split(mark).skip(1));
        let tests = marks.filter_map(|after| after.split("fn ").nth(1));
        found.extend(tests.filter_map(|test| Some(test.split('(').next()?.to_owned())));
        // Scripts that run on each back end, or in a browser.
        let lists =
            ["on_each_io!(", "on_page!("].into_iter().flat_map(|list| text.split(list).skip(1));
        let scripts = lists.filter_map(|list| list.split(')').next());
        found.extend(scripts.flat_map(|list| list.split(',').map(|name| name.trim().to_owned())));
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn is_test(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "tests")
        || file.file_name().is_some_and(|name| name == "tests.rs")
}

/// All Rust files below a folder, in a fixed order.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Numbered lines of code: no comments, nothing below the tests at a file's end.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    (1..)
        .zip(text.lines())
        .take_while(|(_, line)| *line != "mod tests {")
        .map(|(number, line)| (number, line.split("//").next().unwrap_or("").to_owned()))
        .collect()
}
