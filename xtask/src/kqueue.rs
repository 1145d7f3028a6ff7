//! The driver for kqueue over its emulation: the suites as each of three systems, and then many seeds, each of them a
//! kernel that is hostile in its own way, with small sizes.
//!
//! Test programs run side by side. What did not run is listed with its reason: a line
//! that a test prints, or the comment at a program that is not for this backend.

use crate::process::{self, Show};
use crate::table::{Table, wall};
use crate::workspace;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const FLAGS: &str = r#"--cfg kael_backend="kqueue""#;
pub(crate) const TARGET: &str = "target/kqueue";
const PROFILES: [&str; 3] = ["freebsd", "darwin", "netbsd"];
/// The programs of the campaign, for sockets, wakes and timers, less tests that take long and learn nothing from a seed, and
/// one that measures how late a sleep ends: with three programs on two processors that says nothing.
const CAMPAIGN: &[(&str, &[&str])] = &[
    ("chains", &[]),
    ("close", &["r17_a_reused_number_of_a_file"]),
    ("drop_accept", &[]),
    ("drop_read", &[]),
    ("drop_write", &[]),
    ("pooled", &["r14_a_flooder", "r15_closed_and_abandoned"]),
    ("time", &["no_sleep_is_early"]),
    ("wake", &[]),
];
const SEEDS: u64 = 200;
const SEEDS_VARIABLE: &str = "KAEL_KEVENT_SEEDS";
const BUILD_LIMIT: Duration = Duration::from_secs(10 * 60);
const PROGRAM_LIMIT: Duration = Duration::from_secs(120);
/// One more than there are processors: many tests wait. Not many more: some measure time.
const SIDE_BY_SIDE: usize = 3;

struct Program {
    name: String,
    source: PathBuf,
    path: PathBuf,
}

/// One run of a program.
struct Job<'a> {
    program: &'a Program,
    profile: &'static str,
    seed: u64,
    is_small: bool,
    skips: &'static [&'static str],
}

/// What became of some jobs.
#[derive(Default)]
struct Outcome {
    passed: u64,
    failures: Vec<String>,
    not_run: BTreeSet<String>,
}

/// All tests, as each of the systems, with a mild kernel.
pub(crate) fn suites() -> Result<(), String> {
    let programs = build()?;
    let began = Instant::now();
    // The programs that take long are among the first of the alphabet, and come first.
    let jobs = programs.iter().flat_map(|program| {
        PROFILES.map(|profile| Job { program, profile, seed: 0, is_small: false, skips: &[] })
    });
    let outcomes = run(jobs.collect())?;
    let mut table = Table::new(&["profile", "tests passed", "failures"]);
    for (profile, outcome) in &outcomes {
        let failures = outcome.failures.len().to_string();
        table.row(vec![profile.to_string(), outcome.passed.to_string(), failures]);
    }
    let not_run: BTreeSet<_> = outcomes.values().flat_map(|outcome| &outcome.not_run).collect();
    for line in not_run {
        println!("not run: {line}");
    }
    table.print();
    println!("all profiles: {}", wall(began.elapsed()));
    closing(outcomes)
}

fn closing(outcomes: Outcomes) -> Result<(), String> {
    let failures: Vec<String> =
        outcomes.values().flat_map(|outcome| outcome.failures.clone()).collect();
    match failures.is_empty() {
        true if outcomes.values().all(|outcome| outcome.passed == 0) => {
            Err("no test ran".to_owned())
        }
        true => Ok(()),
        false => Err(failures.join("\n")),
    }
}

/// Seeds 1 and up, as each of the systems in turn.
pub(crate) fn campaign() -> Result<(), String> {
    let seeds = match std::env::var(SEEDS_VARIABLE) {
        Err(_) => SEEDS,
        Ok(text) => text.parse().map_err(|_| format!("{SEEDS_VARIABLE}={text} is no number"))?,
    };
    let programs = build()?;
    let mut jobs = Vec::new();
    for (place, (name, skips)) in CAMPAIGN.iter().enumerate() {
        let program = programs.iter().find(|program| program.name == *name);
        let program = program.ok_or_else(|| format!("there is no test program {name}"))?;
        // Each seed runs every second program: so each program meets each profile, in half of the time.
        for seed in (1..=seeds).filter(|seed| (seed + place as u64).is_multiple_of(2)) {
            let profile = PROFILES[(seed % PROFILES.len() as u64) as usize];
            jobs.push(Job { program, profile, seed, is_small: true, skips });
        }
    }
    let began = Instant::now();
    let outcomes = run(jobs)?;
    for (profile, outcome) in &outcomes {
        println!("{profile}: {} tests passed", outcome.passed);
    }
    println!("{seeds} seeds: {}", wall(began.elapsed()));
    closing(outcomes)
}

type Outcomes = BTreeMap<&'static str, Outcome>;

fn run(mut jobs: Vec<Job<'_>>) -> Result<Outcomes, String> {
    // The last is taken first.
    jobs.reverse();
    let (jobs, outcome) = (Mutex::new(jobs), Mutex::new(Outcomes::new()));
    let work = || -> Result<(), String> {
        loop {
            let Some(job) = jobs.lock().unwrap_or_else(|e| e.into_inner()).pop() else {
                return Ok(());
            };
            let one = job.run()?;
            let mut all = outcome.lock().unwrap_or_else(|e| e.into_inner());
            let all = all.entry(job.profile).or_default();
            all.passed += one.passed;
            all.failures.extend(one.failures);
            all.not_run.extend(one.not_run);
        }
    };
    thread::scope(|scope| -> Result<(), String> {
        let others: Vec<_> = (1..SIDE_BY_SIDE).map(|_| scope.spawn(work)).collect();
        work()?;
        others.into_iter().try_for_each(|other| other.join().expect("it only waits for processes"))
    })?;
    Ok(outcome.into_inner().unwrap_or_else(|e| e.into_inner()))
}

impl Job<'_> {
    fn run(&self) -> Result<Outcome, String> {
        let Job { program, profile, seed, is_small, skips } = self;
        let mut command = Command::new(&program.path);
        command.args(["--show-output", "--color", "never"]);
        command.args(skips.iter().flat_map(|part| ["--skip", part]));
        command.current_dir(workspace::root().join("crates/kael-rt"));
        command.env("KAEL_KEVENT_PROFILE", profile).env("KAEL_KEVENT_SEED", seed.to_string());
        if *is_small {
            command.env("KAEL_EMULATED", "1");
        }
        let ended = process::run(&mut command, PROGRAM_LIMIT, Show::Nothing)?;
        let mut outcome = Outcome { passed: ended.tests_passed(), ..Outcome::default() };
        if !ended.success() {
            let what = format!(
                "KAEL_KEVENT_PROFILE={profile} KAEL_KEVENT_SEED={seed} {}: {}",
                program.name,
                ended.verdict()
            );
            println!("{what}\n{}", ended.tail(40));
            outcome.failures.push(what);
        }
        for line in ended.output.lines() {
            if let Some(reason) = line.trim_start().strip_prefix("not run: ") {
                outcome.not_run.insert(format!("{}: {reason}", program.name));
            }
            if let Some((name, _)) = line.split_once(" ... ignored") {
                outcome.not_run.insert(format!(
                    "{}: {}: it is asked for by name only",
                    program.name,
                    name.trim_start_matches("test ")
                ));
            }
        }
        if ended.success() && outcome.passed == 0 && skips.is_empty() {
            outcome.not_run.insert(format!("{}: {}", program.name, program.reason()));
        }
        Ok(outcome)
    }
}

impl Program {
    /// Why it has no tests here: the comment at its `cfg`, before it or behind it.
    fn reason(&self) -> String {
        let text = std::fs::read_to_string(&self.source).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.starts_with("#![cfg("));
        let reason = at.and_then(|at| {
            let behind = lines[at].split_once("// ").map(|(_, reason)| reason);
            behind.or_else(|| lines[at.checked_sub(1)?].strip_prefix("// "))
        });
        reason.unwrap_or("no test").to_owned()
    }
}

/// The test programs of the library.
fn build() -> Result<Vec<Program>, String> {
    let mut command = workspace::cargo(&["test", "-p", "kael-rt", "--lib", "--tests", "--no-run"]);
    command.args(["--message-format=json", "--target-dir", TARGET]).env("RUSTFLAGS", FLAGS);
    let ended = process::run(&mut command, BUILD_LIMIT, Show::Nothing)?;
    if !ended.success() {
        let text: Vec<&str> = ended.output.lines().filter(|line| !line.starts_with('{')).collect();
        return Err(format!("the tests do not build: {}\n{}", ended.verdict(), text.join("\n")));
    }
    let mut programs = Vec::new();
    for line in ended.output.lines().filter(|line| line.starts_with('{')) {
        let message: Value =
            serde_json::from_str(line).map_err(|error| format!("cargo's messages: {error}"))?;
        let Some(path) = message["executable"].as_str().map(PathBuf::from) else { continue };
        let name = message["target"]["name"].as_str().ok_or("cargo names no target")?.to_owned();
        let source = message["target"]["src_path"].as_str().ok_or("cargo names no source")?;
        programs.push(Program { name, source: source.into(), path });
    }
    if programs.is_empty() {
        return Err("there is no test program".to_owned());
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}
