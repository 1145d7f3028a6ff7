//! The shared libraries that a program needs, and its loader.

use super::machine::Machine;
use crate::process::{self, Ended, Show};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// A file of the guest, and where it is here.
pub(super) type File = (PathBuf, PathBuf);

pub(super) fn of(machine: &Machine, program: &Path) -> Result<Vec<File>, String> {
    match machine.libraries {
        None => by_the_loader(program),
        Some(folder) => by_the_headers(program, Path::new(folder)),
    }
}

/// The loader itself says what it would load.
fn by_the_loader(program: &Path) -> Result<Vec<File>, String> {
    let ended = process::run(Command::new("ldd").arg(program), LIMIT, Show::Nothing)?;
    if !ended.success() {
        // A static program has none, and that is what ldd calls an error.
        let is_static = ended.output.contains("not a dynamic executable");
        return if is_static { Ok(Vec::new()) } else { Err(format!("ldd: {}", ended.output)) };
    }
    let mut files = Vec::new();
    for line in ended.output.lines() {
        // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)`, or `/lib64/ld-linux-x86-64.so.2 (0x...)`.
        let file = line.rsplit("=>").next().unwrap_or("").split_whitespace().next().unwrap_or("");
        if line.contains("not found") {
            return Err(format!("{}: {line}", program.display()));
        }
        if Path::new(file).is_absolute() {
            files.push((file.into(), file.into()));
        }
    }
    Ok(files)
}

/// The loader of another machine does not run here. What a program needs stands in its headers, and so for each library.
fn by_the_headers(program: &Path, folder: &Path) -> Result<Vec<File>, String> {
    let mut files: Vec<File> = Vec::new();
    let mut open = vec![program.to_path_buf()];
    while let Some(path) = open.pop() {
        let headers = headers(&path)?;
        for needed in needed(&headers.output) {
            // The loader is named with its path, libraries without one; both lie in the one folder here.
            let name = Path::new(needed).file_name().unwrap_or_default();
            let inside = match needed.starts_with('/') {
                true => PathBuf::from(needed),
                false => Path::new("/lib").join(needed),
            };
            let here = folder.join(name);
            if files.iter().any(|(_, known)| *known == here) {
                continue;
            }
            if !here.exists() {
                return Err(format!("{} needs {needed}, and it is not there", path.display()));
            }
            files.push((inside, here.clone()));
            open.push(here);
        }
    }
    Ok(files)
}

fn headers(path: &Path) -> Result<Ended, String> {
    let mut command = Command::new("readelf");
    let ended = process::run(command.arg("-ldW").arg(path), LIMIT, Show::Nothing)?;
    if ended.success() { Ok(ended) } else { Err(format!("readelf {}", ended.output)) }
}

/// `[Requesting program interpreter: /lib/ld-linux-aarch64.so.1]` and `(NEEDED) Shared library: [libc.so.6]`.
fn needed(headers: &str) -> impl Iterator<Item = &str> {
    headers.lines().filter_map(|line| {
        let interpreter = line.split_once("[Requesting program interpreter: ");
        let library =
            line.split_once("Shared library: [").filter(|(at, _)| at.contains("(NEEDED)"));
        interpreter.or(library)?.1.strip_suffix(']')
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn loader_and_libraries_are_read_from_the_headers() {
        let headers = " INTERP  0x000\n      [Requesting program interpreter: /lib/ld-linux-aarch64.so.1]\n\
                       Dynamic section:\n 0x0001 (NEEDED)             Shared library: [libc.so.6]\n\
                       0x000e (SONAME)             Library soname: [libgcc_s.so.1]\n";
        let found: Vec<&str> = super::needed(headers).collect();
        assert_eq!(found, ["/lib/ld-linux-aarch64.so.1", "libc.so.6"]);
    }
}
