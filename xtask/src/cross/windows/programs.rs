//! What runs under wine: the test programs, the examples, and `kael`. Each has a limit of its own, and what hangs is killed
//! together with all that it has started.

use super::wine::Wine;
use crate::kernels::{self, End, Part, Program};
use crate::process::{self, Ended, Show};
use crate::table::wall;
use crate::workspace;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// For one test program. Tests have limits of their own, of 150 s at most.
const PROGRAM_LIMIT: Duration = Duration::from_secs(240);
/// For all of them. No step of CI takes longer.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// For a demonstration, and for what `kael` does in a few seconds.
const SHORT_LIMIT: Duration = Duration::from_secs(120);

/// All calls go through wine's one server, so that more threads do not make more of them.
const THREADS: &str = "--test-threads=2";

/// Runs the test programs one after the other, and fails unless all tests have passed.
pub(super) fn suites(wine: &mut Wine, programs: &[Program]) -> Result<(), String> {
    let began = Instant::now();
    let mut parts = Vec::new();
    for program in programs {
        let left = LIMIT.saturating_sub(began.elapsed());
        parts.push(if left.is_zero() { None } else { Some(test(wine, program, left)?) });
    }
    let time = wall(began.elapsed());
    let failures = kernels::report(&wine.version, programs, &parts, &time);
    match failures.is_empty() {
        true => Ok(()),
        false => Err(format!("{} failures\n  {}", failures.len(), failures.join("\n  "))),
    }
}

fn test(wine: &mut Wine, program: &Program, left: Duration) -> Result<Part, String> {
    println!("wine | == {}", program.source);
    let mut command = wine.command(&program.path);
    command.args(program.arguments()).arg(THREADS);
    // As cargo does it: in the package's folder.
    command.current_dir(package(&program.source));
    // A call costs many times what it costs on a system's own kernel, and times say nothing about the code.
    command.env("KAEL_EMULATED", "1").env("RUST_BACKTRACE", "0");
    // Of the 1,000 seeds that the program has by itself, as the lane `kqueue` does.
    if std::env::var_os("KAEL_RIO_SEEDS").is_none() {
        command.env("KAEL_RIO_SEEDS", "200");
    }
    let ended = limited(wine, &mut command, PROGRAM_LIMIT.min(left), Show::Named("wine"))?;
    let end = match ended.status {
        None => End::TIME_LIMIT,
        Some(status) => status.code().map_or(End::Lost, End::Status),
    };
    let lines = ended.output.lines().map(str::to_owned).collect();
    Ok(Part { lines, end, seconds: ended.wall.as_secs_f64() })
}

/// `crates/kael-rt/tests/wake.rs` is of the package in `crates/kael-rt`.
fn package(source: &str) -> PathBuf {
    workspace::root().join(source.split('/').take(2).collect::<PathBuf>())
}

/// Runs a program to its end, or to its limit. Processes that a killed one has started are killed with the server.
fn limited(
    wine: &mut Wine,
    command: &mut Command,
    limit: Duration,
    show: Show,
) -> Result<Ended, String> {
    let ended = process::run(command, limit, show)?;
    if ended.status.is_none() {
        wine.end()?;
        wine.start()?;
    }
    Ok(ended)
}

/// Runs a program that must exit with 0.
pub(super) fn succeed(wine: &mut Wine, program: &Path, words: &[&str]) -> Result<(), String> {
    let mut command = wine.command(program);
    command.args(words).env("RUST_BACKTRACE", "0");
    let ended = limited(wine, &mut command, SHORT_LIMIT, Show::Named("wine"))?;
    match ended.success() {
        true => Ok(()),
        false => Err(format!("{}\n{}", ended.verdict(), ended.tail(40))),
    }
}

/// `kael echo` serves `kael load`, and ends with 0 when it is interrupted.
pub(super) fn echo_and_load(wine: &mut Wine, kael: &Path) -> Result<(), String> {
    let mut command = wine.command(kael);
    command.args(["echo", "--listen", "127.0.0.1:0"]).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let server = command.spawn().map_err(|error| format!("kael echo: {error}"))?;
    let mut server = Server::new(server);
    let address = server.line_with("listening on ")?;
    let words = ["load", "--connect", &address, "--connections", "20", "--seconds", "2"];
    succeed(wine, kael, &words).map_err(|reason| format!("kael load: {reason}"))?;
    server.interrupt()
}

/// `kael echo` while it runs. It is killed when nobody has it any more.
struct Server {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Server {
    fn new(mut process: Child) -> Server {
        let (sender, lines) = mpsc::channel();
        let output = process.stderr.take().expect("stderr is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                println!("wine | {line}");
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Server { process, lines }
    }

    /// What follows these words in the first line that has them.
    fn line_with(&self, words: &str) -> Result<String, String> {
        loop {
            let line = self.lines.recv_timeout(SHORT_LIMIT);
            let line = line.map_err(|_| format!("kael echo does not say `{words}`"))?;
            if let Some((_, rest)) = line.split_once(words) {
                return Ok(rest.trim().to_owned());
            }
        }
    }

    /// Wine makes of this signal what Windows makes of Ctrl-C.
    fn interrupt(&mut self) -> Result<(), String> {
        let signal = format!("kill -s INT {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &signal]).status();
        if !sent.is_ok_and(|status| status.success()) {
            return Err("kael echo had ended".to_owned());
        }
        // Its last words are told; then its output ends, and so does it.
        let limit = Instant::now() + SHORT_LIMIT;
        while limit > Instant::now() {
            match self.lines.recv_timeout(SHORT_LIMIT) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.process.wait().map_err(|error| error.to_string())?;
                    let failed = || Err(format!("kael echo: {status}"));
                    return if status.success() { Ok(()) } else { failed() };
                }
            }
        }
        Err("kael echo does not end when it is interrupted".to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
