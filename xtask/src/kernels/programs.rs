//! The test programs of the workspace, as cargo builds them for `cargo test`, and the names of their tests.

use crate::process::{self, Show};
use crate::workspace;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
const LIST_LIMIT: Duration = Duration::from_secs(60);

/// One test program.
pub(crate) struct Program {
    /// Its root, relative to the repository: the name by which it is reported.
    pub(crate) source: String,
    pub(crate) path: PathBuf,
    /// The whole names of all its tests, ignored ones included.
    pub(crate) tests: Vec<String>,
    /// Those of `tests` that were asked for by name; empty: all.
    pub(crate) chosen: Vec<String>,
    /// Those of `tests` that do not run, with the reason.
    pub(crate) left_out: Vec<(&'static str, &'static str)>,
}

impl Program {
    /// The program with the tests whose names have this part, if it has any.
    pub(crate) fn matching(mut self, part: Option<&str>) -> Option<Program> {
        if let Some(part) = part {
            self.chosen = self.tests.iter().filter(|test| test.contains(part)).cloned().collect();
        }
        (part.is_none() || !self.chosen.is_empty()).then_some(self)
    }

    /// Arguments for the test program. Names are whole, so that an exception leaves out one test.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        // The output of tests that pass is shown, too: they say there what they did not do.
        let mut words = vec!["--show-output", "--color", "never", "--exact"];
        for (test, _) in &self.left_out {
            words.extend(["--skip", test]);
        }
        words.extend(self.chosen.iter().map(String::as_str));
        words
    }

    /// How many tests its closing line must account for.
    pub(crate) fn expected(&self) -> u64 {
        let wanted = if self.chosen.is_empty() { &self.tests } else { &self.chosen };
        let runs = |test: &&String| self.left_out.iter().all(|(name, _)| name != *test);
        wanted.iter().filter(runs).count() as u64
    }
}

pub(crate) struct Built {
    pub(crate) tests: Vec<Program>,
    /// Programs that tests start, at the paths which the compiler has told them.
    pub(crate) others: Vec<PathBuf>,
}

/// The programs of a `cargo test`, which does not run them. `runner` is what runs one, if not the machine itself.
pub(crate) fn build(command: &mut Command, runner: &[&str]) -> Result<Built, String> {
    command.args(["--no-run", "--message-format=json"]);
    println!("{}", process::describe(command));
    let ended = process::run(command, BUILD_LIMIT, Show::Nothing)?;
    if !ended.success() {
        let text: Vec<&str> = ended.output.lines().filter(|line| !line.starts_with('{')).collect();
        return Err(format!("the tests do not build: {}\n{}", ended.verdict(), text.join("\n")));
    }
    let mut built = Built { tests: Vec::new(), others: Vec::new() };
    for line in ended.output.lines().filter(|line| line.starts_with('{')) {
        let message: Value =
            serde_json::from_str(line).map_err(|error| format!("cargo's messages: {error}"))?;
        let Some(path) = message["executable"].as_str().map(PathBuf::from) else { continue };
        let source = message["target"]["src_path"].as_str().ok_or("cargo names no source")?;
        let source = source.strip_prefix(&format!("{}/", workspace::root().display()));
        let source = source.ok_or("a test program is from elsewhere")?.to_owned();
        if message["profile"]["test"] == true {
            let tests = names(&path, runner)?;
            built.tests.push(Program {
                source,
                path,
                tests,
                chosen: Vec::new(),
                left_out: Vec::new(),
            });
        } else if message["target"]["kind"][0] == "bin" && source.starts_with("crates/") {
            built.others.push(path);
        }
    }
    built.tests.sort_by(|a, b| a.source.cmp(&b.source));
    Ok(built)
}

fn names(program: &PathBuf, runner: &[&str]) -> Result<Vec<String>, String> {
    let mut command = match runner.split_first() {
        None => Command::new(program),
        Some((runner, words)) => {
            let mut command = Command::new(runner);
            command.args(words).arg(program);
            command
        }
    };
    let ended = process::run(command.args(["--list"]), LIST_LIMIT, Show::Nothing)?;
    if !ended.success() {
        let said = ended.output.trim();
        return Err(format!("{} --list: {}: {said:?}", program.display(), ended.verdict()));
    }
    Ok(ended
        .output
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(str::to_owned)
        .collect())
}
