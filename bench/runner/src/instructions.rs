//! User-mode instructions of the echo server for each request: callgrind's count, which no noise of the machine reaches.
//!
//! The count is the difference of two lengths of run, so that setting up and accepting are not in it.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::builds::{self, runs};
use crate::echo::list;
use crate::options::Options;
use crate::process::{Figures, Server, figures, free_port, load_command};
use crate::programs::{self, Program};
use crate::results::Results;
use crate::workload::{self, EchoCase};

const SHORT_SECS: f64 = 0.05;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(options: &Options) -> Result<usize, String> {
    let programs = programs::select(programs::echo(), options)?;
    if options.list {
        return Ok(list(&programs));
    }
    builds::build(&programs)?;
    let mut failures = 0;
    for case in options.echo_cases(&workload::INSTRUCTIONS) {
        let results = Results::interleave(programs.clone(), options.rounds, |program| {
            let (short, short_requests) = count(program, case, SHORT_SECS, options)?;
            let (long, long_requests) = count(program, case, SHORT_SECS + options.secs, options)?;
            let requests = long_requests - short_requests;
            if requests < 1.0 {
                return Err("the longer run had no more requests than the shorter".to_owned());
            }
            Ok(Figures::from([("instructions".to_owned(), (long - short) / requests)]))
        });
        results.print(
            &format!("User-mode instructions of the server for each request: {case}"),
            ("instructions", "instructions"),
            &[],
        );
        failures += results.failures;
    }
    Ok(failures)
}

/// The instructions of one run, and its requests.
fn count(
    program: &Program,
    case: EchoCase,
    secs: f64,
    options: &Options,
) -> Result<(f64, f64), String> {
    let out =
        builds::bench_root().join("target").join(format!("callgrind-{}.out", std::process::id()));
    // It may not be there.
    let _ = std::fs::remove_file(&out);
    let port = free_port()?;
    let mut command: Vec<String> =
        ["valgrind", "-q", "--tool=callgrind"].map(str::to_owned).to_vec();
    command.push(format!("--callgrind-out-file={}", out.display()));
    command.extend(program.echo_command(port));
    let mut server = Server::start(&command, program.tuned, options.server_cpu)?;

    let client = load_command(port, case, secs, 0);
    let figures = figures(&client, false, &options.client_cpu.to_string())?;
    let requests = figures.get("total").copied().ok_or("the client printed no total")?;
    end(&mut server, port)?;
    Ok((total(&out)?, requests))
}

/// Ends the server so that callgrind writes its file. Valgrind holds signals back during io_uring_enter, so after the
/// signal a connection is made, which lets that call return.
fn end(server: &mut Server, port: u16) -> Result<(), String> {
    if !runs("kill", &["-TERM", &server.pid().to_string()]) {
        return Err("the server has ended by itself".to_owned());
    }
    let _connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    match server.wait(PATIENCE) {
        true => Ok(()),
        false => Err("the server did not end on SIGTERM".to_owned()),
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
