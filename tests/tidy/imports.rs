//! Which folder of the sources imports which: each folder's header says it, and here it is kept.
//!
//! A header (`mod.rs`) has a line `//! Imports: ids, wire.`, or `//! Imports: nothing.`: top-level modules of the
//! crate, in order, which its files and those of the folders in it name outside their tests. A folder in a folder
//! may have such a line too, which then also names the parts of the outer folder: `netlink::model`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{code, is_test, root, sources};

/// What a folder imports.
type Imports = BTreeSet<String>;

#[test]
fn folders_import_what_their_headers_say() {
    let mut wrong = Vec::new();
    for (folder, header) in headers() {
        let named = imports(&folder);
        match declared(&header) {
            Some(declared) if declared == named => {}
            None if folder.contains('/') => {}
            _ => wrong
                .push(format!("src/{folder}/mod.rs should end its header with:\n{}", line(&named))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// So that each folder can be read, and tested, without those that stand on it.
#[test]
fn folders_import_one_way() {
    let folders = headers().into_iter().filter(|(folder, _)| !folder.contains('/'));
    let mut left: BTreeMap<_, _> =
        folders.map(|(folder, _)| (folder.clone(), imports(&folder))).collect();
    // Takes away, again and again, what imports nothing that is left.
    loop {
        let names: BTreeSet<_> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, imports| !imports.is_disjoint(&names));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "folders that import each other in circles: {left:#?}");
}

/// A leaf that embeds no reflector has none linked in, as long as only what starts one calls it.
#[test]
fn the_leaf_names_the_reflector_where_it_embeds_one() {
    let client = root().join("src/client");
    let names = |file: &PathBuf| {
        let module = module(file.strip_prefix(root().join("src")).unwrap());
        let text: Vec<_> = code(file).into_iter().map(|(_, line)| line).collect();
        paths(&text.join("\n"), &module).iter().any(|path| path[0] == "reflector")
    };
    let files = sources(&client).into_iter().filter(|file| !is_test(file) && names(file));
    let files: Vec<_> = files.map(|file| file.strip_prefix(&client).unwrap().to_owned()).collect();
    assert_eq!(files, ["embedded.rs"].map(PathBuf::from));
}

#[test]
fn the_crate_says_what_every_folder_is() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let folders = headers().into_iter().filter(|(folder, _)| !folder.contains('/'));
    let is_named = |folder: &str| {
        text.lines().any(|line| {
            let name = line.strip_prefix("//! * ").map(|rest| rest.trim_start_matches(['[', '`']));
            name.is_some_and(|name| name.starts_with(&format!("{folder}`")))
        })
    };
    let missing: Vec<_> = folders.filter(|(folder, _)| !is_named(folder)).collect();
    assert!(missing.is_empty(), "src/lib.rs doesn't say what these are: {missing:?}");
}

/// The folders of the sources, without those of tests, by their paths in `src`; and their headers.
fn headers() -> Vec<(String, String)> {
    let src = root().join("src");
    let headers = sources(&src)
        .into_iter()
        .filter(|file| file.file_name().is_some_and(|name| name == "mod.rs") && !is_test(file));
    headers
        .map(|file| {
            let folder = file.parent().unwrap().strip_prefix(&src).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            let header = text.lines().take_while(|line| line.starts_with("//!"));
            (folder.to_str().unwrap().to_owned(), header.collect::<Vec<_>>().join("\n"))
        })
        .collect()
}

/// What a header says that its folder imports.
fn declared(header: &str) -> Option<Imports> {
    let (_, list) = header.split_once("//! Imports: ")?;
    let list = list.split_once('.')?.0.replace("\n//!", "");
    let names = list.split(',').map(|name| name.trim().to_owned());
    Some(names.filter(|name| name != "nothing").collect())
}

/// The line of a header that says it.
fn line(imports: &Imports) -> String {
    let names: Vec<_> = imports.iter().map(String::as_str).collect();
    let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    format!("//!\n//! Imports: {names}.")
}

/// What the files of a folder name that is not in it.
fn imports(folder: &str) -> Imports {
    let src = root().join("src");
    let own: Vec<_> = folder.split('/').map(str::to_owned).collect();
    let mut found = Imports::new();
    for file in sources(&src.join(folder)).iter().filter(|file| !is_test(file)) {
        let text: Vec<_> = code(file).into_iter().map(|(_, line)| line).collect();
        let module = module(file.strip_prefix(&src).unwrap());
        for path in paths(&text.join("\n"), &module) {
            found.extend(outside(&path, &own));
        }
    }
    found
}

/// The module of a file.
fn module(file: &Path) -> Vec<String> {
    let mut parts: Vec<_> =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// What a path, from the crate's root, is for a folder's header; `None` inside the folder.
fn outside(path: &[String], own: &[String]) -> Option<String> {
    let is_module = |parts: &[String]| {
        let place = root().join("src").join(parts.join("/"));
        place.is_dir() || place.with_extension("rs").is_file()
    };
    let shared = path.iter().zip(own).take_while(|(one, other)| one == other).count();
    if shared == own.len() {
        return None;
    }
    // As far as the paths are the same, and one part more.
    let shown = path.get(..=shared).filter(|parts| is_module(parts));
    match shown {
        Some(parts) => Some(parts.join("::")),
        // What the outer folder itself defines or hands on.
        None if shared > 0 => Some(own[..shared].join("::")),
        // A function or type of the crate's root.
        None => None,
    }
}

/// All paths in a text that begin at the crate's root or go up from `module`, from the root.
fn paths(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "metalbond::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut rest = &text[at..];
            let mut base = module.to_vec();
            if start == "super::" {
                while let Some(further) = rest.strip_prefix("super::") {
                    base.pop();
                    rest = further;
                }
            } else {
                base.clear();
                rest = &rest[start.len()..];
            }
            found.extend(tree(rest).into_iter().map(|path| [&base[..], &path].concat()));
        }
    }
    found
}

/// The paths of a `use` at the beginning of a text: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn tree(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(inner) = text.strip_prefix('{') {
        let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    parts.push(&inner[begin..at]);
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&inner[begin..at]);
                    begin = at + 1;
                }
                _ => {}
            }
        }
        return parts.into_iter().flat_map(tree).collect();
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return Vec::new();
    }
    let further = rest.strip_prefix("::").map(tree).filter(|paths| !paths.is_empty());
    let further = further.unwrap_or_else(|| vec![Vec::new()]);
    further.into_iter().map(|path| [vec![name.to_owned()], path].concat()).collect()
}

#[test]
fn paths_are_found_in_code() {
    let text = "use crate::{wire::{Vni, Update}, ids};\nuse super::super::table::Rib;\nlet a = crate::io::Stream::new();";
    let module = ["netlink", "fib", "plan"].map(str::to_owned);
    let found: BTreeSet<_> = paths(text, &module).iter().map(|path| path.join("::")).collect();
    let expected = ["wire::Vni", "wire::Update", "ids", "netlink::table::Rib", "io::Stream::new"];
    assert_eq!(found, expected.into_iter().map(str::to_owned).collect());
}
