//! `kael`: shows on the user's own machine what each operation of the runtime costs. The program uses only the public
//! interface of `kael-rt`. This file is the command line; each command is a module.
#![deny(unsafe_code)]

mod allocations;
mod analyze;
mod echo;
mod fail;
mod interrupt;
mod latency;
mod limits;
mod load;
mod peer;
mod probe;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// What each I/O operation costs on this machine, and how to use the platform well.
#[derive(Parser)]
#[command(name = "kael", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Analyze(analyze::Options),
    Echo(echo::Options),
    Load(load::Options),
    #[command(hide = true)]
    Probe(probe::Options),
}

/// Exit status 0: all is well. 1: a measurement broke its budget, or the work failed. 2: bad use.
fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Analyze(options) => analyze::run(&options),
        Command::Echo(options) => echo::run(&options),
        Command::Load(options) => load::run(&options),
        Command::Probe(options) => probe::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fail) => {
            eprintln!("kael: {fail}");
            fail.status()
        }
    }
}
