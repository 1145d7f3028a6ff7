//! Public items of the library without an example that runs: listed, and at most a small part of all.
//!
//! What counts as an item: every function, type, trait, constant and macro that a user can name, and every public
//! method and associated constant of such a type or trait. Fields and variants belong to their type.
//!
//! What counts as an example: a code block that `cargo test` compiles and runs; not `no_run`, `ignore`, `text` or
//! `compile_fail`. An item has one when its own documentation has one, or when one in the documentation of what it
//! belongs to uses it by name: for a method its type or trait must call it (`.name(` or `::name(`), for a free
//! function its module must call it, for another item its module must name it as a whole word.

mod api;
mod library;

use super::exceptions::WITHOUT_EXAMPLE_PER_CENT;
use super::{Report, Repository};
use api::{Item, Kind};

pub(super) fn check(repository: &Repository, report: &mut Report) {
    let items = match api::items(repository) {
        Ok(items) => items,
        Err(reason) => return report.problem("crates/kael-rt", reason),
    };
    let without: Vec<&Item> = items.iter().filter(|item| !has_example(item)).collect();
    let share = 100.0 * without.len() as f64 / items.len().max(1) as f64;
    report.note(format!(
        "{} public items, {} without a runnable example ({share:.1} %)",
        items.len(),
        without.len()
    ));
    for item in &without {
        report.note(format!("  no example: {} ({})", item.name, item.place));
    }
    if share > WITHOUT_EXAMPLE_PER_CENT {
        let what = format!(
            "{} of {} public items ({share:.1} %) have no runnable example; `cargo xtask tidy` lists them",
            without.len(),
            items.len()
        );
        report.problem("crates/kael-rt", what);
    }
}

fn has_example(item: &Item) -> bool {
    if !runnable(&item.documentation).is_empty() {
        return true;
    }
    let name = item.name.rsplit("::").next().unwrap_or(&item.name);
    runnable(&item.around).iter().any(|example| match item.kind {
        Kind::Method => {
            [".", "::"].iter().any(|before| is_called(example, &format!("{before}{name}")))
        }
        Kind::Function => is_called(example, name),
        Kind::Other => words(example).any(|word| word == name),
    })
}

/// Whether `name` stands there, not as the end of a longer word, and is called: `name(` or `name::<`.
fn is_called(example: &str, name: &str) -> bool {
    example.match_indices(name).any(|(start, _)| {
        let before = example[..start].chars().next_back();
        let rest = &example[start + name.len()..];
        let is_whole = name.starts_with(['.', ':']) || !before.is_some_and(is_word);
        is_whole && (rest.starts_with('(') || rest.starts_with("::<"))
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_word(c))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The code blocks that rustdoc compiles and runs.
fn runnable(documentation: &str) -> Vec<String> {
    let mut examples = Vec::new();
    let mut lines = documentation.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let body: Vec<&str> =
            lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
        let runs = info.split([',', ' ']).map(str::trim).all(|word| {
            matches!(word, "" | "rust" | "should_panic") || word.starts_with("edition")
        });
        if runs && body.iter().any(|line| !line.trim().is_empty()) {
            examples.push(body.join("\n"));
        }
    }
    examples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, kind: Kind, documentation: &str, around: &str) -> Item {
        Item {
            name: name.to_owned(),
            kind,
            documentation: documentation.to_owned(),
            around: around.to_owned(),
            place: String::new(),
        }
    }

    #[test]
    fn only_blocks_that_run_count() {
        assert_eq!(runnable("text\n```\nlet x = 1;\n```\n").len(), 1);
        assert_eq!(runnable("```rust,should_panic\nf();\n```\n```no_run\nf();\n```\n").len(), 1);
        assert!(
            runnable("```text\nx\n```\n```ignore\nx\n```\n```compile_fail\nx\n```\n```\n\n```")
                .is_empty()
        );
    }

    #[test]
    fn an_example_of_the_type_covers_the_methods_that_it_calls() {
        let around = "```\nlet s = Stream::connect(a).await?;\ns.read_exact(b).await;\n```";
        assert!(has_example(&item("net::Stream::connect", Kind::Method, "", around)));
        assert!(has_example(&item("net::Stream::read_exact", Kind::Method, "", around)));
        assert!(!has_example(&item("net::Stream::read", Kind::Method, "", around)));
        assert!(has_example(&item("net::Stream", Kind::Other, "", around)));
        assert!(!has_example(&item("exact", Kind::Function, "", around)));
    }
}
