//! User-mode instructions of the echo server for each request: callgrind's count, which no noise of the machine reaches.
//!
//! Under one callgrind the server serves a short run, which is thrown away (pools fill), a short one and a long one. The
//! count is the difference of the last two, so that accepting and closing are not in it.

use std::path::{Path, PathBuf};

use crate::builds::{self, runs};
use crate::echo::list;
use crate::options::Options;
use crate::process::{Figures, Server, figures, free_port, load_command};
use crate::profile;
use crate::programs::{self, Program};
use crate::results::Results;
use crate::workload::{self, EchoCase};

const SHORT_SECS: f64 = 0.05;

pub(crate) fn run(options: &Options) -> Result<usize, String> {
    let programs = programs::select(programs::echo(), options)?;
    if options.list {
        return Ok(list(&programs));
    }
    builds::build(&programs)?;
    let mut failures = 0;
    for case in options.echo_cases(&workload::INSTRUCTIONS) {
        let mut profiles = Vec::new();
        let results = Results::interleave(programs.clone(), options.rounds, |program| {
            let mut callgrind = Callgrind::start(program, options)?;
            callgrind.count(case, SHORT_SECS)?;
            let short = callgrind.count(case, SHORT_SECS)?;
            let long = callgrind.count(case, SHORT_SECS + options.secs)?;
            let requests = long.requests - short.requests;
            if requests < 1.0 {
                return Err("the longer run had no more requests than the shorter".to_owned());
            }
            let per_request =
                long.functions.into_iter().map(|(name, cost)| (name, cost / long.requests));
            profiles.push((program.name, per_request.collect::<Vec<_>>()));
            let instructions = (long.instructions - short.instructions) / requests;
            Ok(Figures::from([("instructions".to_owned(), instructions)]))
        });
        results.print(
            &format!("User-mode instructions of the server for each request: {case}"),
            ("instructions", "instructions"),
            &[],
        );
        if options.top > 0 {
            print_profiles(&profiles);
        }
        failures += results.failures;
    }
    Ok(failures)
}

fn print_profiles(profiles: &[(&str, Vec<(String, f64)>)]) {
    for (program, functions) in profiles {
        println!("\n{program}, instructions for each request by function (set-up included):\n");
        for (name, cost) in functions {
            println!("    {cost:8.1}  {name}");
        }
    }
}

struct Count {
    instructions: f64,
    requests: f64,
    /// The functions with the most instructions of their own.
    functions: Vec<(String, f64)>,
}

/// A server under callgrind.
struct Callgrind<'a> {
    server: Server,
    port: u16,
    client_cpu: String,
    /// Where callgrind writes: the first dump to this name and `.1`, and so on.
    out: PathBuf,
    dumps: u32,
    top: usize,
    program: &'a Program,
}

impl<'a> Callgrind<'a> {
    fn start(program: &'a Program, options: &Options) -> Result<Callgrind<'a>, String> {
        let out = builds::bench_root()
            .join("target")
            .join(format!("callgrind-{}.out", std::process::id()));
        let port = free_port()?;
        let mut command: Vec<String> =
            ["valgrind", "-q", "--tool=callgrind"].map(str::to_owned).to_vec();
        command.push(format!("--callgrind-out-file={}", out.display()));
        command.extend(program.echo_command(port));
        let server = Server::start(&command, program.tuned, options.server_cpu)?;
        Ok(Callgrind {
            server,
            port,
            client_cpu: options.client_cpu.to_string(),
            out,
            dumps: 0,
            top: options.top,
            program,
        })
    }

    /// Runs the client and gives what was executed since the last count.
    fn count(&mut self, case: EchoCase, secs: f64) -> Result<Count, String> {
        let figures = figures(&load_command(self.port, case, secs, 0), false, &self.client_cpu)?;
        let requests = figures.get("total").copied().ok_or("the client printed no total")?;

        // A dump on request, because a server that waits in io_uring_enter ends on no signal that callgrind would see.
        // vgdb gets an answer from a process that sleeps in the kernel by ptrace.
        self.dumps += 1;
        let dump = self.out.with_extension(format!("out.{}", self.dumps));
        if !runs("vgdb", &[&format!("--pid={}", self.server.pid()), "--wait=10", "dump"]) {
            return Err(format!(
                "callgrind of {} answers nothing (is ptrace allowed here?)",
                self.program.name
            ));
        }
        let instructions = total(&dump);
        let functions = profile::top(&dump, self.top);
        // What stays behind would be read as the dump of the next program.
        let _ = std::fs::remove_file(&dump);
        Ok(Count { instructions: instructions?, requests, functions: functions? })
    }
}

impl Drop for Callgrind<'_> {
    fn drop(&mut self) {
        // It is there or not, depending on how far callgrind came.
        let _ = std::fs::remove_file(&self.out);
    }
}

fn total(out: &Path) -> Result<f64, String> {
    let text = std::fs::read_to_string(out)
        .map_err(|error| format!("callgrind wrote nothing: {error}"))?;
    let total = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: "))
        .ok_or("callgrind's file has no total")?;
    total.trim().parse().map_err(|_| format!("callgrind's total is {total}"))
}
