//! The feature `rio`: over the model of registered I/O the tests to which it makes a difference, and one test of what is
//! said where the system has none.

use super::super::debian::Toolchain;
use super::wine::{self, Wine};
use super::{TARGET, programs};
use crate::ci::Run;
use crate::kernels;
use std::process::Command;

/// How the library is told to take its functions from the model, which is a library beside the test programs.
const MODEL: &str = r#"--cfg kael_rio="model""#;

/// Its builds are apart from those without it.
const FEATURE: &str = "--locked --features kael-rt/rio --target-dir target/rio";

/// The test programs of the library that have to do with streams and datagrams, and what they cost; and pipes, which have
/// nothing to do with registered I/O, and must not come to it.
const PROGRAMS: &[&str] = &[
    "alloc_io",
    "bad_input",
    "bidirectional",
    "close",
    "drop_accept",
    "drop_many",
    "drop_open",
    "drop_read",
    "drop_write",
    "early_end",
    "foreign",
    "forget",
    "full",
    "hostile",
    "many",
    "named_pipe",
    "named_pipe_drop",
    "pooled",
    "queued",
    "readiness",
    "runtime",
    "send_file",
    "shutdown",
    "zero_copy",
];

/// Those of the model that run the library over it.
const MODELS: &[&str] = &["public", "public_datagram_situations", "public_datagrams"];

pub(super) fn lints(toolchain: &Toolchain) -> Command {
    let line = format!(
        "{FEATURE} -p kael-rt --all-targets -- -D warnings -A clippy::missing_const_for_thread_local"
    );
    toolchain.clippy(TARGET, &line)
}

pub(super) fn suites(run: &mut Run, toolchain: &Toolchain, wine: &mut Wine) {
    run.check("registered I/O, over its model", || {
        let names: String = PROGRAMS.iter().map(|name| format!(" --test {name}")).collect();
        // Its own library among them, beside which it lies.
        let own: String = MODELS.iter().map(|name| format!(" --test {name}")).collect();
        let line = format!("test {FEATURE} -p kael-rt -p rio-model{own}{names}");
        let mut build = toolchain.cargo_with(TARGET, MODEL, &line);
        let sorted = kernels::RIO.sort(build_programs(wine, &mut build)?)?;
        println!("{} programs", sorted.len());
        programs::suites(wine, &sorted)
    });
    run.check("registered I/O, where there is none", || {
        let line = format!("test {FEATURE} -p kael-rt --test rio");
        let mut build = toolchain.cargo(TARGET, None, &line);
        let programs = build_programs(wine, &mut build)?;
        programs::suites(wine, &programs)
    });
}

fn build_programs(wine: &Wine, build: &mut Command) -> Result<Vec<kernels::Program>, String> {
    wine::link(build);
    let runner = wine.runner();
    let runner: Vec<&str> = runner.iter().map(String::as_str).collect();
    Ok(kernels::build(build, &runner)?.tests)
}
