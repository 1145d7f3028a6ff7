//! The lane `windows`: lints for both of Rust's targets, and for the one that Debian's tools can link, the tests, the
//! examples and `kael`, run under wine. Wine is one implementation of the documented interface and not Windows: of its
//! speed, and of races in its kernel, this lane says nothing.
//!
//! Streams over registered I/O (the feature `rio`) run over its model, since wine has none (`registered.rs`).
//!
//! `wine.rs` has wine itself, `programs.rs` what runs under it, `imports.rs` what programs take from the system.

mod imports;
mod programs;
mod registered;
mod wine;

use super::debian::Toolchain;
use crate::ci::Run;
use crate::{kernels, sim, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;
use wine::Wine;

/// What is linked and run.
const TARGET: &str = "x86_64-pc-windows-gnu";
/// What most people build for. Its linker and its libraries are Microsoft's, so it gets lints.
const MICROSOFTS: &str = "x86_64-pc-windows-msvc";

/// The packages that depend on the system.
const PACKAGES: &str = "--locked -p kael-rt -p kael-cli -p rio-model --target-dir target/windows";

pub(crate) fn steps(run: &mut Run) {
    // The linker comes with it, and the standard library is not built without one.
    let mut wine = None;
    run.check("wine", || {
        let mut installed = Wine::install()?;
        installed.start()?;
        wine = Some(installed);
        Ok(())
    });
    let mut toolchain = None;
    run.check("toolchain", || {
        Toolchain::with_std_for(&[TARGET, MICROSOFTS]).map(|it| toolchain = Some(it))
    });
    // Without a toolchain there is nothing to look at, and the lane has failed.
    let Some(toolchain) = toolchain else { return };
    for target in [TARGET, MICROSOFTS] {
        // The macro of std expands differently here, and the lint takes an initialiser that is `const` for one that is not.
        let line = format!(
            "{PACKAGES} --all-targets -- -D warnings -A clippy::missing_const_for_thread_local"
        );
        run.step(&format!("lints {target}"), &mut toolchain.clippy(target, &line));
    }
    run.step("lints with registered I/O", &mut registered::lints(&toolchain));
    let Some(mut wine) = wine else { return };
    suites(run, &toolchain, &mut wine);
    registered::suites(run, &toolchain, &mut wine);
    examples(run, &toolchain, &mut wine);
    command_line(run, &toolchain, &mut wine);
    run.check("wine has ended", || wine.end());
}

fn suites(run: &mut Run, toolchain: &Toolchain, wine: &mut Wine) {
    let mut programs = None;
    run.check("programs", || {
        let line = format!("test {PACKAGES} --lib --bins --tests --no-fail-fast");
        let runner = wine.runner();
        let runner: Vec<&str> = runner.iter().map(String::as_str).collect();
        let built = kernels::build(&mut cargo(toolchain, &line), &runner)?;
        let sorted = kernels::WINE.sort(built.tests)?;
        println!("{} programs", sorted.len());
        programs = Some(sorted);
        Ok(())
    });
    // Without programs there is nothing to run, and the lane has failed.
    let Some(programs) = programs else { return };
    run.check("suites", || programs::suites(wine, &programs));
}

/// As in the lane `linux`: each is a demonstration that ends by itself.
fn examples(run: &mut Run, toolchain: &Toolchain, wine: &mut Wine) {
    let names = match workspace::examples() {
        Ok(names) => names,
        Err(reason) => return run.fail("examples", &reason),
    };
    let names: Vec<&String> = names.iter().filter(|name| *name != sim::EXAMPLE).collect();
    let path = |name: &str| folder().join(format!("examples/{name}.exe"));
    names.iter().for_each(|name| forget(&path(name)));
    run.step("examples", &mut cargo(toolchain, &format!("build {PACKAGES} --examples")));
    for name in names {
        let program = path(name);
        run.check(&format!("example {name}"), || programs::succeed(wine, &program, &[]));
    }
}

fn command_line(run: &mut Run, toolchain: &Toolchain, wine: &mut Wine) {
    let kael = folder().join("kael.exe");
    forget(&kael);
    // What it takes from the system, and what its budgets count, are the same in every profile.
    run.step("kael", &mut cargo(toolchain, &format!("build {PACKAGES} --bins")));
    run.check("imports", || imports::check(&kael));
    run.check("analyze", || {
        let words = ["analyze", "--seconds", "5", "--output", "target/analysis-windows.md"];
        programs::succeed(wine, &kael, &words)
    });
    run.check("echo and load", || programs::echo_and_load(wine, &kael));
}

/// What an earlier run has linked must not be taken for this one's.
fn forget(program: &Path) {
    let _ = std::fs::remove_file(program);
}

fn cargo(toolchain: &Toolchain, line: &str) -> Command {
    let mut command = toolchain.cargo(TARGET, None, line);
    wine::link(&mut command);
    command
}

/// Where cargo leaves programs.
fn folder() -> PathBuf {
    workspace::root().join("target/windows").join(TARGET).join("debug")
}
