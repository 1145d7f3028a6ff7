//! This test program, started again: for what a process has once.

use std::process::Command;

/// The command of this program, without arguments. `KAEL_RUNNER` is what stands before programs of another processor.
pub(crate) fn this_program() -> Command {
    let program = std::env::current_exe().expect("a test has a path");
    let runner = std::env::var("KAEL_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(first) = words.next() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(words).arg(program);
    command
}
