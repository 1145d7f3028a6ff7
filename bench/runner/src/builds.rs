//! Builds what a section runs. Installs nothing: what is missing is named, with the command that brings it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::options::{Options, Section};
use crate::programs::{Program, Source};

pub(crate) fn bench_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("the runner's package is in the workspace's folder").to_owned()
}

pub(crate) fn library_root() -> PathBuf {
    bench_root().parent().expect("the workspace is in the library's repository").to_owned()
}

/// Looks for the programs that the section calls.
pub(crate) fn check_tools(options: &Options) -> Result<(), String> {
    let mut tools =
        vec![("make", "make"), ("cc", "gcc"), ("taskset", "util-linux"), ("timeout", "coreutils")];
    if options.section == Section::Instructions {
        tools.push(("valgrind", "valgrind"));
    }
    let mut missing: Vec<&str> = tools
        .into_iter()
        .filter(|(tool, _)| !runs(tool, &["--version"]))
        .map(|(_, package)| package)
        .collect();
    if !runs("cc", &["-E", "-include", "liburing.h", "-x", "c", "/dev/null"]) {
        missing.push("liburing-dev");
    }
    match missing.is_empty() {
        true => Ok(()),
        false => {
            Err(format!("missing here: {0}\non Debian: apt-get install -y {0}", missing.join(" ")))
        }
    }
}

/// Whether this command can be started and succeeds. What it prints is thrown away.
pub(crate) fn runs(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Builds the C programs (the load client is one of them) and what of the rest is selected.
pub(crate) fn build(programs: &[Program]) -> Result<(), String> {
    let root = bench_root();
    must_run(Command::new("make").arg("-s").arg("-C").arg(root.join("c")), "the C programs")?;

    let packages: Vec<&str> = programs
        .iter()
        .filter_map(|program| match program.source {
            Source::Package(name) => Some(name),
            _ => None,
        })
        .collect();
    // By itself, so that a library that does not build is named, and the peers' features are not mixed with ours.
    for ours in [false, true] {
        let mut cargo = in_own_target(cargo_build(&root), &root);
        let mut wanted =
            packages.iter().filter(|&&package| (package == "p-kael") == ours).peekable();
        if wanted.peek().is_none() {
            continue;
        }
        for package in wanted {
            cargo.args(["-p", package]);
        }
        let what = if ours { "p-kael (leave it out with --skip kael)" } else { "the peers" };
        must_run(&mut cargo, what)?;
    }
    if programs.iter().any(|program| program.source == Source::Kael) {
        let mut cargo = in_own_target(cargo_build(&library_root()), &library_root());
        must_run(cargo.args(["-p", "kael-cli"]), "kael (leave it out with --skip kael)")?;
    }
    for program in programs {
        if let Source::Example(name) | Source::OnEpoll(name) = program.source {
            let what =
                format!("the library's example {name} (leave it out with --skip {})", program.key);
            let mut cargo = cargo_build(&library_root());
            // As this workspace's own profile has it: nobody wins by compiler flags.
            cargo.args(["--config", "profile.release.panic=\"abort\""]);
            let backend = program.source.backend();
            if let Some(backend) = backend {
                cargo.env("RUSTFLAGS", format!("--cfg kael_backend=\"{backend}\""));
            }
            cargo.arg("--target-dir").arg(examples_target(backend));
            must_run(cargo.args(["-p", "kael-rt", "--example", name]), &what)?;
        }
    }
    Ok(())
}

/// Where the library's examples are built for comparisons: their profile is not the library's own.
pub(crate) fn examples_target(backend: Option<&str>) -> PathBuf {
    let target = bench_root().join("target");
    backend.map_or(target.join("library"), |backend| target.join(format!("library-{backend}")))
}

/// The target folders are named, so that a `CARGO_TARGET_DIR` of the caller does not hide the programs.
fn cargo_build(workspace: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--quiet"]);
    cargo.arg("--manifest-path").arg(workspace.join("Cargo.toml"));
    cargo
}

fn in_own_target(mut cargo: Command, workspace: &Path) -> Command {
    cargo.arg("--target-dir").arg(workspace.join("target"));
    cargo
}

fn must_run(command: &mut Command, what: &str) -> Result<(), String> {
    // The tables own stdout.
    let status = command
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("cannot build {what}: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("cannot build {what}")),
    }
}
