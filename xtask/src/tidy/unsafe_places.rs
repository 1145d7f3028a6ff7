//! Unsafe code stands only where it may, every other file forbids it, and each use says why it is true.

use super::exceptions::{UNSAFE_FILES, UNSAFE_FOLDERS};
use super::source::Source;
use super::tokens::positions;
use super::{Report, Repository};

const FORBID: &str = "# ! [ forbid ( unsafe_code ) ]";
const DENY: &str = "# ! [ deny ( unsafe_code ) ]";

pub(super) fn check(repository: &Repository, report: &mut Report) {
    for source in &repository.sources {
        places(source, report);
        reasons(source, report);
    }
    for (path, _) in UNSAFE_FILES {
        if !repository.source(path).is_some_and(|source| source.has("unsafe")) {
            report.problem(
                path,
                "is an exception for unsafe code and has none: take it out of the list",
            );
        }
    }
    // The compiler's half of the rule must be on everywhere: each block has its `SAFETY:` comment.
    let workspace = repository.text("Cargo.toml").unwrap_or("");
    if !workspace.contains("undocumented_unsafe_blocks = \"deny\"") {
        report.problem("Cargo.toml", "does not deny clippy::undocumented_unsafe_blocks");
    }
    for (path, text) in &repository.texts {
        let ours = path.starts_with("crates/") || path.starts_with("xtask/");
        if ours && path.ends_with("Cargo.toml") && !text.contains("[lints]\nworkspace = true") {
            report.problem(path, "does not take the workspace's lints");
        }
    }
}

fn places(source: &Source, report: &mut Report) {
    let path = source.path.as_str();
    if source.is_beside_the_product()
        || UNSAFE_FOLDERS.iter().any(|folder| path.starts_with(folder))
    {
        return;
    }
    if UNSAFE_FILES.iter().any(|(file, _)| *file == path) {
        return;
    }
    for line in source.lines_with("unsafe") {
        report
            .problem(format!("{path}:{line}"), "unsafe code outside the folders that may have it");
    }
    let is_library = path.starts_with("crates/kael-rt/src/") && path != "crates/kael-rt/src/lib.rs";
    let is_root = ["/src/main.rs", "/src/lib.rs"].iter().any(|root| path.ends_with(root));
    if is_library && !source.has(FORBID) {
        report.problem(path, "does not begin with #![forbid(unsafe_code)]");
    } else if is_root
        && path != "crates/kael-rt/src/lib.rs"
        && !source.has(FORBID)
        && !source.has(DENY)
    {
        report.problem(
            path,
            "is a crate's root without #![forbid(unsafe_code)] (or deny, with named exceptions)",
        );
    }
}

/// Clippy wants a reason at each block, also in tests. Not at all at functions: those state a contract instead.
fn reasons(source: &Source, report: &mut Report) {
    if source.has("allow ( clippy : : undocumented_unsafe_blocks )") {
        report.problem(&source.path, "switches off clippy::undocumented_unsafe_blocks");
    }
    let lines: Vec<&str> = source.text.lines().collect();
    for position in positions(&source.tokens, "unsafe") {
        let line = source.tokens[position].lines.0;
        let word = |offset: usize| {
            source.tokens.get(position + offset).map_or("", |token| token.text.as_str())
        };
        // `unsafe fn name` and `unsafe trait`, not the pointer type `unsafe fn(..)` nor the attribute `unsafe(..)`.
        let is_contract = match word(1) {
            "fn" => word(2) != "(",
            "trait" => true,
            "extern" => word(3) == "fn" && word(4) != "(",
            _ => false,
        };
        if !is_contract || is_in_trait_impl(source, position) {
            continue;
        }
        // The comment above, attributes between included.
        let above = lines[..line - 1].iter().rev().take_while(|text| {
            let text = text.trim_start();
            text.starts_with("//") || text.starts_with("#[")
        });
        if !above.into_iter().any(|text| text.contains("# Safety") || text.contains("SAFETY:")) {
            report.problem(
                format!("{}:{line}", source.path),
                "an unsafe function or trait without its contract (`# Safety`)",
            );
        }
    }
}

/// Methods of `impl Trait for Type` take their contract from the trait.
fn is_in_trait_impl(source: &Source, position: usize) -> bool {
    let mut depth = 0_i32;
    for index in (0..position).rev() {
        match source.tokens[index].text.as_str() {
            "}" => depth += 1,
            "{" if depth > 0 => depth -= 1,
            "{" => {
                // The head of the block that encloses us, back to the end of what stands before it.
                let head: Vec<&str> = source.tokens[..index]
                    .iter()
                    .rev()
                    .map(|token| token.text.as_str())
                    .take_while(|text| !matches!(*text, "}" | "{" | ";"))
                    .collect();
                return head.contains(&"impl") && head.contains(&"for");
            }
            _ => {}
        }
    }
    false
}
