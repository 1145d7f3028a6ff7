//! `cargo xtask ci`: runs lanes in order, each step with its heading and wall time, and prints the table of lanes.
//! What a lane consists of is written in `lanes.rs`.

use crate::beside::Beside;
use crate::lanes::{BESIDE, LANES};
use crate::process::{self, Ended, Show};
use crate::table::{Table, wall};
use std::process::Command;
use std::time::{Duration, Instant};

/// No step may hang the machine: the whole of CI ends within 60 minutes on two cores, and no step comes near this.
const STEP_LIMIT: Duration = Duration::from_secs(25 * 60);

/// So much of a failed step is said again at the end.
const LINES_OF_A_FAILURE: usize = 60;

/// A lane while it runs. A failed step does not stop the lane, because the next step may say why it failed.
pub(crate) struct Run {
    lane: &'static str,
    failures: Vec<Failure>,
}

struct Failure {
    /// One sentence.
    what: String,
    /// What was said of it, for the end of the report: its own place may be thousands of lines before.
    said: String,
}

impl Run {
    /// Runs a command, which must exit with 0.
    pub(crate) fn step(&mut self, name: &str, command: &mut Command) {
        self.watched(name, command, |_| Ok("ok".to_owned()));
    }

    /// Runs tests. A filter that matches nothing exits with 0 as well, so at least one test must have passed.
    pub(crate) fn tests(&mut self, name: &str, command: &mut Command) {
        self.watched(name, command, |ended| match ended.tests_passed() {
            0 => Err("no test ran".to_owned()),
            passed => Ok(format!("{passed} tests passed")),
        });
    }

    /// Runs a check of ours.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> Result<(), String>) {
        let began = Instant::now();
        println!("\n== {}: {name}", self.lane);
        match check() {
            Ok(()) => println!("-- {}: {name}: ok, {}", self.lane, wall(began.elapsed())),
            Err(reason) => self.fail(name, &reason),
        }
    }

    pub(crate) fn fail(&mut self, name: &str, reason: &str) {
        println!("-- {}: {name}: FAILED: {reason}", self.lane);
        self.failed(name, reason);
    }

    fn failed(&mut self, name: &str, reason: &str) {
        let (first, rest) = reason.split_once('\n').unwrap_or((reason, ""));
        let what = format!("{}: {name}: {first}", self.lane);
        self.failures.push(Failure { what, said: rest.to_owned() });
    }

    /// `closing` says what a command that exited with 0 is worth.
    fn watched(
        &mut self,
        name: &str,
        command: &mut Command,
        closing: fn(&Ended) -> Result<String, String>,
    ) {
        println!("\n== {}: {name}\n   {}", self.lane, process::describe(command));
        let result = process::run(command, STEP_LIMIT, Show::Lines).and_then(|ended| {
            match ended.success() {
                true => closing(&ended).map(|closing| format!("{closing}, {}", wall(ended.wall))),
                false => {
                    Err(format!("{}\n{}", ended.verdict(), ended.failures(LINES_OF_A_FAILURE)))
                }
            }
        });
        match result {
            Ok(closing) => println!("-- {}: {name}: {closing}", self.lane),
            // Its output has just been shown.
            Err(reason) => {
                let first = reason.lines().next().unwrap_or("");
                println!("-- {}: {name}: FAILED: {first}", self.lane);
                self.failed(name, &reason);
            }
        }
    }
}

pub(crate) fn main(arguments: &[String]) -> Result<(), String> {
    let mut wanted: Vec<&str> = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => {
                for lane in LANES {
                    println!("{:<11} {}", lane.name, lane.about);
                }
                return Ok(());
            }
            "--lane" => wanted.push(words.next().ok_or("--lane needs a name; --list prints them")?),
            other => return Err(format!("`{other}` is not an argument of ci")),
        }
    }
    if let Some(unknown) = wanted.iter().find(|name| LANES.iter().all(|lane| lane.name != **name)) {
        return Err(format!("there is no lane `{unknown}`; `cargo xtask ci --list` prints them"));
    }

    let began = Instant::now();
    let mut table = Table::new(&["lane", "result", "wall time"]);
    let mut failures = Vec::new();
    let mut beside = match wanted.is_empty() {
        true => BESIDE.iter().map(|lane| Beside::start(lane)).collect::<Result<Vec<_>, _>>()?,
        false => Vec::new(),
    };
    for lane in LANES.iter().filter(|lane| wanted.is_empty() || wanted.contains(&lane.name)) {
        println!("\n==== lane {}: {}", lane.name, lane.about);
        let lane_began = Instant::now();
        let mut run = Run { lane: lane.name, failures: Vec::new() };
        match beside.iter().position(|beside| beside.lane == lane.name) {
            Some(i) => run.check("beside the others", || beside.swap_remove(i).end()),
            None => (lane.steps)(&mut run),
        }
        let result = if run.failures.is_empty() { "ok" } else { "FAILED" };
        table.row(vec![lane.name.to_owned(), result.to_owned(), wall(lane_began.elapsed())]);
        failures.append(&mut run.failures);
    }
    let result = if failures.is_empty() { "ok" } else { "FAILED" };
    table.row(vec!["all".to_owned(), result.to_owned(), wall(began.elapsed())]);
    for failure in failures.iter().filter(|failure| !failure.said.is_empty()) {
        println!("\n== {}\n{}", failure.what, failure.said);
    }
    println!();
    table.print();
    let whats: Vec<&str> = failures.iter().map(|failure| failure.what.as_str()).collect();
    match whats.is_empty() {
        true => Ok(()),
        false => Err(format!("{} failed:\n  {}", whats.len(), whats.join("\n  "))),
    }
}
