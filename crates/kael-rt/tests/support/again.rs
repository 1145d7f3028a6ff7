//! This test program, started again: for what a process has once.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::process::{Command, Stdio};

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

/// Runs `test` in a process of its own, in which it has no other beside it.
pub(crate) fn in_own_process(name: &str, test: impl FnOnce()) {
    if std::env::var("KAEL_OWN_PROCESS").as_deref() == Ok(name) {
        return test();
    }
    let mut command = this_program();
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env("KAEL_OWN_PROCESS", name);
    let output = command.stdin(Stdio::null()).output().expect("the test program starts again");
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let mut lines = text.lines().skip_while(|line| !line.contains("panicked at")).skip(1);
        let cause = lines.next().unwrap_or("no assertion");
        panic!("{cause} [in its own process, {}]\n{text}", output.status);
    }
    // What it left out, and why, is ours to say.
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().filter(|line| line.starts_with("not ")).for_each(|line| println!("{line}"));
}
