//! The lane `aarch64`: the library's test programs for that processor, run in emulation. The build for readiness runs
//! under the user-mode emulator, which has this machine's kernel and no io_uring; the build for io_uring runs on Debian's
//! kernel for that processor, in an emulated machine.
//!
//! Emulation on x86-64 does not show what a weaker order of memory does: the lane `loom` does that.

use super::debian::Toolchain;
use super::{READINESS, flags, variable, words};
use crate::ci::Run;
use crate::kernels::{self, AARCH64_SYSTEM};
use crate::process::{self, Show};
use crate::{tools, workspace};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const TARGET: &str = "aarch64-unknown-linux-gnu";
const KERNEL: &str = "6.1";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64-static";
const INSTALL_LIMIT: Duration = Duration::from_secs(5 * 60);

/// What is built: the tests of the library. The other packages have nothing that depends on the processor.
const PACKAGES: &str = "test --locked -p kael-rt --lib --tests --no-fail-fast";

pub(crate) fn steps(run: &mut Run) {
    let mut compiler = None;
    run.check("toolchain", || find_compiler().map(|it| compiler = Some(it)));
    // Without a compiler there is nothing to run, and the lane has failed.
    let Some(compiler) = compiler else { return };
    user_mode(run, &compiler);
    let mut prepared = None;
    run.check("programs", || {
        let mut build = compiler.cargo(None, &format!("{PACKAGES} --target-dir target/aarch64"));
        kernels::prepare_aarch64(&mut build).map(|files| prepared = Some(files))
    });
    let Some(prepared) = prepared else { return };
    run.check(&format!("io_uring on Linux {KERNEL}"), || prepared.run(&[KERNEL]));
}

fn user_mode(run: &mut Run, compiler: &Compiler) {
    let line = format!("{PACKAGES} --target-dir target/aarch64-user");
    let emulator = format!("{EMULATOR} -L {AARCH64_SYSTEM}");
    let mut suites = compiler.cargo(Some(READINESS), &line);
    suites.env(variable(TARGET, "RUNNER"), &emulator);
    // Tests that start their own program again need it, too.
    suites.env("KAEL_RUNNER", emulator).env("KAEL_EMULATED", "1");
    run.tests(&format!("{READINESS} in user mode"), &mut suites);
}

/// A compiler whose standard library is there for the target.
enum Compiler {
    /// The one that compiles everything else.
    Ours,
    Debians(Toolchain),
}

impl Compiler {
    fn cargo(&self, backend: Option<&str>, line: &str) -> Command {
        let mut command = match self {
            Compiler::Debians(toolchain) => toolchain.cargo(TARGET, backend, line),
            Compiler::Ours => {
                let mut command = workspace::cargo(&[]);
                words(&mut command, TARGET, line);
                flags(&mut command, TARGET, backend, &[]);
                command
            }
        };
        command.env(variable(TARGET, "LINKER"), LINKER);
        // Nobody debugs these programs, and they are packed for the guest.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        command
    }
}

/// The linker, the emulator, and a compiler: ours if it has the target, or gets it from rustup; Debian's if not.
fn find_compiler() -> Result<Compiler, String> {
    if !cfg!(target_arch = "x86_64") {
        return Err(
            "this lane is for x86-64; on aarch64 itself, the other lanes are this one".to_owned()
        );
    }
    let mut missing = Vec::new();
    if !tools::answers(LINKER, "--version") {
        missing.extend(["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"]);
    }
    if !tools::answers(EMULATOR, "--version") {
        missing.push("qemu-user-static");
    }
    tools::install(&missing)?;
    if !has_std() && tools::answers("rustup", "--version") {
        println!("asking rustup for {TARGET}");
        let mut add = Command::new("rustup");
        let ended = process::run(add.args(["target", "add", TARGET]), INSTALL_LIMIT, Show::Lines)?;
        if !ended.success() {
            println!("rustup: {}; Debian's compiler does it instead", ended.verdict());
        }
    }
    match has_std() {
        true => Ok(Compiler::Ours),
        false => Toolchain::with_std_for(&[TARGET]).map(Compiler::Debians),
    }
}

/// Whether the compiler that compiles everything else has the target's standard library.
fn has_std() -> bool {
    let mut rustc = workspace::command("rustc");
    let output = rustc.args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| {
        let folder = String::from_utf8_lossy(&output.stdout);
        output.status.success() && Path::new(folder.trim()).is_dir()
    })
}
