//! Where the repository is, what files it has, and a `cargo` command in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root: the folder above this package.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("xtask lies in the repository").to_path_buf()
}

/// The files of the working tree, relative to the root and sorted: tracked ones, and new ones that are not ignored.
pub(crate) fn files() -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("git could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let names = String::from_utf8(output.stdout).map_err(|_| "a file name is not UTF-8")?;
    let mut files: Vec<String> = names
        .split('\0')
        .filter(|name| !name.is_empty() && root().join(name).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// The names of the library's examples.
pub(crate) fn examples() -> Result<Vec<String>, String> {
    let names: Vec<String> = files()?
        .iter()
        .filter_map(|file| file.strip_prefix("crates/kael-rt/examples/")?.strip_suffix(".rs"))
        .map(|name| name.strip_suffix("/main").unwrap_or(name))
        .filter(|name| !name.contains('/'))
        .map(str::to_owned)
        .collect();
    if names.is_empty() { Err("there is no example".to_owned()) } else { Ok(names) }
}

/// The `cargo` that runs us, in the repository's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// A program that is to run in the repository's root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    without_our_own_variables(&mut command);
    command
}

/// Takes away what the outer cargo set for xtask itself: it would reach build scripts and tests as if it were theirs.
fn without_our_own_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") {
            command.env_remove(name);
        }
    }
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
}

/// Optimised but quick to build: what the simulator, loom and the mutants run is judged by its answer, not its speed.
pub(crate) fn quick_release(command: &mut Command) -> &mut Command {
    command
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
}

/// The same for `kael`, whose time is the system's: what counts is that it builds soon.
pub(crate) fn quick_kael(command: &mut Command) -> &mut Command {
    quick_release(command).env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
}
