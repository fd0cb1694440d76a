//! What the programs log is what docs/operations.md lists.

use std::collections::BTreeSet;
use std::fs;

use super::{is_test, root, sources};

/// Macros of lines that operators see unless they ask for fewer.
const MACROS: [&str; 3] = ["info!(", "warn!(", "error!("];
/// Where a line's phrase ends.
const ENDS: [char; 5] = [':', ';', '{', '(', ','];

/// The literals in a macro's arguments, which begin behind its bracket; of the text only the beginning is looked at.
fn literals(arguments: &str) -> Vec<String> {
    let (mut found, mut depth) = (Vec::new(), 1);
    let mut literal: Option<String> = None;
    let mut chars = arguments.chars().peekable();
    while let Some(c) = chars.next() {
        match (&mut literal, c) {
            (Some(_), '"') => found.extend(literal.take()),
            (Some(text), '\\') => match chars.next() {
                // A line goes on.
                Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                escaped => text.extend(escaped),
            },
            (Some(text), c) => text.push(c),
            (None, '"') => literal = Some(String::new()),
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return found,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
    }
    found
}

/// What lines begin with: each with the file that it is in.
fn phrases() -> BTreeSet<(String, String)> {
    let mut phrases = BTreeSet::new();
    for file in sources(&root().join("src")).into_iter().filter(|file| !is_test(file)) {
        let text = fs::read_to_string(&file).unwrap();
        for part in MACROS.iter().flat_map(|name| text.split(name).skip(1)) {
            let Some(message) = literals(part).pop() else { continue };
            let phrase = message.split(ENDS).next().unwrap_or_default().trim();
            // Some say what a configuration is remarked on for, or name a flag.
            if !phrase.is_empty() && !phrase.starts_with("--") {
                phrases.insert((phrase.to_owned(), file.display().to_string()));
            }
        }
    }
    phrases
}

#[test]
fn operators_find_each_log_line_and_what_to_do() {
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let section = page.split("\n## Log lines\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let listed: BTreeSet<_> = section.split('`').skip(1).step_by(2).collect();
    let phrases = phrases();
    assert!(phrases.len() > 90, "{}", phrases.len());
    let is_listed = |phrase: &str| {
        listed.contains(phrase) || listed.iter().any(|it| it.starts_with(&format!("{phrase} ")))
    };
    let missing: Vec<_> = phrases.iter().filter(|(phrase, _)| !is_listed(phrase)).collect();
    assert!(missing.is_empty(), "not in docs/operations.md, \"Log lines\": {missing:#?}");
    let known: BTreeSet<_> = phrases.iter().map(|(phrase, _)| phrase.as_str()).collect();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    let named = first.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let is_known = |phrase: &str| {
        known.iter().any(|it| phrase == *it || phrase.starts_with(&format!("{it} ")))
    };
    let stale: Vec<_> = named.filter(|phrase| !is_known(phrase)).collect();
    assert!(stale.is_empty(), "listed, and logged nowhere: {stale:#?}");
}
