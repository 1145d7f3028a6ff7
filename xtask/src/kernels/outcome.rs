//! What a test program's output says: how many of its tests ran, which did not and why, and whether all is well; and the
//! report of all programs at one place.

use super::programs::Program;
use crate::process;
use crate::table::Table;

/// With these a test that passes says on its standard output what it did not do.
const NOT_RUN: &str = "not run: ";
const NOT_CHECKED: &str = "not checked: ";
/// With this a test says which options the kernel has granted to a ring.
const GRANTED: &str = "granted: ";

/// What was seen of one program.
pub(crate) struct Part {
    pub(crate) lines: Vec<String>,
    pub(crate) end: End,
    pub(crate) seconds: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum End {
    Status(i32),
    /// The machine ended, or was stopped, while the program ran.
    Lost,
}

impl End {
    /// `timeout` kills, and the shell makes this of it.
    pub(crate) const TIME_LIMIT: End = End::Status(128 + 9);
}

struct Outcome {
    source: String,
    /// Tests that ran and passed.
    passed: u64,
    /// Tests that did not run, or not wholly: name and reason.
    omitted: Vec<(String, String)>,
    end: Option<End>,
    seconds: f64,
    /// What the kernel has granted, if this is the program that says it.
    granted: Option<String>,
    /// One sentence.
    failure: Option<String>,
}

impl Outcome {
    fn of(program: &Program, part: Option<&Part>, place: &str) -> Outcome {
        let mut outcome = Outcome {
            source: program.source.clone(),
            passed: 0,
            omitted: Vec::new(),
            end: part.map(|part| part.end),
            seconds: part.map_or(0.0, |part| part.seconds),
            granted: None,
            failure: None,
        };
        if program.chosen.is_empty() {
            let left_out = program.left_out.iter();
            outcome.omitted.extend(left_out.map(|(test, why)| (test.to_string(), why.to_string())));
        }
        let judgement = match part {
            None => Err("it was not reached".to_owned()),
            Some(part) => outcome.read(program, part),
        };
        let lines = part.map_or(&[][..], |part| &part.lines).iter().map(String::as_str);
        let said: String =
            process::said_by_failed_tests(lines).map(|line| format!("\n    {line}")).collect();
        let named = |reason| format!("{} on {place}: {reason}{said}", program.source);
        outcome.failure = judgement.err().map(named);
        outcome
    }

    fn read(&mut self, program: &Program, part: &Part) -> Result<(), String> {
        let mut closing = None;
        let (mut failed, mut in_section) = (Vec::new(), "");
        for line in &part.lines {
            if let Some(section) = line.strip_prefix("---- ") {
                in_section = section.strip_suffix(" stdout ----").unwrap_or(section);
            } else if let Some(reason) = line.strip_prefix(NOT_RUN) {
                self.omitted.push((in_section.to_owned(), reason.to_owned()));
            } else if line.starts_with(NOT_CHECKED) {
                self.omitted.push((in_section.to_owned(), line.clone()));
            } else if line.starts_with(GRANTED) {
                self.granted = Some(line.clone());
            } else if line.starts_with("test result: ") {
                closing = Some(counts(line).ok_or_else(|| format!("cannot read `{line}`"))?);
            } else if let Some((name, result)) = test(line) {
                match result.split_once("ignored") {
                    Some(("", reason)) => {
                        let reason = reason.trim_start_matches(", ").to_owned();
                        self.omitted.push((name.to_owned(), reason));
                    }
                    _ if result.starts_with("FAILED") => failed.push(name),
                    _ => {}
                }
            }
        }
        let Some([passed, failures, ignored]) = closing else {
            return Err(self.without_closing_line(program, part));
        };
        let said = |line: &&String| line.starts_with(NOT_RUN);
        self.passed = passed - part.lines.iter().filter(said).count() as u64;
        let expected = program.expected();
        match part.end {
            End::Status(0) if passed + ignored == expected => Ok(()),
            End::Status(0) => {
                Err(format!("{passed} of {expected} tests passed, {ignored} ignored"))
            }
            End::Status(status) => {
                Err(format!("{failures} failed, status {status}: {}", failed.join(", ")))
            }
            End::Lost => Err("the guest ended with it".to_owned()),
        }
    }

    /// Which test it was that hung, or that the kernel did not survive: of those without a result, the first.
    fn without_closing_line(&self, program: &Program, part: &Part) -> String {
        let has_result =
            |name: &String| part.lines.iter().filter_map(|line| test(line)).any(|(n, _)| n == name);
        let tests = if program.chosen.is_empty() { &program.tests } else { &program.chosen };
        let open: Vec<&str> =
            tests.iter().filter(|name| !has_result(name)).map(String::as_str).take(3).collect();
        let end = match part.end {
            End::TIME_LIMIT => "killed at its time limit".to_owned(),
            End::Status(status) => format!("no closing line, status {status}"),
            End::Lost => "the guest ended, or hung, while it ran".to_owned(),
        };
        format!("{end}; without a result: {} ...", open.join(", "))
    }

    fn row(&self) -> Vec<String> {
        let status = match self.end {
            _ if self.failure.is_none() => "ok".to_owned(),
            Some(End::Status(status)) => format!("FAILED, {status}"),
            Some(End::Lost) | None => "FAILED".to_owned(),
        };
        vec![
            self.source.clone(),
            self.passed.to_string(),
            self.omitted.len().to_string(),
            status,
            format!("{:.1}", self.seconds),
        ]
    }

    fn left_out(&self) -> Vec<String> {
        let line = |(test, reason): &(String, String)| format!("{} {test}: {reason}", self.source);
        self.omitted.iter().map(line).collect()
    }
}

/// Prints what became of the programs at one place, and returns what failed.
pub(crate) fn report(
    place: &str,
    programs: &[Program],
    parts: &[Option<Part>],
    time: &str,
) -> Vec<String> {
    let parts = programs.iter().zip(parts);
    let outcomes: Vec<Outcome> =
        parts.map(|(program, part)| Outcome::of(program, part.as_ref(), place)).collect();
    println!("\n{place}:");
    let mut table = Table::new(&["program", "passed", "not run", "status", "seconds"]);
    outcomes.iter().for_each(|outcome| table.row(outcome.row()));
    table.print();
    outcomes.iter().flat_map(|outcome| &outcome.granted).for_each(|line| println!("\n{line}"));
    let left_out: Vec<String> = outcomes.iter().flat_map(Outcome::left_out).collect();
    println!("\nnot run, or not wholly, on {place}: {}", left_out.len());
    left_out.iter().for_each(|line| println!("  {line}"));
    let passed: u64 = outcomes.iter().map(|outcome| outcome.passed).sum();
    println!("\n{place}: {passed} tests passed in {} programs; {time}", outcomes.len());
    outcomes.into_iter().filter_map(|outcome| outcome.failure).collect()
}

/// `test a::b ... ok` gives `a::b` and `ok`.
fn test(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    // `a::b - should panic ... ok`
    let name = name.split(" - ").next().unwrap_or(name);
    // A line that was torn has no result.
    (!result.is_empty()).then_some((name, result))
}

/// Passed, failed and ignored tests of `test result: ok. 12 passed; 0 failed; 1 ignored; ...`.
fn counts(line: &str) -> Option<[u64; 3]> {
    let (_, counts) = line.split_once(". ")?;
    let mut numbers = counts.split("; ").map(|part| part.split(' ').next()?.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        let tests = ["one", "two", "three"].map(str::to_owned).to_vec();
        let (chosen, left_out) = (Vec::new(), Vec::new());
        Program { source: "a.rs".to_owned(), path: "a".into(), tests, chosen, left_out }
    }

    fn outcome(lines: &str, end: End) -> Outcome {
        let lines = lines.lines().map(str::to_owned).collect();
        Outcome::of(&program(), Some(&Part { lines, end, seconds: 1.0 }), "Linux 6.1")
    }

    #[test]
    fn tests_that_say_so_did_not_run() {
        let lines = "test one ... ok\ntest two ... ignored, it is blue\ntest three ... ok\n\
                     ---- one stdout ----\nnot run: no tool\n\n---- three stdout ----\nnot checked: time\n\
                     test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        let outcome = outcome(lines, End::Status(0));
        assert_eq!(outcome.failure, None);
        assert_eq!(outcome.passed, 1);
        let expected =
            ["a.rs two: it is blue", "a.rs one: no tool", "a.rs three: not checked: time"];
        assert_eq!(outcome.left_out(), expected);
    }

    #[test]
    fn a_hang_names_the_test() {
        let outcome = outcome("test one ... ok\ntest two ... ", End::Status(137));
        assert_eq!(
            outcome.failure.unwrap(),
            "a.rs on Linux 6.1: killed at its time limit; without a result: two, three ..."
        );
    }

    #[test]
    fn a_program_that_forgets_a_test_fails() {
        let lines = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert!(outcome(lines, End::Status(0)).failure.unwrap().contains("2 of 3"));
        let lines = "test two ... FAILED\ntest result: FAILED. 2 passed; 1 failed; 0 ignored";
        assert!(outcome(lines, End::Status(101)).failure.unwrap().ends_with("status 101: two"));
        assert!(outcome("", End::Lost).failure.unwrap().contains("the guest ended"));
    }
}
