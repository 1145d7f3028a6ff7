//! The budgets in the library and their table in PLATFORMS.md are the same. `cargo xtask tidy --write` writes the table.

use super::{Report, Repository};
use std::collections::BTreeMap;
use std::fmt::Write;

const DOCUMENT: &str = "PLATFORMS.md";
const BEGIN: &str = "<!-- budgets: written by `cargo xtask tidy --write` -->\n";
const END: &str = "<!-- budgets: end -->";
const INTERFACES: &[(&str, &str)] = &[
    ("io_uring", "crates/kael-rt/src/sys/budgets/uring.rs"),
    ("epoll", "crates/kael-rt/src/sys/budgets/epoll.rs"),
    ("kqueue", "crates/kael-rt/src/sys/budgets/kqueue.rs"),
    ("IOCP", "crates/kael-rt/src/sys/budgets/windows.rs"),
    ("RIO", "crates/kael-rt/src/sys/budgets/rio.rs"),
];

/// What only one interface has.
const ALONE: &[(&str, &str)] = &[("IOCP", "crates/kael-rt/src/sys/budgets/pipes.rs")];

pub(super) fn check(repository: &Repository, report: &mut Report) {
    match written(repository) {
        Ok(text) if repository.text(DOCUMENT) == Some(&text) => {}
        Ok(_) => {
            report.problem(DOCUMENT, "its table of budgets is old: `cargo xtask tidy --write`")
        }
        Err(reason) => report.problem(DOCUMENT, reason),
    }
}

/// The document as it should be.
pub(super) fn written(repository: &Repository) -> Result<String, String> {
    let text = repository.text(DOCUMENT).ok_or("does not exist")?;
    let (before, rest) = text.split_once(BEGIN).ok_or("has no place for the table of budgets")?;
    let (_, after) = rest.split_once(END).ok_or("the table of budgets has no end")?;
    Ok(format!("{before}{BEGIN}{}{END}{after}", table(repository)?))
}

/// A row of one interface: the figures, and how it is done.
#[derive(Clone)]
struct Row {
    figures: String,
    how: String,
}

fn table(repository: &Repository) -> Result<String, String> {
    let mut names: Vec<String> = Vec::new();
    let mut columns: Vec<BTreeMap<String, Row>> = Vec::new();
    for (interface, path) in INTERFACES {
        let source = repository.text(path).ok_or(format!("{path} does not exist"))?;
        let mut rows = match base(source) {
            None => BTreeMap::new(),
            Some(base) => {
                let mut before = INTERFACES.iter().zip(&columns);
                let found = before.find(|((_, path), _)| path.ends_with(&format!("/{base}.rs")));
                found.ok_or(format!("{path}: `{base}` is none of those before it"))?.1.clone()
            }
        };
        for line in source.lines().filter_map(|line| line.trim().strip_suffix(';')) {
            let Some((name, row)) = row(line) else { continue };
            if columns.is_empty() {
                names.push(name.clone());
            }
            rows.insert(name, row);
        }
        if names.is_empty() || rows.len() != names.len() {
            return Err(format!("{interface} has {} rows and not {}", rows.len(), names.len()));
        }
        columns.push(rows);
    }
    let mut out = String::from("| operation |");
    INTERFACES.iter().for_each(|(interface, _)| out.push_str(&format!(" {interface} |")));
    out.push_str("\n|---|");
    INTERFACES.iter().for_each(|_| out.push_str("---|"));
    out.push('\n');
    for name in &names {
        let _ = write!(out, "| {name} |");
        for (column, (interface, _)) in columns.iter().zip(INTERFACES) {
            let row = column.get(name).ok_or(format!("{interface} has no row {name}"))?;
            let _ = write!(out, " {}: {} |", row.figures, row.how);
        }
        out.push('\n');
    }
    for (interface, path) in ALONE {
        let source = repository.text(path).ok_or(format!("{path} does not exist"))?;
        let _ = write!(out, "\n| operation | {interface} alone |\n|---|---|\n");
        for line in source.lines().filter_map(|line| line.trim().strip_suffix(';')) {
            let Some((name, row)) = row(line) else { continue };
            let _ = writeln!(out, "| {name} | {}: {} |", row.figures, row.how);
        }
    }
    Ok(out)
}

/// The table of which a file has only the rows that differ: `"Interface", else base;`.
fn base(source: &str) -> Option<&str> {
    source
        .lines()
        .find_map(|line| line.trim().strip_suffix(';')?.split_once("\", else "))
        .map(|it| it.1)
}

/// `id: Area "Name", rule one, many, allocations, "how"`.
fn row(line: &str) -> Option<(String, Row)> {
    let mut quoted = line.split('"');
    let (_, name, figures) = (quoted.next()?, quoted.next()?, quoted.next()?);
    let how = quoted.next()?;
    let mut figures = figures.trim_matches([',', ' ']).split(", ");
    let (rule, one) = figures.next()?.split_once(' ')?;
    let many = figures.next()?;
    let bound = if rule == "exact" { "" } else { "≤ " };
    let figures = format!("{bound}{one}, ≤ {many}");
    Some((name.to_owned(), Row { figures, how: how.replace('|', "\\|") }))
}
