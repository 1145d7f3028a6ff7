//! `cargo xtask kernels`: the test programs of the workspace on Debian's older kernels, in an emulated machine.
//!
//! The programs are those that `cargo test` has built. They are packed with their shared libraries (`libraries.rs`) into
//! the first file system of a guest (`pack.rs`, `archive.rs`), which runs one after the other (`guest.rs`) on a kernel
//! from Debian's archive (`fetch.rs`, `packages.rs`). What they said is counted and judged (`outcome.rs`). What does not
//! run there is a short table (`exceptions.rs`) or says so itself. The emulated processor is slow: this shows what is
//! correct, never what is fast. What differs between processors is in `machine.rs`; the lane `aarch64` uses the other. The lane `windows` has no guest, and
//! its programs are found, left out and judged as these are.

mod archive;
mod exceptions;
mod fetch;
mod guest;
mod libraries;
mod machine;
mod outcome;
mod pack;
mod packages;
mod programs;

pub(crate) use exceptions::{RIO, WINE};
pub(crate) use machine::{AARCH64, AARCH64_SYSTEM, Machine, X86_64};
pub(crate) use outcome::{End, Part, report};
pub(crate) use programs::{Program, build};

use crate::table::wall;
use crate::workspace;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// The oldest kernel that is supported, and one between it and today's.
pub(crate) const KERNELS: &[&str] = &["6.1", "6.12"];

/// The arguments of the command.
struct Wanted {
    kernels: Vec<&'static str>,
    /// A part of a program's path.
    program: Option<String>,
    /// A part of a test's name.
    test: Option<String>,
}

pub(crate) fn main(arguments: &[String]) -> Result<(), String> {
    let wanted = read(arguments)?;
    prepare(wanted.program.as_deref(), wanted.test.as_deref())?.run(&wanted.kernels)
}

fn read(arguments: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted { kernels: Vec::new(), program: None, test: None };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--kernel" => {
                let name = value()?;
                let known = KERNELS.iter().find(|kernel| *kernel == name);
                wanted.kernels.push(known.ok_or_else(|| {
                    format!("there is no kernel {name}: {} are known", KERNELS.join(" and "))
                })?);
            }
            "--program" => wanted.program = Some(value()?.clone()),
            "--test" => wanted.test = Some(value()?.clone()),
            other => return Err(format!("`{other}` is not an argument of kernels")),
        }
    }
    if wanted.kernels.is_empty() {
        wanted.kernels = KERNELS.to_vec();
    }
    Ok(wanted)
}

/// The guest's files, which all kernels of a machine share.
pub(crate) struct Prepared {
    machine: &'static Machine,
    programs: Vec<Program>,
    files: PathBuf,
}

/// Builds the tests, finds their programs, and packs those that are wanted.
pub(crate) fn prepare(program: Option<&str>, test: Option<&str>) -> Result<Prepared, String> {
    fetch::install_tools(&X86_64)?;
    // The same build as that of `cargo test --workspace`, so that a lane that ran before has done the work.
    let built = programs::build(&mut workspace::cargo(&["test", "--workspace"]), X86_64.runner)?;
    let programs = exceptions::OLDER_KERNELS
        .sort(built.tests)?
        .into_iter()
        .filter(|tests| program.is_none_or(|part| tests.source.contains(part)))
        .filter_map(|tests| tests.matching(test))
        .collect();
    Prepared::of(&X86_64, programs, &built.others)
}

/// The programs that this `cargo test` builds for aarch64.
pub(crate) fn prepare_aarch64(command: &mut Command) -> Result<Prepared, String> {
    fetch::install_tools(&AARCH64)?;
    let built = programs::build(command, AARCH64.runner)?;
    Prepared::of(&AARCH64, exceptions::AARCH64.sort(built.tests)?, &built.others)
}

impl Prepared {
    fn of(
        machine: &'static Machine,
        programs: Vec<Program>,
        others: &[PathBuf],
    ) -> Result<Prepared, String> {
        if programs.is_empty() {
            return Err("no test has these names".to_owned());
        }
        let files = folder(machine).join("guest.cpio");
        let busybox = fetch::busybox(machine, &folder(machine))?;
        let began = Instant::now();
        pack::pack(machine, &busybox, &programs, others, &files)?;
        let size = std::fs::metadata(&files).map_or(0, |file| file.len() >> 20);
        println!("{} programs packed, {size} MiB, {}", programs.len(), wall(began.elapsed()));
        Ok(Prepared { machine, programs, files })
    }

    /// Runs the programs on each kernel, prints what became of them, and fails unless all tests have passed.
    pub(crate) fn run(&self, kernels: &[&'static str]) -> Result<(), String> {
        let mut images = Vec::new();
        for kernel in kernels {
            images.push((*kernel, fetch::kernel(self.machine, kernel, &folder(self.machine))?));
        }
        // Side by side: a guest keeps little more than one processor busy.
        let consoles = std::thread::scope(|scope| {
            let run = |(kernel, image): (&'static str, PathBuf)| {
                let began = Instant::now();
                let seen = guest::run(self.machine, &image, &self.files, &self.programs, kernel);
                (kernel, seen, wall(began.elapsed()))
            };
            let guests: Vec<_> =
                images.into_iter().map(|image| scope.spawn(move || run(image))).collect();
            let waited = guests.into_iter().map(|guest| guest.join().expect("it only waits"));
            waited.collect::<Vec<_>>()
        });
        let mut failures = Vec::new();
        for (kernel, seen, time) in consoles {
            match seen {
                Ok(seen) => {
                    let place = format!("Linux {}", seen.release);
                    failures.extend(outcome::report(&place, &self.programs, &seen.parts, &time));
                    let complaint = seen.complaint.iter();
                    failures.extend(complaint.map(|what| format!("Linux {kernel}: {what}")));
                }
                Err(reason) => failures.push(format!("Linux {kernel}: {reason}")),
            }
        }
        match failures.is_empty() {
            true => Ok(()),
            false => Err(format!("{} failures\n  {}", failures.len(), failures.join("\n  "))),
        }
    }
}

/// Where kernels are kept and the guest's files are made. Nothing needs what is there from before.
fn folder(machine: &Machine) -> PathBuf {
    let kernels = workspace::root().join("target/kernels");
    if machine.arch == std::env::consts::ARCH { kernels } else { kernels.join(machine.arch) }
}
