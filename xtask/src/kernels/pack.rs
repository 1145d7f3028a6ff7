//! The guest's first file system: busybox, the programs with the shared libraries that they need, each at the path that
//! it has here, because tests know the paths of programs that they start; and the script that runs them.

use super::archive::Archive;
use super::guest;
use super::programs::Program;
use crate::process::{self, Show};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) const BUSYBOX: &str = "/bin/busybox";
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn pack(programs: &[Program], others: &[PathBuf], to: &Path) -> Result<(), String> {
    let folder = to.parent().expect("a file in a folder");
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let file = File::create(to).map_err(|error| format!("{}: {error}", to.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    fill(&mut archive, programs, others, folder)?;
    archive.finish().map(drop).map_err(|error| format!("{}: {error}", to.display()))
}

type Files = Archive<BufWriter<File>>;

fn fill(
    archive: &mut Files,
    programs: &[Program],
    others: &[PathBuf],
    scratch: &Path,
) -> Result<(), String> {
    let said = |error: std::io::Error| format!("the guest's files: {error}");
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

    archive.file(Path::new("/bin/busybox"), &read(Path::new(BUSYBOX))?).map_err(said)?;
    libraries(archive, Path::new(BUSYBOX))?;
    for path in programs.iter().map(|program| &program.path).chain(others) {
        archive.file(path, &stripped(path, scratch)?).map_err(said)?;
        libraries(archive, path)?;
    }
    // CARGO_TARGET_TMPDIR of the tests: `tmp` beside the profile's folder, in which `deps` is.
    for target in programs.iter().filter_map(|program| program.path.ancestors().nth(3)) {
        archive.folder(&target.join("tmp")).map_err(said)?;
    }
    Ok(())
}

/// The shared libraries of a program and its loader, where they are here.
fn libraries(archive: &mut Files, program: &Path) -> Result<(), String> {
    let ended = process::run(Command::new("ldd").arg(program), LIMIT, Show::Nothing)?;
    if !ended.success() {
        // A static program has none, and that is what ldd calls an error.
        let is_static = ended.output.contains("not a dynamic executable");
        return if is_static { Ok(()) } else { Err(format!("ldd: {}", ended.output)) };
    }
    for line in ended.output.lines() {
        // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)`, or `/lib64/ld-linux-x86-64.so.2 (0x...)`.
        let file = line.rsplit("=>").next().unwrap_or("").split_whitespace().next().unwrap_or("");
        if line.contains("not found") {
            return Err(format!("{}: {line}", program.display()));
        }
        let path = Path::new(file);
        if path.is_absolute() && !archive.has(path) {
            archive.file(path, &read(path)?).map_err(|error| format!("{file}: {error}"))?;
        }
    }
    Ok(())
}

/// The program without what only debuggers read: four fifths of it. `strip` comes with the linker.
fn stripped(program: &Path, scratch: &Path) -> Result<Vec<u8>, String> {
    let to = scratch.join("stripped");
    let mut command = Command::new("strip");
    command.arg("--strip-debug").arg("-o").arg(&to).arg(program);
    let ended = process::run(&mut command, LIMIT, Show::Nothing)?;
    if !ended.success() {
        return Err(format!("strip {}: {}", program.display(), ended.output));
    }
    let bytes = read(&to);
    let _ = fs::remove_file(&to);
    bytes
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
