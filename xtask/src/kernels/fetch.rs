//! What an emulated machine needs, from Debian's archive: the emulator, a kernel, and a shell for the guest.

use super::machine::Machine;
use super::packages::Packages;
use crate::tools;
use std::path::{Path, PathBuf};

/// Busybox where it is installed.
const BUSYBOX: &str = "/bin/busybox";

/// The emulator, and for programs of this machine's own kind the guest's shell.
pub(super) fn install_tools(machine: &Machine) -> Result<(), String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("machines are emulated on x86-64 only".to_owned());
    }
    let mut missing = Vec::new();
    if !tools::answers(machine.emulator, "--version") {
        missing.push(machine.package);
    }
    if is_ours(machine) && !Path::new(BUSYBOX).exists() {
        missing.push("busybox-static");
    }
    tools::install(&missing)
}

/// The guest's shell: the installed one, or that of another architecture, unpacked into `folder`.
pub(super) fn busybox(machine: &Machine, folder: &Path) -> Result<PathBuf, String> {
    if is_ours(machine) {
        return Ok(PathBuf::from(BUSYBOX));
    }
    let packages = Packages::of(machine, folder)?;
    let package = packages.newest("busybox-static", |name| name == "busybox-static")?;
    let program = once_more(&packages, || Ok(package.clone()))?.join("bin/busybox");
    if program.exists() { Ok(program) } else { Err(format!("{package} has no bin/busybox")) }
}

/// The image of the newest kernel of a series that Debian has, unpacked into `folder` unless it is there.
pub(super) fn kernel(machine: &Machine, series: &str, folder: &Path) -> Result<PathBuf, String> {
    let packages = Packages::of(machine, folder)?;
    // The kernels for virtual machines: small, with all that a guest needs built in.
    let suffix = format!("-cloud-{}", machine.debian);
    let newest =
        || packages.newest(&format!("linux-image-{series}."), |name: &str| name.ends_with(&suffix));
    let place = once_more(&packages, newest)?;
    let package = place.file_name().expect("a folder with a name").to_string_lossy();
    let image = place.join("boot").join(package.replacen("linux-image", "vmlinuz", 1));
    if image.exists() { Ok(image) } else { Err(format!("{package} has no {}", image.display())) }
}

/// The unpacked package. A list may name one that has gone from the archive since; then it is fetched anew.
fn once_more(
    packages: &Packages,
    newest: impl Fn() -> Result<String, String>,
) -> Result<PathBuf, String> {
    packages.unpacked(&newest()?).or_else(|_| {
        packages.update()?;
        packages.unpacked(&newest()?)
    })
}

fn is_ours(machine: &Machine) -> bool {
    machine.arch == std::env::consts::ARCH
}
