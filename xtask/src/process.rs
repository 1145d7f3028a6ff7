//! Runs one command to its end or to its time limit. Its output is kept, and shown while it comes if asked for.
//!
//! A command has no standard input, so nothing can wait for an answer, and a process group of its own, so that the
//! limit ends the tests that cargo started and not only cargo.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// What became of a command.
pub(crate) struct Ended {
    /// `None`: it was killed at its time limit.
    pub(crate) status: Option<ExitStatus>,
    /// Both streams, line by line in the order in which they came.
    pub(crate) output: String,
    pub(crate) wall: Duration,
}

impl Ended {
    pub(crate) fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// One sentence for a report.
    pub(crate) fn verdict(&self) -> String {
        match self.status {
            None => format!("killed at its time limit after {}", crate::table::wall(self.wall)),
            Some(status) => status.to_string(),
        }
    }

    /// The number of tests that passed, summed over the result lines of all test programs.
    pub(crate) fn tests_passed(&self) -> u64 {
        self.output.lines().filter_map(passed).sum()
    }

    /// What explains a failure: what failed tests have said, if there are any, and the last lines.
    pub(crate) fn failures(&self, lines: usize) -> String {
        let said: Vec<&str> = said_by_failed_tests(self.output.lines()).collect();
        match said.is_empty() {
            true => self.tail(lines),
            false => {
                let last = &said[said.len().saturating_sub(lines)..];
                format!("{}\n{}", last.join("\n"), self.tail(lines / 4))
            }
        }
    }

    /// The last lines, for reports in which the whole output would drown the reader.
    pub(crate) fn tail(&self, lines: usize) -> String {
        last_lines(&self.output, lines)
    }
}

pub(crate) fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// `test result: ok. 12 passed; 0 failed; ...` gives 12.
fn passed(line: &str) -> Option<u64> {
    let counts = line.trim_start().strip_prefix("test result: ")?;
    let (_, rest) = counts.split_once(". ")?;
    rest.split_once(" passed")?.0.parse().ok()
}

/// The parts of test programs' output that are about their failed tests.
pub(crate) fn said_by_failed_tests<'a>(
    lines: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    let mut within = false;
    lines.filter(move |line| {
        within = (within || *line == "failures:") && !line.starts_with("test result: ");
        within && !line.is_empty()
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    Lines,
    /// Each line with this before it: several commands run side by side.
    Named(&'static str),
    Nothing,
}

pub(crate) fn run(command: &mut Command, limit: Duration, show: Show) -> Result<Ended, String> {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{} could not be started: {error}", describe(command)))?;
    let (lines, incoming) = mpsc::channel();
    forward(child.stdout.take().expect("stdout is piped"), lines.clone());
    forward(child.stderr.take().expect("stderr is piped"), lines);

    let mut output = String::new();
    let mut in_time = true;
    loop {
        let left = limit.saturating_sub(began.elapsed());
        match incoming.recv_timeout(left.min(PATIENCE)) {
            Ok(line) => {
                match show {
                    Show::Lines => println!("{line}"),
                    Show::Named(name) => println!("{name} | {line}"),
                    Show::Nothing => {}
                }
                output.push_str(&line);
                output.push('\n');
            }
            // Both streams are closed: the command and all that it started have ended, or are about to.
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let has_ended = child.try_wait().is_ok_and(|status| status.is_some());
                in_time = began.elapsed() < limit;
                if has_ended || !in_time {
                    // What still holds the streams outlived the command: its end must not wait for that.
                    kill_group(child.id());
                    break;
                }
            }
        }
    }
    let status = child.wait().map_err(|error| format!("waiting for a command failed: {error}"))?;
    Ok(Ended { status: in_time.then_some(status), output, wall: began.elapsed() })
}

/// How long processes that a command has left behind may keep its streams open.
const PATIENCE: Duration = Duration::from_secs(5);

fn forward(stream: impl Read + Send + 'static, lines: Sender<String>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        // A test may print anything, so lines are bytes until here; a read error ends the stream like its end.
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            bytes.clear();
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}

/// The shell's built-in `kill`: std cannot signal a group, and the program `kill` is missing on small systems.
fn kill_group(leader: u32) {
    let killed = Command::new("sh").args(["-c", &format!("kill -s KILL -- -{leader}")]).status();
    if !killed.is_ok_and(|status| status.success()) {
        eprintln!("xtask: process group {leader} could not be killed");
    }
}

/// The command as it would be typed, with the variables that it sets.
pub(crate) fn describe(command: &Command) -> String {
    let mut words: Vec<String> = command
        .get_envs()
        .filter_map(|(name, value)| {
            Some(format!("{}={}", name.to_string_lossy(), quoted(&value?.to_string_lossy())))
        })
        .collect();
    let program = command.get_program().to_string_lossy();
    words.push(program.rsplit('/').next().unwrap_or(&program).to_owned());
    words.extend(command.get_args().map(|word| quoted(&word.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains([' ', '"']) { format!("'{word}'") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_ends_at_its_limit_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo before; sleep 600 & wait"]);
        let ended = run(&mut command, Duration::from_millis(200), Show::Nothing).unwrap();
        assert!(ended.status.is_none());
        assert_eq!(ended.output, "before\n");
        assert!(ended.wall < Duration::from_secs(60));
    }

    #[test]
    fn a_command_that_leaves_a_process_behind_ends_with_its_own_status() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & exit 3"]);
        let ended = run(&mut command, Duration::from_secs(300), Show::Nothing).unwrap();
        assert_eq!(ended.status.and_then(|status| status.code()), Some(3));
        assert!(ended.wall < Duration::from_secs(60));
    }

    #[test]
    fn a_failure_is_explained_by_what_its_tests_have_said() {
        let output = "building\nfailures:\n\n---- a stdout ----\nleft: 1\ntest result: FAILED.\nother tests\nend\n";
        let ended = Ended { status: None, output: output.to_owned(), wall: Duration::ZERO };
        assert_eq!(ended.failures(4), "failures:\n---- a stdout ----\nleft: 1\nend");
        let ended = Ended { status: None, output: "one\ntwo\n".to_owned(), wall: Duration::ZERO };
        assert_eq!(ended.failures(1), "two");
    }

    #[test]
    fn passed_tests_are_summed_over_programs() {
        let output = "test result: ok. 12 passed; 0 failed\nnoise\ntest result: FAILED. 3 passed; 1 failed\n";
        let ended = Ended { status: None, output: output.to_owned(), wall: Duration::ZERO };
        assert_eq!(ended.tests_passed(), 15);
    }
}
