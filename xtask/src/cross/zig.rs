//! A linker for systems of which nothing is installed here: zig's, with the libraries' names and symbols that it brings.
//!
//! rustc starts the linker by a path and nothing more, so each target gets a script of two lines in `target`, which calls
//! `cargo xtask zig-link` with what the script knows. There rustc's arguments become zig's.

use crate::process::{self, Show};
use crate::{tools, workspace};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const VERSION: &str = "0.16.0";
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Libraries of which zig has no stub. The standard library's sources name them, and nothing that is linked here uses them.
const LEFT_OUT: &[&str] =
    &["-lgcc", "-liconv", "-lkvm", "-lmemstat", "-lprocstat", "-ldevstat", "-nodefaultlibs"];

/// zig, from its Python package, in the cache.
pub(super) fn install() -> Result<PathBuf, String> {
    let folder = tools::cache().join(format!("zig-{VERSION}"));
    let program = folder.join("ziglang/zig");
    if !program.exists() {
        if !has_pip() {
            tools::install(&["python3-pip"])?;
        }
        println!("fetching zig {VERSION}, a Python package");
        let fresh = folder.with_extension(std::process::id().to_string());
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--no-input", "--no-deps", "--target"]).arg(&fresh);
        pip.arg(format!("ziglang=={VERSION}"));
        let ended = process::run(&mut pip, LIMIT, Show::Nothing)?;
        if !ended.success() {
            let _ = fs::remove_dir_all(&fresh);
            return Err(format!("pip: {}\n{}", ended.verdict(), ended.tail(20)));
        }
        // What is in its place is whole. Somebody else may have been quicker.
        let renamed = fs::rename(&fresh, &folder);
        let _ = fs::remove_dir_all(&fresh);
        if !program.exists() {
            return Err(format!("{}: {renamed:?}, and no zig in it", folder.display()));
        }
    }
    let said = process::run(Command::new(&program).arg("version"), LIMIT, Show::Nothing)?;
    match said.output.trim() == VERSION {
        true => Ok(program),
        false => Err(format!("{} says `{}`", program.display(), said.output.trim())),
    }
}

fn has_pip() -> bool {
    Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A program that links for the target that zig calls `target`.
pub(super) fn linker(zig: &Path, target: &str) -> Result<PathBuf, String> {
    let folder = workspace::root().join("target/bsd/linkers");
    let script = folder.join(target);
    let us = std::env::current_exe().map_err(|error| format!("where xtask is: {error}"))?;
    let text = format!(
        "#!/bin/sh\nexec '{}' zig-link '{}' {target} \"$@\"\n",
        us.display(),
        zig.display()
    );
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&script, text))
        .and_then(|()| fs::set_permissions(&script, fs::Permissions::from_mode(0o755)))
        .map_err(|error| format!("{}: {error}", script.display()))?;
    Ok(script)
}

/// `cargo xtask zig-link ZIG TARGET ARGUMENTS...`: links as rustc asks for it.
pub(crate) fn link(arguments: &[String]) -> Result<(), String> {
    let [zig, target, words @ ..] = arguments else {
        return Err("zig-link is what the lane `bsd` gives to rustc as its linker".to_owned());
    };
    let mut command = Command::new(zig);
    command.args(["cc", "-target", target]).args(translated(target, words));
    // What zig builds for each target: its unwinder, and stubs of the system's libraries.
    let cache = tools::cache().join(format!("zig-{VERSION}-built"));
    command.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache);
    let status = command.status().map_err(|error| format!("{zig}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("zig cc: {status}")) }
}

/// rustc's arguments for a C compiler, as zig takes them.
fn translated(target: &str, words: &[String]) -> Vec<String> {
    let is_mac = target.contains("macos");
    let keep = |word: &&String| {
        // zig has the target from us, and finds the system's libraries by itself.
        !word.starts_with("--target=") && !LEFT_OUT.contains(&word.as_str())
    };
    // The unwinder: in the system on macOS, zig's own elsewhere. OpenBSD has it in a library of C++.
    let unwinder = |word: &String| match word.as_str() {
        "-lgcc_s" if is_mac => None,
        "-lgcc_s" | "-lc++abi" => Some("-lunwind".to_owned()),
        _ => Some(word.clone()),
    };
    words.iter().filter(keep).filter_map(unwinder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_zig_does_not_have_is_left_out() {
        let words =
            ["--target=x", "a.o", "-lgcc_s", "-lgcc", "-lkvm", "-lc", "-nodefaultlibs", "-o"];
        let words = words.map(str::to_owned);
        assert_eq!(translated("x86_64-freebsd-none", &words), ["a.o", "-lunwind", "-lc", "-o"]);
        assert_eq!(translated("aarch64-macos-none", &words), ["a.o", "-lc", "-o"]);
        let words = ["-lc++abi".to_owned()];
        assert_eq!(translated("x86_64-openbsd-none", &words), ["-lunwind"]);
    }
}
