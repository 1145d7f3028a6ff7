//! A mutant's file: a head that says which row it belongs to, which test must see it and what it breaks, and then a
//! unified diff as `git diff` prints it.

use super::TestCommand;
use crate::workspace;

pub(crate) const FOLDER: &str = "xtask/mutants/";

#[derive(Debug)]
pub(crate) struct Mutant {
    /// The patch's path, from the repository's root.
    pub(crate) file: String,
    /// A row of `xtask/rows.txt`.
    pub(crate) row: String,
    pub(crate) test: TestCommand,
    pub(crate) breaks: String,
    /// The files that the diff changes.
    pub(crate) changes: Vec<String>,
}

/// All mutants, in the order of their files' names.
pub(crate) fn all() -> Result<Vec<Mutant>, String> {
    let mut mutants = Vec::new();
    for file in workspace::files()? {
        if file.starts_with(FOLDER) && file.ends_with(".patch") {
            let text = std::fs::read_to_string(workspace::root().join(&file))
                .map_err(|error| format!("{file}: {error}"))?;
            mutants.push(parse(&file, &text).map_err(|reason| format!("{file}: {reason}"))?);
        }
    }
    Ok(mutants)
}

fn parse(file: &str, text: &str) -> Result<Mutant, String> {
    let head = |name: &str| {
        let prefix = format!("# {name}: ");
        let value = text.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::trim);
        value.filter(|value| !value.is_empty()).ok_or_else(|| format!("no line `{prefix}...`"))
    };
    let mut changes: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("+++ b/"))
        .map(|path| path.trim().to_owned())
        .collect();
    changes.sort();
    changes.dedup();
    if changes.is_empty() {
        return Err("no diff: there is no line `+++ b/...`".to_owned());
    }
    if let Some(path) = changes.iter().find(|path| path.contains("..") || path.starts_with('/')) {
        return Err(format!("changes {path}, which is outside the repository"));
    }
    Ok(Mutant {
        file: file.to_owned(),
        row: head("row")?.to_owned(),
        test: TestCommand::parse(head("test")?)?,
        breaks: head("breaks")?.to_owned(),
        changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_and_a_diff_make_a_mutant() {
        let text = "# row: R24\n# test: cargo test -p kael-rt --lib r24_join\n# breaks: an abort is lost\n\
                    --- a/crates/x.rs\n+++ b/crates/x.rs\n@@ -1 +1 @@\n-a\n+b\n";
        let mutant = parse("m.patch", text).unwrap();
        assert_eq!(mutant.row, "R24");
        assert_eq!(mutant.test.name, "r24_join");
        assert_eq!(mutant.breaks, "an abort is lost");
        assert_eq!(mutant.changes, ["crates/x.rs"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(parse("m.patch", "# row: R24\n").unwrap_err().contains("no diff"));
        let without_test = "# row: R24\n# breaks: x\n+++ b/x.rs\n";
        assert!(parse("m.patch", without_test).unwrap_err().contains("# test: "));
        let outside = "# row: R24\n# test: cargo test x\n# breaks: x\n+++ b/../x.rs\n";
        assert!(parse("m.patch", outside).unwrap_err().contains("outside"));
    }
}
