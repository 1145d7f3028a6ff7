//! `kael`: shows on the user's own machine what each operation of the runtime costs. The program uses only the public
//! interface of `kael-rt`. This file is the command line; each command is a module.
#![deny(unsafe_code)]

mod admission;
mod against;
mod allocations;
mod analyze;
mod before;
mod cores;
mod design;
mod echo;
mod fail;
mod input;
mod latency;
mod limits;
mod load;
mod manual;
mod page;
mod peer;
mod probe;
mod proxy;
mod result;
mod review;
mod seconds;
// It looks for files as Unix systems can: relative to an open folder.
#[cfg(all(unix, feature = "serve"))]
mod serve;
mod system;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use system::interrupt;

/// What each I/O operation costs on this machine, and how to use the platform well.
#[derive(Parser)]
#[command(name = "kael", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Analyze(analyze::Options),
    Echo(echo::Options),
    Load(load::Options),
    Proxy(proxy::Options),
    Review(review::Options),
    #[cfg(all(unix, feature = "serve"))]
    Serve(serve::Options),
    Completions(manual::Completions),
    Man(manual::Man),
    #[command(hide = true)]
    Probe(probe::Options),
}

/// Exit status 0: all is well. 1: a measurement broke its budget, or the work failed. 2: bad use.
fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Analyze(options) => analyze::run(&options),
        Command::Echo(options) => echo::run(&options),
        Command::Load(options) => load::run(&options),
        Command::Proxy(options) => proxy::run(options),
        Command::Review(options) => review::run(options),
        #[cfg(all(unix, feature = "serve"))]
        Command::Serve(options) => serve::run(options),
        Command::Completions(options) => manual::completions(&options, &Arguments::command()),
        Command::Man(options) => manual::man(&options, &Arguments::command()),
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
