//! The lanes for other systems and another processor: what is compiled and linked here, and what is run in emulation.
//!
//! `bsd.rs` is the lane for kqueue's systems: they get lints and a link, and nothing is run. `aarch64.rs` runs programs of
//! that processor, `windows/` programs of Windows under wine. Debian's toolchain, with a standard library built from its sources, is in `debian.rs`; the linker for
//! systems that have none here in `zig.rs`; what a linked program says of itself is read in `binary.rs`.

mod aarch64;
mod binary;
mod bsd;
mod debian;
mod windows;
mod zig;

pub(crate) use aarch64::steps as aarch64;
pub(crate) use bsd::steps as bsd;
pub(crate) use windows::steps as windows;
pub(crate) use zig::link as zig_link;

use std::process::Command;

/// The backend that the user-mode emulator can run: it has no io_uring.
const READINESS: &str = "epoll";

/// Flags of the compiler for one target. Programs that run here while building, such as macros, do not get them.
fn flags(command: &mut Command, target: &str, backend: Option<&str>, others: &[String]) {
    let backend = backend.map(|name| format!(r#"--cfg kael_backend="{name}""#));
    let words: Vec<&str> = backend.iter().chain(others).map(String::as_str).collect();
    command.env(variable(target, "RUSTFLAGS"), words.join(" "));
    // These would win over flags for a target.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
}

/// The words of a line for cargo, with the target: what comes after `--` is not cargo's.
fn words(command: &mut Command, target: &str, line: &str) {
    let (ours, programs) = line.split_once(" -- ").unwrap_or((line, ""));
    command.args(ours.split_whitespace()).args(["--target", target]);
    if !programs.is_empty() {
        command.arg("--").args(programs.split_whitespace());
    }
}

/// The name of cargo's setting for one target.
fn variable(target: &str, setting: &str) -> String {
    format!("CARGO_TARGET_{}_{setting}", target.to_uppercase().replace('-', "_"))
}
