//! `cargo xtask red`: for each mutant under `xtask/mutants/`, proves that its named test sees it.
//!
//! The working tree is never touched. Its files, changes that are not committed included, are copied to `target/red/0` and
//! so on, a copy for each processor; a mutant is applied there, its test is built and run there, and the copy is restored.
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
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
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

    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let shares = share_out(&chosen, workers);
    let trees = (0..shares.len())
        .map(Tree::copy_of_the_working_tree)
        .collect::<Result<Vec<_>, String>>()?;
    let baselines = side_by_side(trees.iter().zip(&shares), |(tree, share)| baselines(tree, share));
    let baselines: HashMap<_, _> = baselines.into_iter().flatten().collect();
    // All of them again, so that nobody waits for who has the long ones.
    let left = Mutex::new(shares.concat().into());
    let work = |(number, tree)| work(tree, &left, &baselines, number % 2 == 0);
    let results = side_by_side(trees.iter().enumerate(), work);
    let results = results.into_iter().collect::<Result<Vec<_>, String>>()?;

    let mut table = Table::new(&["row", "test", "what it breaks", "red?", "wall time"]);
    let mut results: Vec<Found> = results.into_iter().flatten().collect();
    results.sort_by(|a, b| a.mutant.file.cmp(&b.mutant.file));
    for Found { mutant, verdict, time } in &results {
        table.row(vec![
            mutant.row.clone(),
            mutant.test.name.clone(),
            mutant.breaks.clone(),
            verdict.word().to_owned(),
            wall(*time),
        ]);
    }
    println!();
    table.print();
    match results.iter().filter(|found| !found.verdict.is_red()).count() {
        0 => Ok(()),
        failures => Err(format!("{failures} mutants are not red")),
    }
}

/// What became of a mutant.
struct Found<'a> {
    mutant: &'a Mutant,
    verdict: Verdict,
    time: Duration,
}

/// A thread for each.
fn side_by_side<T: Send, R: Send>(
    all: impl Iterator<Item = T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let work = &work;
    std::thread::scope(|scope| {
        let workers: Vec<_> = all.map(|one| scope.spawn(move || work(one))).collect();
        workers.into_iter().map(|worker| worker.join().expect("it only runs tests")).collect()
    })
}

/// Shares of about as many, one for each worker. A build with other flags has its own dependencies, and a test its
/// own baseline: mutants that have these in common stay together.
fn share_out<'a>(chosen: &[&'a Mutant], workers: usize) -> Vec<Vec<&'a Mutant>> {
    let mut sorted = chosen.to_vec();
    sorted.sort_by_key(|mutant| mutant.test.order());
    let size = sorted.len().div_ceil(workers).max(1);
    let mut shares: Vec<Vec<&Mutant>> = vec![Vec::new()];
    for mutant in sorted {
        let share = shares.last_mut().expect("there is always one");
        if share.len() >= size && share.last().is_some_and(|last| last.test != mutant.test) {
            shares.push(vec![mutant]);
        } else {
            share.push(mutant);
        }
    }
    shares
}

/// Takes one after the other from an end of those that are left: what is built alike stands together, and two who begin at
/// different ends meet only once.
fn work<'a>(
    tree: &Tree,
    left: &Mutex<VecDeque<&'a Mutant>>,
    baselines: &HashMap<&TestCommand, Verdict>,
    from_the_front: bool,
) -> Result<Vec<Found<'a>>, String> {
    let next = || {
        let mut left = left.lock().unwrap_or_else(|e| e.into_inner());
        if from_the_front { left.pop_front() } else { left.pop_back() }
    };
    let mut results = Vec::new();
    while let Some(mutant) = next() {
        let began = Instant::now();
        let verdict = match &baselines[&mutant.test] {
            Verdict::Passed => mutated(tree, mutant)?,
            other => Verdict::Unusable(format!("without the mutant: {other}")),
        };
        let time = began.elapsed();
        println!("{} {}: {verdict}, {}", mutant.row, mutant.file, wall(time));
        results.push(Found { mutant, verdict, time });
    }
    Ok(results)
}

/// Every distinct test passes on the unmutated tree. All of them first, so that they share one build.
fn baselines<'a>(tree: &Tree, share: &[&'a Mutant]) -> HashMap<&'a TestCommand, Verdict> {
    let mut verdicts = HashMap::new();
    for mutant in share {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(file: &str, test: &str) -> Mutant {
        let test = TestCommand::parse(test).unwrap();
        let (row, breaks) = ("R01".to_owned(), "all".to_owned());
        Mutant { file: file.to_owned(), row, test, breaks, changes: Vec::new() }
    }

    #[test]
    fn each_mutant_is_in_one_share_and_those_of_a_test_in_the_same() {
        let (one, other) = ("cargo test -p a --test t r01", "A=1 cargo test -p a --test t r01");
        let mutants = [mutant("1", one), mutant("2", other), mutant("3", one), mutant("4", one)];
        let shares = share_out(&mutants.iter().collect::<Vec<_>>(), 2);
        let files = |share: &Vec<&Mutant>| {
            share.iter().map(|mutant| mutant.file.clone()).collect::<Vec<_>>()
        };
        assert_eq!(shares.iter().map(files).collect::<Vec<_>>(), [vec!["1", "3", "4"], vec!["2"]]);
        assert_eq!(share_out(&mutants.iter().collect::<Vec<_>>(), 1).len(), 1);
    }
}
