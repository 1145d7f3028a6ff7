//! Kernels and the emulator from Debian's archive, by its package manager. Kernels are unpacked, never installed.

use crate::process::{self, Show};
use crate::tools;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10 * 60);

pub(super) const EMULATOR: &str = "qemu-system-x86_64";

/// The emulator and the guest's shell.
pub(super) fn install_tools() -> Result<(), String> {
    if std::env::consts::ARCH != "x86_64" {
        return Err("the kernels are emulated for x86-64 programs only".to_owned());
    }
    let mut missing = Vec::new();
    if !tools::answers(EMULATOR, "--version") {
        missing.push("qemu-system-x86");
    }
    if !Path::new(super::pack::BUSYBOX).exists() {
        missing.push("busybox-static");
    }
    tools::install(&missing)
}

/// The image of the newest kernel of a series that Debian has, unpacked into `folder` unless it is there.
pub(super) fn kernel(series: &str, folder: &Path) -> Result<PathBuf, String> {
    let mut known = packages(series)?;
    if known.is_empty() {
        // A fresh machine has no list of packages yet. Only root may get one.
        tools::apt_get(&["update"])?;
        known = packages(series)?;
    }
    let newest = |names: &[String]| names.iter().max_by_key(|name| numbers(name)).cloned();
    let mut package = newest(&known).ok_or_else(|| {
        format!(
            "the archive in use has no package linux-image-{series}.*-cloud-amd64: Debian 12 and its \
             security updates have one"
        )
    })?;
    let image = |package: &str| {
        folder.join(package).join("boot").join(package.replacen("linux-image", "vmlinuz", 1))
    };
    if !image(&package).exists() && download(&package, folder).is_err() {
        // The list names a package that has gone from the archive since.
        tools::apt_get(&["update"])?;
        package = newest(&packages(series)?).ok_or("the archive has lost its kernels")?;
        download(&package, folder)?;
    }
    let image = image(&package);
    if !image.exists() {
        return Err(format!("{package} has no {}", image.display()));
    }
    Ok(image)
}

/// The names of the kernels for virtual machines: small, with all that a guest needs built in.
fn packages(series: &str) -> Result<Vec<String>, String> {
    let mut command = Command::new("apt-cache");
    command.args(["pkgnames", &format!("linux-image-{series}.")]);
    let ended = process::run(&mut command, LIMIT, Show::Nothing)
        .map_err(|error| format!("{error}; kernels come from Debian's archive"))?;
    let names = ended.output.lines().filter(|name| name.ends_with("-cloud-amd64"));
    Ok(names.map(str::to_owned).collect())
}

/// The numbers in a name, by which versions are ordered.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn download(package: &str, folder: &Path) -> Result<(), String> {
    println!("fetching {package} from Debian's archive");
    let downloads = folder.join("download");
    // What an interrupted run has left there is in the way.
    let _ = fs::remove_dir_all(&downloads);
    fs::create_dir_all(&downloads).map_err(|error| format!("{}: {error}", downloads.display()))?;
    let mut get = Command::new("apt-get");
    // As root, apt would download as a user who may not write here.
    get.args(["-o", "APT::Sandbox::User=root", "download", package]).current_dir(&downloads);
    expect(get)?;
    let files = fs::read_dir(&downloads).map_err(|error| error.to_string())?;
    let file = files.flatten().next().ok_or_else(|| format!("{package} was not downloaded"))?;
    // Unpacked beside its place first: what is in its place is whole.
    let unpacked = downloads.join("unpacked");
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("-x").arg(file.path()).arg(&unpacked);
    expect(unpack)?;
    let place = folder.join(package);
    let _ = fs::remove_dir_all(&place);
    fs::rename(&unpacked, place).map_err(|error| format!("{package}: {error}"))?;
    let _ = fs::remove_dir_all(&downloads);
    Ok(())
}

fn expect(mut command: Command) -> Result<(), String> {
    let ended = process::run(&mut command, LIMIT, Show::Nothing)?;
    if ended.success() {
        return Ok(());
    }
    Err(format!("{}: {}\n{}", process::describe(&command), ended.verdict(), ended.tail(20)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let newer = super::numbers("linux-image-6.1.0-56-cloud-amd64");
        assert!(newer > super::numbers("linux-image-6.1.0-9-cloud-amd64"));
    }
}
