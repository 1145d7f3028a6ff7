//! `cargo xtask tidy`: the project's rules that no compiler checks. The same checks are a test of this package, so that
//! `cargo test --workspace` finds what CI would find.
//!
//! Each rule is a file of its own with one function, which reads the repository and reports problems. Exceptions are
//! named in `exceptions.rs`, with their reasons, and one that is no longer needed is a problem itself.

mod budgets;
mod cfg_places;
mod dead_files;
mod dependencies;
mod examples;
mod exceptions;
mod lengths;
mod module_tree;
mod rows;
mod source;
mod test_habits;
mod tokens;
mod unsafe_places;
mod words;

use crate::workspace;
use source::Source;

/// All that the rules look at.
struct Repository {
    /// Every Rust file of the product and of xtask, read as tokens.
    sources: Vec<Source>,
    /// Every text file of the repository: path and text.
    texts: Vec<(String, String)>,
}

impl Repository {
    fn read() -> Result<Repository, String> {
        let mut texts = Vec::new();
        let mut sources = Vec::new();
        for path in workspace::files()? {
            let bytes = std::fs::read(workspace::root().join(&path))
                .map_err(|error| format!("{path}: {error}"))?;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let ours = path.starts_with("crates/") || path.starts_with("xtask/");
            let is_data =
                exceptions::DATA_FOLDERS.iter().any(|(folder, _)| path.starts_with(folder));
            if ours && path.ends_with(".rs") && !is_data {
                sources.push(Source::parse(&path, &text)?);
            }
            texts.push((path, text));
        }
        Ok(Repository { sources, texts })
    }

    fn source(&self, path: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.path == path)
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.texts.iter().find(|(name, _)| name == path).map(|(_, text)| text.as_str())
    }
}

#[derive(Default)]
struct Report {
    problems: Vec<String>,
    /// Figures that are worth a line although they are in order.
    notes: Vec<String>,
}

impl Report {
    fn problem(&mut self, place: impl std::fmt::Display, what: impl std::fmt::Display) {
        self.problems.push(format!("{place}: {what}"));
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }
}

const RULES: &[fn(&Repository, &mut Report)] = &[
    unsafe_places::check,
    cfg_places::check,
    words::check,
    lengths::check,
    dead_files::check,
    dependencies::check,
    test_habits::check,
    rows::check,
    examples::check,
    budgets::check,
];

fn report() -> Result<Report, String> {
    let repository = Repository::read()?;
    let mut report = Report::default();
    for rule in RULES {
        rule(&repository, &mut report);
    }
    Ok(report)
}

pub(crate) fn main(arguments: &[String]) -> Result<(), String> {
    match arguments {
        [] => {}
        [word] if word == "--write" => {
            let text = budgets::written(&Repository::read()?)?;
            return std::fs::write(workspace::root().join("PLATFORMS.md"), text)
                .map_err(|error| format!("PLATFORMS.md: {error}"));
        }
        [word, ..] => return Err(format!("`{word}` is not an argument of tidy")),
    }
    let report = report()?;
    for note in &report.notes {
        println!("{note}");
    }
    match report.problems.as_slice() {
        [] => Ok(()),
        problems => Err(format!("{} problems\n  {}", problems.len(), problems.join("\n  "))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        let report = super::report().unwrap();
        assert!(report.problems.is_empty(), "\n{}", report.problems.join("\n"));
    }
}
