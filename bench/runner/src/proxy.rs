//! A TCP proxy between two sockets of the client: the proxy's CPU seconds for each GiB.

use crate::builds::bench_root;
use crate::echo::list;
use crate::options::Options;
use crate::process::{Figures, Server, figures, free_port};
use crate::programs::Program;
use crate::results::Results;
use crate::{builds, programs};

pub(crate) fn run(options: &Options) -> Result<usize, String> {
    let programs = programs::select(programs::proxy(), options)?;
    if options.list {
        return Ok(list(&programs));
    }
    builds::build(&programs)?;
    let results =
        Results::interleave(programs, options.rounds, |program| measure(program, options));
    results.print(
        &format!("Proxy: {} GiB over one connection", options.gib),
        ("cpu_per_gib", "proxy CPU s per GiB"),
        &[("gib_per_s", "GiB/s")],
    );
    Ok(results.failures)
}

fn measure(program: &Program, options: &Options) -> Result<Figures, String> {
    let (port, mut target) = (free_port()?, free_port()?);
    while target == port {
        target = free_port()?;
    }
    let command = program.proxy_command(port, target);
    let proxy = Server::start(&command, program.tuned, options.server_cpu)?;
    let client = [
        bench_root().join("c/bin/pour").display().to_string(),
        target.to_string(),
        port.to_string(),
        (options.gib << 30).to_string(),
        proxy.pid().to_string(),
    ];
    figures(&client, false, &options.client_cpu.to_string())
}
