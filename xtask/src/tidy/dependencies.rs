//! Each dependency has its reason: a line in the table of ARCHITECTURE.md.

use super::{Report, Repository};

pub(super) fn check(repository: &Repository, report: &mut Report) {
    let architecture = repository.text("ARCHITECTURE.md").unwrap_or("");
    for (path, text) in &repository.texts {
        let ours = path.starts_with("crates/") || path.starts_with("xtask/");
        if !ours || !path.ends_with("/Cargo.toml") {
            continue;
        }
        for name in dependencies(text) {
            if !architecture.contains(&format!("| `{name}` |")) {
                report.problem(
                    path,
                    format!("`{name}` has no line in ARCHITECTURE.md that says why"),
                );
            }
        }
    }
}

/// The names in all tables of dependencies of a manifest.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut in_table = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            in_table = table.trim_end_matches(']').ends_with("dependencies");
        } else if in_table
            && !line.starts_with('#')
            && let Some((name, _)) = line.split_once('=')
        {
            names.push(name.trim().trim_end_matches(".workspace"));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_taken_from_all_tables() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\n# a = 1\nb = \"1\"\nc.workspace = true\n\
                        [target.'cfg(loom)'.dependencies]\nd = { version = \"1\" }\n[lints]\nworkspace = true\n";
        assert_eq!(super::dependencies(manifest), ["b", "c", "d"]);
    }
}
