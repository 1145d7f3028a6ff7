//! TCP echo: the server's CPU seconds per million requests.

use crate::options::Options;
use crate::process::{Figures, figures, load_command, start_echo};
use crate::programs::Program;
use crate::results::Results;
use crate::workload::{self, EchoCase};
use crate::{builds, programs};

pub(crate) fn run(options: &Options) -> Result<usize, String> {
    let programs = programs::select(programs::echo(), options)?;
    if options.list {
        return Ok(list(&programs));
    }
    builds::build(&programs)?;
    let mut failures = 0;
    for case in options.echo_cases(&workload::ECHO) {
        let results = Results::interleave(programs.clone(), options.rounds, |program| {
            measure(program, case, options)
        });
        results.print(
            &format!("Echo: {case}"),
            ("server_cpu_per_m", "server CPU s per million"),
            &[
                ("client_cpu_per_m", "client CPU s per million"),
                ("rps", "requests/s"),
                ("p50", "p50 us"),
                ("p99", "p99 us"),
                ("p999", "p99.9 us"),
            ],
        );
        failures += results.failures;
    }
    Ok(failures)
}

fn measure(program: &Program, case: EchoCase, options: &Options) -> Result<Figures, String> {
    let (server, port) = start_echo(program, options.server_cpu)?;
    let client = load_command(port, case, options.secs, server.pid());
    figures(&client, false, &options.client_cpu.to_string())
}

/// Prints the keys that `--only` and `--skip` take.
pub(crate) fn list(programs: &[Program]) -> usize {
    for program in programs {
        println!("{:<18} {}", program.key, program.name);
    }
    0
}
