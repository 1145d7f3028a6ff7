//! `cargo xtask <command>`: everything that the project does to itself. Each command is one module; this file only
//! reads the command's name. No command asks a question, so all of them run in CI as they run here.
#![forbid(unsafe_code)]

mod bench;
mod beside;
mod ci;
mod cross;
mod kernels;
mod kqueue;
mod lanes;
mod process;
mod red;
mod sim;
mod table;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  ci [--lane NAME]...       run all lanes, or the named ones, and print a table of results and wall times
  ci --list                 list the lanes
  tidy                      the rules that the compiler does not know: unsafe places, lengths, dead files, ...
  tidy --write              write the table of budgets in PLATFORMS.md
  red [ROW]...              apply each mutant and require its named test to fail
  sim [--seeds N]           run the simulator over N seeds, check that it repeats itself, find the planted faults
  sim --seed S              replay one seed with its trace
  sim --plant FAULT         build with one planted fault and require that it is found
  kernels [--kernel V] [--program PART] [--test PART]
                            run the tests on Debian's Linux 6.1 and 6.12, or one of them, in an emulated machine
  bench SUITE [--rounds N]  echo, files, micro, syscalls or instructions: see bench/README.md
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let result = match command {
        "ci" => ci::main(rest),
        "tidy" => tidy::main(rest),
        "red" => red::main(rest),
        "sim" => sim::main(rest),
        "kernels" => kernels::main(rest),
        // What `bsd` gives to rustc as its linker; nobody types it.
        "zig-link" => cross::zig_link(rest),
        "bench" => bench::main(rest),
        "help" | "-h" | "--help" => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(format!("there is no command `{other}`\n\n{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask {command}: {reason}");
            ExitCode::FAILURE
        }
    }
}
