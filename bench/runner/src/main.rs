//! Builds the comparison programs, runs them interleaved, prints Markdown tables with ratios. It measures nothing itself:
//! the figures come from the programs, from the load client, from perf, strace and callgrind.

#![forbid(unsafe_code)]

mod builds;
mod echo;
mod files;
mod http;
mod instructions;
mod machine;
mod micro;
mod options;
mod process;
mod profile;
mod programs;
mod proxy;
mod results;
mod syscalls;
mod workload;

use std::process::ExitCode;

use options::{Options, Section};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            eprintln!("{failures} runs failed; their rounds are missing in the tables");
            ExitCode::FAILURE
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Gives the number of runs that failed.
fn run(options: &Options) -> Result<usize, String> {
    builds::check_tools(options)?;
    machine::raise_file_limit();
    if !options.list {
        println!("{}", machine::describe());
        println!("Load average {} at the start.", machine::load_average());
    }
    let failures = match options.section {
        Section::Echo => echo::run(options),
        Section::Proxy => proxy::run(options),
        Section::Http => http::run(options),
        Section::Files => files::run(options),
        Section::Micro => micro::run(options),
        Section::Syscalls => syscalls::run(options),
        Section::Instructions => instructions::run(options),
    }?;
    if !options.list {
        println!("\nLoad average {} at the end.", machine::load_average());
    }
    Ok(failures)
}
