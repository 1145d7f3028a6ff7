//! Every Rust file belongs to a crate: it is a root, or some `mod` line leads to it.

use super::{Report, Repository, module_tree};
use std::collections::BTreeSet;

pub(super) fn check(repository: &Repository, report: &mut Report) {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = repository
        .sources
        .iter()
        .map(|source| source.path.clone())
        .filter(|path| is_root(path))
        .collect();
    while let Some(path) = open.pop() {
        let Some(source) = repository.source(&path) else { continue };
        if !reached.insert(path.clone()) {
            continue;
        }
        match module_tree::children(&path, &source.text, is_root(&path)) {
            Ok(children) => {
                for child in children {
                    match child.candidates.iter().find(|file| repository.source(file).is_some()) {
                        Some(file) => open.push(file.clone()),
                        None => report.problem(&path, format!("`mod {}` has no file", child.name)),
                    }
                }
            }
            Err(reason) => report.problem(&path, reason),
        }
    }
    for source in &repository.sources {
        if !reached.contains(&source.path) {
            report.problem(&source.path, "no `mod` line leads to this file");
        }
    }
}

/// What cargo takes as the root of a crate: `src/main.rs`, `src/bin/x.rs`, `tests/x.rs`, `tests/x/main.rs`, `build.rs`.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let inside: &[&str] = match parts.as_slice() {
        ["crates", _, rest @ ..] => rest,
        ["xtask", rest @ ..] => rest,
        _ => return false,
    };
    matches!(
        inside,
        ["build.rs"]
            | ["src", "main.rs" | "lib.rs"]
            | ["src", "bin", _]
            | ["tests" | "examples" | "benches", _]
            | ["tests" | "examples" | "benches", _, "main.rs"]
    )
}
