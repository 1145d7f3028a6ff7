//! `cargo xtask red`: for each mutant under `xtask/mutants/`, proves that its named test sees it.
//!
//! The working tree is never touched. Its files, changes that are not committed included, are copied to
//! `target/red/tree`; a mutant is applied there, its test is built and run there, and the copy is restored.
//!
//! A mutant is red when its test builds, runs, and fails by an assertion. A test that does not build, does not run, is
//! killed, or fails by a time limit says nothing about the mutant, so it counts as a failure of this command; so does a
//! test that fails on the unmutated tree.

mod command;
mod judge;
mod mutant;
mod tree;

pub(crate) use command::TestCommand;
pub(crate) use mutant::{Mutant, all as mutants};
pub(crate) use tree::{Tree, applies};

use crate::process::{self, Show};
use crate::table::{Table, wall};
use judge::Verdict;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);
/// The test's own time limits are shorter: one that reaches this hangs.
const TEST_LIMIT: Duration = Duration::from_secs(180);

pub(crate) fn main(rows: &[String]) -> Result<(), String> {
    let all = mutants()?;
    if let Some(unknown) = rows.iter().find(|row| all.iter().all(|mutant| mutant.row != **row)) {
        return Err(format!("no mutant in xtask/mutants has the row `{unknown}`"));
    }
    let chosen: Vec<&Mutant> =
        all.iter().filter(|mutant| rows.is_empty() || rows.contains(&mutant.row)).collect();
    if chosen.is_empty() {
        return Err("there are no mutants in xtask/mutants".to_owned());
    }

    let tree = Tree::copy_of_the_working_tree()?;
    let baselines = baselines(&tree, &chosen);
    let mut table = Table::new(&["row", "test", "what it breaks", "red?", "wall time"]);
    let mut failures = 0;
    for mutant in chosen {
        let began = Instant::now();
        let verdict = match &baselines[&mutant.test] {
            Verdict::Passed => mutated(&tree, mutant)?,
            other => Verdict::Unusable(format!("without the mutant: {other}")),
        };
        println!("{} {}: {verdict}, {}", mutant.row, mutant.file, wall(began.elapsed()));
        if !verdict.is_red() {
            failures += 1;
        }
        table.row(vec![
            mutant.row.clone(),
            mutant.test.name.clone(),
            mutant.breaks.clone(),
            verdict.word().to_owned(),
            wall(began.elapsed()),
        ]);
    }
    println!();
    table.print();
    if failures == 0 { Ok(()) } else { Err(format!("{failures} mutants are not red")) }
}

/// Every distinct test passes on the unmutated tree. All of them first, so that they share one build.
fn baselines<'a>(tree: &Tree, chosen: &[&'a Mutant]) -> HashMap<&'a TestCommand, Verdict> {
    let mut verdicts = HashMap::new();
    for mutant in chosen {
        verdicts.entry(&mutant.test).or_insert_with(|| {
            let verdict = run(tree, &mutant.test);
            println!("without mutants, {}: {verdict}", mutant.test.name);
            verdict
        });
    }
    verdicts
}

fn mutated(tree: &Tree, mutant: &Mutant) -> Result<Verdict, String> {
    if let Err(reason) = tree.apply(mutant) {
        tree.restore(mutant)?;
        return Ok(Verdict::Unusable(format!("does not apply: {reason}")));
    }
    let verdict = run(tree, &mutant.test);
    tree.restore(mutant)?;
    Ok(verdict)
}

/// Builds, then runs: the time limit of a test must not be eaten by a compiler.
fn run(tree: &Tree, test: &TestCommand) -> Verdict {
    let built = process::run(&mut test.build(tree), BUILD_LIMIT, Show::Nothing);
    match built {
        Ok(built) if built.success() => {}
        Ok(built) => {
            return Verdict::Unusable(format!(
                "the build failed: {}",
                judge::compiler_error(&built)
            ));
        }
        Err(reason) => return Verdict::Unusable(reason),
    }
    match process::run(&mut test.run(tree), TEST_LIMIT, Show::Nothing) {
        Ok(ended) => judge::judge(test, &ended),
        Err(reason) => Verdict::Unusable(reason),
    }
}
