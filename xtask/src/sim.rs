//! `cargo xtask sim`: the campaign over seeds on the simulated kernel.
//!
//! The program that runs is the example `sim_run` of `kael-rt`, built for the simulated kernel. Its contract: it takes
//! `--first S --count N [--trace]`, prints `seed S hash H` for each seed when traced, closes with
//! `N seeds, 0 violations, trace hash H`, and exits with 1 when a law was violated, after naming the seed.

use crate::process::{self, Ended, Show};
use crate::red::{self, Tree};
use crate::table::{Table, wall};
use crate::workspace;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) const EXAMPLE: &str = "sim_run";

/// Faults that are planted in the runtime, by the rows of their mutants. Each must be found, or the simulator proves nothing.
const PLANTS: &[&str] = &["lost-completion", "lost-wake", "early-free"];
/// A planted fault must show within so many seeds.
const PLANT_SEEDS: u64 = 2_000;
/// So many seeds are run twice with their traces.
const REPEATED_SEEDS: u64 = 100;
const DEFAULT_SEEDS: u64 = 2_000;
const BUILD_LIMIT: Duration = Duration::from_secs(10 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(20 * 60);

pub(crate) fn main(arguments: &[String]) -> Result<(), String> {
    let mut seeds = DEFAULT_SEEDS;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{word} {value}: not a number"));
        match word.as_str() {
            "--seeds" => seeds = number()?,
            "--seed" => return replay(number()?),
            "--plant" => return found(value).map(|seed| println!("{value}: found, {seed}")),
            other => return Err(format!("`{other}` is not an argument of sim")),
        }
    }
    campaign(seeds)
}

/// N seeds without a violation, the same seeds twice with the same traces, and every planted fault found.
pub(crate) fn campaign(seeds: u64) -> Result<(), String> {
    let mut table = Table::new(&["check", "result", "wall time"]);
    let mut failures = Vec::new();
    let mut check = |name: String, check: &dyn Fn() -> Result<String, String>| {
        let began = Instant::now();
        let result = check().unwrap_or_else(|reason| {
            failures.push(format!("{name}: {reason}"));
            "FAILED".to_owned()
        });
        table.row(vec![name, result, wall(began.elapsed())]);
    };
    check(format!("{seeds} seeds"), &|| clean(seeds));
    check(format!("{REPEATED_SEEDS} seeds twice"), &|| repeats(seeds.min(REPEATED_SEEDS)));
    for plant in PLANTS {
        check(format!("planted {plant}"), &|| found(plant).map(|seed| format!("found, {seed}")));
    }
    table.print();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn clean(seeds: u64) -> Result<String, String> {
    let program = built()?;
    let half = seeds / 2;
    // Two processes: seeds do not share anything, and CI has two cores.
    let (low, high) = std::thread::scope(|scope| {
        let low = scope.spawn(|| run(&program, 0, half, false));
        let high = run(&program, half, seeds - half, false);
        (low.join().expect("the thread only waits for a process"), high)
    });
    let mut hashes = Vec::new();
    for (ended, count) in [(low?, half), (high?, seeds - half)] {
        let closing =
            ended.output.lines().rev().find(|line| line.contains(" seeds, ")).unwrap_or("");
        let expected = format!("{count} seeds, 0 violations, trace hash ");
        match closing.strip_prefix(&expected) {
            Some(hash) if ended.success() => hashes.push(hash.to_owned()),
            _ => return Err(format!("{}\n{}", ended.verdict(), ended.tail(40))),
        }
    }
    Ok(format!("0 violations, trace hash {}", hashes.join(" ")))
}

/// Two processes, so that nothing but the seed is common to both runs: not the addresses, not the hash keys.
fn repeats(seeds: u64) -> Result<String, String> {
    let program = built()?;
    let traces = || -> Result<Vec<String>, String> {
        let ended = run(&program, 0, seeds, true)?;
        Ok(ended.output.lines().filter(|line| is_trace(line)).map(str::to_owned).collect())
    };
    let (first, second) = (traces()?, traces()?);
    if first.len() as u64 != seeds {
        return Err(format!("{seeds} seeds gave {} lines of trace", first.len()));
    }
    match first.iter().zip(&second).find(|(one, other)| one != other) {
        None if first.len() == second.len() => Ok("same hashes".to_owned()),
        None => Err("the second run has another number of traces".to_owned()),
        Some((one, other)) => Err(format!("`{one}` became `{other}` in the second run")),
    }
}

fn is_trace(line: &str) -> bool {
    line.starts_with("seed ") && line.contains(" hash ")
}

/// The line that names the seed on which a planted fault was found. The fault is a mutant's patch, applied to the copy
/// of the working tree that `cargo xtask red` uses.
fn found(plant: &str) -> Result<String, String> {
    let mutants = red::mutants()?;
    let planted: Vec<_> = mutants.iter().filter(|mutant| mutant.row == plant).collect();
    let [mutant] = planted[..] else {
        return Err(format!("xtask/mutants has {} patches of the row `{plant}`", planted.len()));
    };
    let tree = Tree::copy_of_the_working_tree(0)?;
    let program =
        tree.apply(mutant).and_then(|()| build(tree.folder(), &tree.builds().join("sim-planted")));
    tree.restore(mutant)?;
    let ended = run(&program?, 0, PLANT_SEEDS, false)?;
    let seed = ended.output.lines().find(|line| line.starts_with("seed ") && !is_trace(line));
    match (ended.status.and_then(|status| status.code()), seed) {
        (Some(1), Some(line)) => Ok(shortened(line)),
        (Some(0), _) => Err(format!("not found in {PLANT_SEEDS} seeds")),
        _ => Err(format!("neither found nor missed: {}\n{}", ended.verdict(), ended.tail(40))),
    }
}

/// The first violation of a seed; the others follow from it.
fn shortened(line: &str) -> String {
    line.split(';').next().unwrap_or(line).trim().to_owned()
}

fn replay(seed: u64) -> Result<(), String> {
    let program = built()?;
    let mut command = Command::new(program);
    command.args(["--first", &seed.to_string(), "--count", "1", "--trace"]);
    let ended = process::run(&mut command, RUN_LIMIT, Show::Lines)?;
    if ended.success() { Ok(()) } else { Err(format!("seed {seed}: {}", ended.verdict())) }
}

fn run(program: &PathBuf, first: u64, count: u64, trace: bool) -> Result<Ended, String> {
    let mut command = Command::new(program);
    command.args(["--first", &first.to_string(), "--count", &count.to_string()]);
    if trace {
        command.arg("--trace");
    }
    process::run(&mut command, RUN_LIMIT, Show::Nothing)
}

/// The program of the working tree.
fn built() -> Result<PathBuf, String> {
    build(&workspace::root(), &workspace::root().join("target/sim"))
}

/// Optimised, with assertions: the laws are checked by assertions, and 10,000 seeds are many.
fn build(folder: &Path, target: &Path) -> Result<PathBuf, String> {
    let mut command =
        workspace::cargo(&["build", "--release", "-p", "kael-rt", "--example", EXAMPLE]);
    command.arg("--target-dir").arg(target).current_dir(folder);
    command.env("RUSTFLAGS", r#"--cfg kael_backend="sim""#);
    let ended = process::run(workspace::quick_release(&mut command), BUILD_LIMIT, Show::Nothing)?;
    if !ended.success() {
        return Err(format!("{EXAMPLE} does not build: {}\n{}", ended.verdict(), ended.tail(40)));
    }
    Ok(target.join("release/examples").join(EXAMPLE))
}
