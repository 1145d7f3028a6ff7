//! The guest's first file system: busybox, the programs with the shared libraries that they need, each at the path that
//! it has here, because tests know the paths of programs that they start; and the script that runs them.

use super::archive::Archive;
use super::machine::Machine;
use super::programs::Program;
use super::{guest, libraries};
use crate::process::{self, Show};
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn pack(
    machine: &Machine,
    busybox: &Path,
    programs: &[Program],
    others: &[PathBuf],
    to: &Path,
) -> Result<(), String> {
    let folder = to.parent().expect("a file in a folder");
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let file = File::create(to).map_err(|error| format!("{}: {error}", to.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    start(&mut archive, machine, busybox, programs)?;
    fill(&mut archive, machine, programs, others, folder)?;
    archive.finish().map(drop).map_err(|error| format!("{}: {error}", to.display()))
}

type Files = Archive<BufWriter<File>>;

/// What the guest needs before it runs a program.
fn start(
    archive: &mut Files,
    machine: &Machine,
    busybox: &Path,
    programs: &[Program],
) -> Result<(), String> {
    for path in ["/dev", "/proc", "/sys", "/tmp", "/run", guest::SCRATCH] {
        archive.folder(Path::new(path)).map_err(said)?;
    }
    let texts = [
        ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        ("/etc/nsswitch.conf", "hosts: files\npasswd: files\ngroup: files\n"),
        ("/etc/passwd", "root:x:0:0:root:/:/bin/sh\n"),
        ("/etc/group", "root:x:0:\n"),
    ];
    for (path, text) in texts {
        archive.file(Path::new(path), text.as_bytes()).map_err(said)?;
    }
    archive.file(Path::new("/init"), guest::script(programs).as_bytes()).map_err(said)?;
    archive.file(Path::new("/bin/busybox"), &read(busybox)?).map_err(said)?;
    shared(archive, machine, busybox)
}

fn fill(
    archive: &mut Files,
    machine: &Machine,
    programs: &[Program],
    others: &[PathBuf],
    scratch: &Path,
) -> Result<(), String> {
    for path in programs.iter().map(|program| &program.path).chain(others) {
        archive.file(path, &stripped(machine, path, scratch)?).map_err(said)?;
        shared(archive, machine, path)?;
    }
    // CARGO_TARGET_TMPDIR of the tests: `tmp` beside the profile's folder, in which `deps` is.
    for target in programs.iter().filter_map(|program| program.path.ancestors().nth(3)) {
        archive.folder(&target.join("tmp")).map_err(said)?;
    }
    Ok(())
}

/// The shared libraries that a program needs, unless they are there.
fn shared(archive: &mut Files, machine: &Machine, program: &Path) -> Result<(), String> {
    for (inside, here) in libraries::of(machine, program)? {
        if !archive.has(&inside) {
            archive.file(&inside, &read(&here)?).map_err(said)?;
        }
    }
    Ok(())
}

fn said(error: io::Error) -> String {
    format!("the guest's files: {error}")
}

/// The program without what only debuggers read: four fifths of it. `strip` comes with the linker.
fn stripped(machine: &Machine, program: &Path, scratch: &Path) -> Result<Vec<u8>, String> {
    let to = scratch.join("stripped");
    let mut command = Command::new(machine.strip);
    command.arg("--strip-debug").arg("-o").arg(&to).arg(program);
    let ended = process::run(&mut command, LIMIT, Show::Nothing)?;
    if !ended.success() {
        return Err(format!("{} {}: {}", machine.strip, program.display(), ended.output));
    }
    let bytes = read(&to);
    let _ = fs::remove_file(&to);
    bytes
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
