//! System calls and context switches of the echo server for each request, as the kernel counts them.
//!
//! The count is the difference of two lengths of run, so that setting up and accepting are not in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::builds::{self, runs};
use crate::echo::list;
use crate::options::{Counter, Options};
use crate::process::{Figures, Server, figures, free_port, load_command, start_echo};
use crate::programs::{self, Program};
use crate::results::Results;
use crate::workload::{self, EchoCase};

const SHORT_SECS: f64 = 0.1;
const STRACE_PATIENCE: Duration = Duration::from_secs(10);

/// Of one run: what was counted, by name, and the requests that it was counted over.
struct Count {
    calls: f64,
    /// Only perf counts them.
    switches: Option<f64>,
    requests: f64,
}

pub(crate) fn run(options: &Options) -> Result<usize, String> {
    let programs = programs::select(programs::echo(), options)?;
    if options.list {
        return Ok(list(&programs));
    }
    let counter = choose_counter(options)?;
    builds::build(&programs)?;
    let mut failures = 0;
    for case in options.echo_cases(&workload::SYSCALLS) {
        let results = Results::interleave(programs.clone(), options.rounds, |program| {
            let short = count(program, case, SHORT_SECS, counter, options)?;
            let long = count(program, case, SHORT_SECS + options.secs, counter, options)?;
            let requests = long.requests - short.requests;
            if requests < 1.0 {
                return Err("the longer run had no more requests than the shorter".to_owned());
            }
            let mut figures =
                Figures::from([("calls".to_owned(), (long.calls - short.calls) / requests)]);
            if let (Some(short), Some(long)) = (short.switches, long.switches) {
                figures.insert("switches".to_owned(), (long - short) / requests);
            }
            Ok(figures)
        });
        let by = if counter == Counter::Perf { "perf" } else { "strace" };
        results.print(
            &format!("System calls of the server for each request, by {by}: {case}"),
            ("calls", "system calls"),
            &[("switches", "context switches")],
        );
        failures += results.failures;
    }
    Ok(failures)
}

fn choose_counter(options: &Options) -> Result<Counter, String> {
    let perf = || {
        let file = Scratch::new("perf-probe");
        let args = ["stat", "-x,", "-o", &file.name(), "-e", "raw_syscalls:sys_enter", "true"];
        runs("perf", &args) && perf_value(&file.0, "raw_syscalls:sys_enter").is_ok()
    };
    let strace = || runs("strace", &["-o", "/dev/null", "-c", "true"]);
    match options.counter {
        Some(Counter::Perf) if !perf() => {
            Err("perf cannot count raw_syscalls:sys_enter here (apt-get install -y linux-perf; it wants root or \
                 kernel.perf_event_paranoid below 0, and tracefs)"
                .to_owned())
        }
        Some(Counter::Strace) if !strace() => Err("strace does not run here (apt-get install -y strace)".to_owned()),
        Some(counter) => Ok(counter),
        None if perf() => Ok(Counter::Perf),
        None if strace() => Ok(Counter::Strace),
        None => Err("neither perf nor strace works here: apt-get install -y linux-perf strace".to_owned()),
    }
}

fn count(
    program: &Program,
    case: EchoCase,
    secs: f64,
    counter: Counter,
    options: &Options,
) -> Result<Count, String> {
    match counter {
        Counter::Perf => count_by_perf(program, case, secs, options),
        Counter::Strace => count_by_strace(program, case, secs, options),
    }
}

/// perf is attached to the server for as long as the client runs.
fn count_by_perf(
    program: &Program,
    case: EchoCase,
    secs: f64,
    options: &Options,
) -> Result<Count, String> {
    let file = Scratch::new("perf");
    let (server, port) = start_echo(program, options.server_cpu)?;
    let pid = server.pid().to_string();
    let mut command: Vec<String> = ["perf", "stat", "-x,", "-o"].map(str::to_owned).to_vec();
    command.push(file.name());
    command.extend(
        ["-e", "raw_syscalls:sys_enter", "-e", "context-switches", "-p", &pid, "--"]
            .map(str::to_owned),
    );
    command.extend(load_command(port, case, secs, server.pid()));
    let figures = figures(&command, false, &options.client_cpu.to_string())?;
    Ok(Count {
        calls: perf_value(&file.0, "raw_syscalls:sys_enter")?,
        switches: Some(perf_value(&file.0, "context-switches")?),
        requests: total_requests(&figures)?,
    })
}

/// A line of `perf stat -x,` is `value,unit,event,...`.
fn perf_value(file: &Path, event: &str) -> Result<f64, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("perf wrote nothing: {error}"))?;
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.get(2) == Some(&event)).ok_or("perf did not count")?;
    line[0].parse().map_err(|_| format!("perf says {} for {event}", line[0]))
}

/// With -D strace is a grandchild, and the child that we end is the server. strace writes when the server has ended.
fn count_by_strace(
    program: &Program,
    case: EchoCase,
    secs: f64,
    options: &Options,
) -> Result<Count, String> {
    let file = Scratch::new("strace");
    let port = free_port()?;
    let mut command: Vec<String> = ["strace", "-D", "-f", "-c", "-o"].map(str::to_owned).to_vec();
    command.push(file.name());
    command.extend(program.echo_command(port));
    let server = Server::start(&command, program.tuned, options.server_cpu)?;
    let client = load_command(port, case, secs, 0);
    let figures = figures(&client, false, &options.client_cpu.to_string())?;
    drop(server);

    let end = Instant::now() + STRACE_PATIENCE;
    loop {
        let text = fs::read_to_string(&file.0).unwrap_or_default();
        if let Some(calls) = strace_total(&text) {
            return Ok(Count { calls, switches: None, requests: total_requests(&figures)? });
        }
        if Instant::now() > end {
            return Err("strace wrote no summary".to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The sum of the fourth column (calls), once the summary is whole: its last line is the total.
fn strace_total(summary: &str) -> Option<f64> {
    summary.lines().last().filter(|line| line.ends_with("total"))?;
    let rows =
        summary.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    let rows = rows.filter(|line| !line.ends_with("total"));
    let calls = rows.filter_map(|line| line.split_whitespace().nth(3)?.parse::<f64>().ok());
    Some(calls.sum())
}

fn total_requests(figures: &Figures) -> Result<f64, String> {
    figures.get("total").copied().ok_or_else(|| "the client printed no total".to_owned())
}

/// A file that a counter writes, gone at the end of its scope.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(
            builds::bench_root().join("target").join(format!("{name}-{}.txt", std::process::id())),
        )
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The counter may not have come so far as to write it.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_an_strace_summary_are_added() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000300           3       100           io_uring_enter
 40.00    0.000200           2        11         4 read
------ ----------- ----------- --------- --------- ----------------
100.00    0.000500           4       111         4 total
";
        assert_eq!(strace_total(summary), Some(111.0));
        assert_eq!(strace_total(&summary[..summary.len() - 60]), None);
    }
}
