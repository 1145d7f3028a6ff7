//! The rows of `xtask/rows.txt` and the mutants belong together: each row has a mutant, each mutant a row, a test that
//! exists and bears the row's id, and a diff that still applies.

use super::tokens::positions;
use super::{Report, Repository};
use crate::red::{self, Mutant};

const ROWS: &str = "xtask/rows.txt";

pub(super) fn check(repository: &Repository, report: &mut Report) {
    let Some(text) = repository.text(ROWS) else {
        return report.problem(ROWS, "does not exist");
    };
    // `id  what`; lines with `#` are comments.
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mutants = match red::mutants() {
        Ok(mutants) => mutants,
        Err(reason) => return report.problem("xtask/mutants", reason),
    };
    for row in &rows {
        if mutants.iter().all(|mutant| mutant.row != *row) {
            report.problem(ROWS, format!("{row} has no mutant in xtask/mutants"));
        }
    }
    for mutant in &mutants {
        if !rows.contains(&mutant.row.as_str()) {
            report.problem(&mutant.file, format!("{} is no row of {ROWS}", mutant.row));
        }
        test_exists(repository, mutant, report);
        if let Err(reason) = red::applies(mutant) {
            report.problem(&mutant.file, format!("does not apply: {reason}"));
        }
    }
    report.note(format!("{} scorecard rows, {} mutants", rows.len(), mutants.len()));
}

fn test_exists(repository: &Repository, mutant: &Mutant, report: &mut Report) {
    let function = mutant.test.function();
    // A matrix of tests is made by a macro, with a line `name: CASE;` for each.
    let forms = [format!("fn {function}"), format!("{function} :")];
    let exists = repository
        .sources
        .iter()
        .any(|source| forms.iter().any(|form| positions(&source.tokens, form).next().is_some()));
    if !exists {
        report.problem(&mutant.file, format!("there is no test `{function}`"));
    }
    // Rows of the scorecard are a letter and two digits; the planted faults have names.
    let is_scorecard = mutant.row.len() == 3 && mutant.row[1..].chars().all(|c| c.is_ascii_digit());
    if is_scorecard && !mutant.test.name.contains(&mutant.row.to_ascii_lowercase()) {
        report.problem(
            &mutant.file,
            format!("the test `{function}` does not bear the id {}", mutant.row),
        );
    }
}
