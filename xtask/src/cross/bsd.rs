//! The lane `bsd`: for macOS and the BSDs, lints, and programs that link. None of these systems is at hand, so nothing is
//! run; what the linker proves is that every function which is called is there under that name.

use super::binary::{self, Format, Processor};
use super::debian::Toolchain;
use super::{variable, zig};
use crate::ci::Run;
use crate::table::Table;
use crate::workspace;
use std::path::{Path, PathBuf};

struct Target {
    /// As Rust calls it.
    name: &'static str,
    /// As zig calls it.
    zig: &'static str,
    processor: Processor,
    /// The loader by which its programs are known; `None`: Mach-O, which has but one.
    loader: Option<&'static str>,
    /// Lints that are wrong there.
    allowed: &'static [&'static str],
}

const TARGETS: &[Target] = &[
    Target {
        name: "aarch64-apple-darwin",
        zig: "aarch64-macos-none",
        processor: Processor::Aarch64,
        loader: None,
        allowed: &[],
    },
    Target {
        name: "x86_64-apple-darwin",
        zig: "x86_64-macos-none",
        processor: Processor::X86_64,
        loader: None,
        allowed: &[],
    },
    Target {
        name: "x86_64-unknown-freebsd",
        zig: "x86_64-freebsd-none",
        processor: Processor::X86_64,
        loader: Some("/libexec/ld-elf.so.1"),
        allowed: &[],
    },
    Target {
        name: "x86_64-unknown-netbsd",
        zig: "x86_64-netbsd-none",
        processor: Processor::X86_64,
        loader: Some("/libexec/ld.elf_so"),
        allowed: &[],
    },
    Target {
        name: "x86_64-unknown-openbsd",
        zig: "x86_64-openbsd-none",
        processor: Processor::X86_64,
        loader: Some("/usr/libexec/ld.so"),
        // The macro of std expands differently on a system without thread-local variables of its own, and the lint takes
        // an initialiser that is `const` for one that is not.
        allowed: &["clippy::missing_const_for_thread_local"],
    },
];

/// The program of the package kael-cli.
const PROGRAM: &str = "kael";
/// What is checked, and in the second step linked: the library, its examples, the program. (Without `kael serve`: its TLS
/// has parts in C, for which there is no compiler for these targets here.)
const PACKAGES: &str = "--locked -p kael-rt -p kael-cli --no-default-features --features kael-rt/macros --lib --bins \
                        --examples --target-dir target/bsd";

pub(crate) fn steps(run: &mut Run) {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let (mut toolchain, mut zig) = (None, None);
    run.check("toolchain", || Toolchain::with_std_for(&names).map(|it| toolchain = Some(it)));
    run.check("linker", || zig::install().map(|it| zig = Some(it)));
    // Without a toolchain there is nothing to look at, and the lane has failed.
    let Some(toolchain) = toolchain else { return };
    for target in TARGETS {
        let allowed: String = target.allowed.iter().map(|lint| format!(" -A {lint}")).collect();
        let line = format!("{PACKAGES} -- -D warnings{allowed}");
        let mut lints = toolchain.clippy(target.name, &line);
        run.step(&format!("lints {}", target.name), &mut lints);
    }
    let Some(zig) = zig else { return };
    for target in TARGETS {
        link(run, &toolchain, &zig, target);
    }
    run.check("programs", || print(&programs()?));
}

fn link(run: &mut Run, toolchain: &Toolchain, zig: &Path, target: &Target) {
    // What an earlier run has linked must not be taken for this one's.
    for program in programs().unwrap_or_default() {
        let _ = std::fs::remove_file(folder(target).join(program));
    }
    let name = format!("link {}", target.name);
    // The compiler asks Apple's tools where the system's headers are, unless it is told; no header is needed.
    let headers = workspace::root().join("target/bsd/no-headers");
    let linker = std::fs::create_dir_all(&headers).map_err(|error| error.to_string());
    match linker.and_then(|()| zig::linker(zig, target.zig)) {
        Ok(linker) => {
            let mut build = toolchain.cargo(target.name, None, &format!("build {PACKAGES}"));
            build.env(variable(target.name, "LINKER"), linker).env("SDKROOT", headers);
            // Without debug information cargo would strip the programs, for macOS with a tool that is not here.
            build.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_DEV_STRIP", "none");
            run.step(&name, &mut build);
        }
        Err(reason) => run.fail(&name, &reason),
    }
}

/// The folder of the profile, where cargo leaves programs.
fn folder(target: &Target) -> PathBuf {
    workspace::root().join("target/bsd").join(target.name).join("debug")
}

/// The programs that each target must have, relative to the folder of its profile.
fn programs() -> Result<Vec<PathBuf>, String> {
    let mut programs: Vec<PathBuf> =
        workspace::examples()?.iter().map(|name| Path::new("examples").join(name)).collect();
    programs.push(PROGRAM.into());
    Ok(programs)
}

/// Prints what has been linked, and fails when something is missing or is another system's.
fn print(programs: &[PathBuf]) -> Result<(), String> {
    let mut table = Table::new(&["target", "program", "format", "bytes"]);
    let mut failures = Vec::new();
    for target in TARGETS {
        let expected = match target.loader {
            None => Format::MachO(target.processor),
            Some(loader) => Format::Elf(target.processor, loader.to_owned()),
        };
        for program in programs {
            let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (format, bytes) = match binary::read(&folder(target).join(program)) {
                Ok((format, bytes)) => {
                    if format != expected {
                        failures.push(format!("{} {name} is {format}", target.name));
                    }
                    (format.to_string(), bytes.to_string())
                }
                Err(reason) => {
                    failures.push(reason);
                    ("none".to_owned(), "0".to_owned())
                }
            };
            table.row(vec![target.name.to_owned(), name, format, bytes]);
        }
    }
    table.print();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}
