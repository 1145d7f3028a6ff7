//! Debian's Rust toolchain, and a standard library for targets for which no toolchain here brings one: it is built from
//! the package of the library's sources, once for each version of the compiler.
//!
//! The library's own dependencies come with those sources, so that this build asks no registry.

use super::{flags, variable, words};
use crate::process::{self, Show};
use crate::table::wall;
use crate::{tools, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The packages, and a file of each.
const PACKAGES: &[(&str, &str)] = &[
    ("rustc-web", "/usr/bin/rustc"),
    ("cargo-web", "/usr/bin/cargo"),
    ("rust-web-clippy", "/usr/bin/cargo-clippy"),
    ("rust-web-src", "/usr/lib/rustlib/src/rust/library/Cargo.lock"),
];
const SOURCES: &str = "/usr/lib/rustlib/src/rust/library";
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// A part of the cache's name, to be changed with what is built below.
const RECIPE: u32 = 1;

pub(super) struct Toolchain {
    sysroot: PathBuf,
}

impl Toolchain {
    /// Installs what is missing, and builds the library for the targets that are not in the cache.
    pub(super) fn with_std_for(targets: &[&str]) -> Result<Toolchain, String> {
        let is_missing = |(_, file): &&(&str, &str)| !Path::new(file).exists();
        let missing: Vec<&str> =
            PACKAGES.iter().filter(is_missing).map(|(package, _)| *package).collect();
        tools::install(&missing)?;
        let version =
            answer(Command::new("dpkg-query").args(["-W", "-f", "${Version}", "rustc-web"]))?;
        println!("Debian's Rust {version}");
        let toolchain =
            Toolchain { sysroot: tools::cache().join(format!("std-{RECIPE}-{version}")) };
        toolchain.link_the_host()?;
        toolchain.build_std(targets)?;
        Ok(toolchain)
    }

    pub(super) fn cargo(&self, target: &str, backend: Option<&str>, line: &str) -> Command {
        self.on(debians("/usr/bin/cargo"), target, backend, line)
    }

    /// As `cargo`, with another flag of the compiler.
    pub(super) fn cargo_with(&self, target: &str, flag: &str, line: &str) -> Command {
        let mut command = self.cargo(target, None, line);
        flags(&mut command, target, None, &[flag.to_owned(), self.sysroot_flag()]);
        command
    }

    /// Not as `cargo clippy`: cargo would look for that program beside the user's own cargo first.
    pub(super) fn clippy(&self, target: &str, line: &str) -> Command {
        let mut command = debians("/usr/bin/cargo-clippy");
        command.arg("clippy");
        self.on(command, target, None, line)
    }

    fn on(&self, mut command: Command, target: &str, backend: Option<&str>, line: &str) -> Command {
        flags(&mut command, target, backend, &[self.sysroot_flag()]);
        words(&mut command, target, line);
        command
    }

    fn sysroot_flag(&self) -> String {
        format!("--sysroot={}", self.sysroot.display())
    }

    /// Macros and build scripts are compiled with the same sysroot.
    fn link_the_host(&self) -> Result<(), String> {
        let version = answer(&mut debians_rustc("-vV"))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.ok_or("rustc names no host")?;
        let place = self.folder(host);
        if place.exists() {
            return Ok(());
        }
        let above = place.parent().expect("a folder in a folder");
        fs::create_dir_all(above).map_err(|error| format!("{}: {error}", above.display()))?;
        // One that leads nowhere any more is there, too.
        let _ = fs::remove_file(&place);
        match std::os::unix::fs::symlink(Path::new("/usr/lib/rustlib").join(host), &place) {
            // Another lane was faster.
            Err(_) if place.exists() => Ok(()),
            linked => linked.map_err(|error| format!("{}: {error}", place.display())),
        }
    }

    fn build_std(&self, targets: &[&str]) -> Result<(), String> {
        let missing: Vec<&str> =
            targets.iter().copied().filter(|target| !self.folder(target).exists()).collect();
        if missing.is_empty() {
            println!("std for {}: from the cache", targets.join(", "));
            return Ok(());
        }
        println!("building std for {}", missing.join(", "));
        let package = self.sysroot.join(format!("build-{}", std::process::id()));
        let result = build(&package, &missing).and_then(|()| {
            missing.iter().try_for_each(|target| {
                collect(&package, target, &self.folder(target))
                    .map_err(|error| format!("std for {target}: {error}"))
            })
        });
        let _ = fs::remove_dir_all(&package);
        result
    }

    /// Where a target's libraries are in the sysroot.
    fn folder(&self, target: &str) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(target)
    }
}

/// Builds an empty package with the standard library, all targets in one go: the first crates of each keep one processor
/// busy at most.
fn build(package: &Path, targets: &[&str]) -> Result<(), String> {
    let said = |error: std::io::Error| format!("{}: {error}", package.display());
    fs::create_dir_all(package.join("src")).map_err(said)?;
    let manifest =
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(package.join("Cargo.toml"), manifest).map_err(said)?;
    fs::write(package.join("src/lib.rs"), "").map_err(said)?;

    let mut command = debians("/usr/bin/cargo");
    command.current_dir(package).env("RUSTC_BOOTSTRAP", "1");
    command.args(["build", "--release", "--offline", "--target-dir", "target"]);
    command.arg("-Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test");
    command.args(["--config", r#"source.crates-io.replace-with="std""#]);
    command.args(["--config", &format!(r#"source.std.directory="{SOURCES}/vendor""#)]);
    // Unoptimised: it is built in half of the time, and nothing that a linker must find is optimised away.
    command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
    for target in targets {
        command.args(["--target", target]);
        command.env_remove(variable(target, "RUSTFLAGS"));
    }
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let ended = process::run(&mut command, LIMIT, Show::Nothing)?;
    if !ended.success() {
        return Err(format!("std could not be built: {}\n{}", ended.verdict(), ended.tail(30)));
    }
    println!("std was built in {}", wall(ended.wall));
    Ok(())
}

/// Puts a target's libraries to their place, all at once, so that what is there is whole.
fn collect(package: &Path, target: &str, place: &Path) -> std::io::Result<()> {
    let ready = package.join("ready").join(target);
    fs::create_dir_all(ready.join("lib"))?;
    for file in fs::read_dir(package.join("target").join(target).join("release/deps"))? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty-") {
            fs::rename(file.path(), ready.join("lib").join(name))?;
        }
    }
    match fs::rename(&ready, place) {
        // Somebody else was quicker, and has built the same.
        Err(_) if place.exists() => Ok(()),
        result => result,
    }
}

/// A program of Debian's toolchain, in the repository's root, without what another toolchain has set for its own.
fn debians(program: &str) -> Command {
    let mut command = workspace::command(program);
    command.env("RUSTC", "/usr/bin/rustc").env("CARGO", "/usr/bin/cargo");
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("LD_LIBRARY_PATH");
    command.env_remove("RUSTC_WRAPPER").env_remove("RUSTC_WORKSPACE_WRAPPER");
    command
}

fn debians_rustc(argument: &str) -> Command {
    let mut command = debians("/usr/bin/rustc");
    command.arg(argument);
    command
}

fn answer(command: &mut Command) -> Result<String, String> {
    let ended = process::run(command, LIMIT, Show::Nothing)?;
    match ended.success() {
        true => Ok(ended.output.trim().to_owned()),
        false => {
            Err(format!("{}: {}\n{}", process::describe(command), ended.verdict(), ended.tail(5)))
        }
    }
}
