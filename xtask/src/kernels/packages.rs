//! Debian's archive for one machine, asked through its package manager. Packages are unpacked, never installed.

use super::machine::Machine;
use crate::process::{self, Ended, Show};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10 * 60);

pub(super) struct Packages {
    /// The package manager's settings, where they are not the machine's own.
    settings: Option<PathBuf>,
    folder: PathBuf,
}

impl Packages {
    /// `folder` is where packages are unpacked.
    pub(super) fn of(machine: &Machine, folder: &Path) -> Result<Packages, String> {
        let folder = folder.to_path_buf();
        if machine.arch == std::env::consts::ARCH {
            return Ok(Packages { settings: None, folder });
        }
        let state = folder.join("lists");
        let settings = foreign(machine.debian, &state)
            .map_err(|error| format!("{}: {error}", state.display()))?;
        Ok(Packages { settings: Some(settings), folder })
    }

    /// The newest package for which `name` says yes, of those that begin so.
    pub(super) fn newest(
        &self,
        prefix: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String, String> {
        let newest = || -> Result<Option<String>, String> {
            let ended = self
                .apt("apt-cache", &["pkgnames", prefix])
                .map_err(|error| format!("{error}; kernels come from Debian's archive"))?;
            let names = ended.output.lines().filter(|name| wanted(name));
            Ok(names.max_by_key(|name| numbers(name)).map(str::to_owned))
        };
        if let Some(name) = newest()? {
            return Ok(name);
        }
        // A fresh machine has no list of packages yet. Of its own architecture's, only root may get one.
        self.update()?;
        newest()?.ok_or_else(|| {
            format!(
                "the archive in use has no package {prefix}* for virtual machines: Debian 12 and its security updates \
                 have one"
            )
        })
    }

    pub(super) fn update(&self) -> Result<(), String> {
        expect(self.apt("apt-get", &["update"])?, "apt-get update")
    }

    /// The folder into which the package is unpacked, unless it is there.
    pub(super) fn unpacked(&self, package: &str) -> Result<PathBuf, String> {
        let place = self.folder.join(package);
        if !place.exists() {
            println!("fetching {package} from Debian's archive");
            self.unpack(package, &place)?;
        }
        Ok(place)
    }

    fn unpack(&self, package: &str, place: &Path) -> Result<(), String> {
        let downloads = self.folder.join("download");
        // What an interrupted run has left there is in the way.
        let _ = fs::remove_dir_all(&downloads);
        fs::create_dir_all(&downloads)
            .map_err(|error| format!("{}: {error}", downloads.display()))?;
        // As root, apt would download as a user who may not write here.
        let mut get =
            self.command("apt-get", &["-o", "APT::Sandbox::User=root", "download", package]);
        let ended = process::run(get.current_dir(&downloads), LIMIT, Show::Nothing)?;
        expect(ended, &format!("apt-get download {package}"))?;
        let files = fs::read_dir(&downloads).map_err(|error| error.to_string())?;
        let file = files.flatten().next().ok_or_else(|| format!("{package} was not downloaded"))?;
        // Unpacked beside its place first: what is in its place is whole.
        let unpacked = downloads.join("unpacked");
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("-x").arg(file.path()).arg(&unpacked);
        expect(process::run(&mut unpack, LIMIT, Show::Nothing)?, "dpkg-deb")?;
        fs::rename(&unpacked, place).map_err(|error| format!("{package}: {error}"))?;
        let _ = fs::remove_dir_all(&downloads);
        Ok(())
    }

    fn apt(&self, program: &str, arguments: &[&str]) -> Result<Ended, String> {
        process::run(&mut self.command(program, arguments), LIMIT, Show::Nothing)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        if let Some(settings) = &self.settings {
            command.env("APT_CONFIG", settings);
        }
        command
    }
}

/// Settings for another architecture: the machine's own sources, and lists of packages in a folder of ours.
fn foreign(architecture: &str, state: &Path) -> std::io::Result<PathBuf> {
    for folder in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(state.join(folder))?;
    }
    // The packages that are installed are none of this architecture's business.
    fs::write(state.join("status"), "")?;
    let settings = state.join("apt.conf");
    let place = state.display();
    fs::write(
        &settings,
        format!(
            "APT::Architecture \"{architecture}\";\nAPT::Architectures {{ \"{architecture}\"; }};\n\
             APT::Sandbox::User \"root\";\n\
             Dir::State \"{place}\";\nDir::State::status \"{place}/status\";\nDir::Cache \"{place}\";\n"
        ),
    )?;
    Ok(settings)
}

/// The numbers in a name, by which versions are ordered.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn expect(ended: Ended, what: &str) -> Result<(), String> {
    match ended.success() {
        true => Ok(()),
        false => Err(format!("{what}: {}\n{}", ended.verdict(), ended.tail(20))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let newer = super::numbers("linux-image-6.1.0-56-cloud-amd64");
        assert!(newer > super::numbers("linux-image-6.1.0-9-cloud-amd64"));
    }
}
