//! One boot of a kernel in the emulator, or a few: the guest's first process runs one test program after the other, each
//! for a limited time, and marks on its console where each begins and ends. A guest that dies in the middle of one is
//! booted again for those that follow, so that one panic of the kernel costs one program its verdict and no more.

use super::machine::Machine;
use super::outcome::{End, Part};
use super::programs::Program;
use crate::process::{self, Show};
use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// For one program. Tests have limits of their own, of 150 s at most.
const PROGRAM_LIMIT_S: u64 = 240;
/// For all programs on one kernel: three times what they take on an idle machine.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The guest's disk, in bytes.
const DISK: u64 = 16 << 20;

/// The guest's folder for what is written. Not `/tmp`: the programs lie where they do here, and that may be below it.
pub(super) const SCRATCH: &str = "/scratch";

/// What stands before the words with which the first process speaks to us.
const MARK: &str = "@@kael ";

/// What the guest's console showed of all programs, in their order.
pub(super) struct Seen {
    /// As the kernel calls itself.
    pub(super) release: String,
    /// `None`: the guest did not come so far.
    pub(super) parts: Vec<Option<Part>>,
    /// The kernel has warned of a fault of its own, or has died.
    pub(super) complaint: Option<String>,
}

pub(super) fn run(
    hardware: &Machine,
    image: &Path,
    files: &Path,
    programs: &[Program],
    kernel: &'static str,
) -> Result<Seen, String> {
    let mut seen = Seen { release: kernel.to_owned(), parts: Vec::new(), complaint: None };
    seen.parts.resize_with(programs.len(), || None);
    let disk = files.with_extension("disk");
    let empty = File::create(&disk).and_then(|file| file.set_len(DISK));
    empty.map_err(|error| format!("{}: {error}", disk.display()))?;
    let began = Instant::now();
    while let Some(first) = seen.parts.iter().position(Option::is_none) {
        let left = LIMIT.saturating_sub(began.elapsed());
        let mut machine = emulator(hardware, image, [files, &disk], first);
        println!("{kernel} | {}", process::describe(&machine));
        let ended = process::run(&mut machine, left, Show::Named(kernel))?;
        read(&ended.output, &mut seen);
        if seen.parts[first].is_none() {
            return Err(format!("the guest did not run a program: {}", ended.verdict()));
        }
        if seen.parts.iter().flatten().any(|part| part.end == End::Lost) {
            seen.complaint
                .get_or_insert_with(|| format!("the guest ended early: {}", ended.verdict()));
        }
        if ended.status.is_none() {
            // There is no time for another boot.
            break;
        }
    }
    Ok(seen)
}

/// Of a guest. The archive of its files (some 400 MiB) is in it twice while it is unpacked, and then tests want room.
const MEMORY_MIB: &str = "2048";

fn emulator(hardware: &Machine, image: &Path, [files, disk]: [&Path; 2], first: usize) -> Command {
    let mut machine = Command::new(hardware.emulator);
    machine.args(hardware.hardware);
    machine.args(["-smp", "2", "-m", MEMORY_MIB, "-nodefaults", "-no-user-config"]);
    machine.args(["-display", "none"]);
    // The kernel reboots when it panics, and that ends the emulator.
    machine.args(["-no-reboot", "-serial", "stdio", "-kernel"]).arg(image);
    machine.arg("-initrd").arg(files).arg("-append").arg(format!(
        "console={} quiet loglevel=2 panic=-1 rdinit=/init mitigations=off random.trust_cpu=on nvme.poll_queues=1 {} \
         KAEL_FIRST={first}",
        hardware.console, hardware.words
    ));
    // A disk whose queues can be polled. What is written to it is forgotten.
    let disk = format!("if=none,id=disk,format=raw,snapshot=on,file={}", disk.display());
    machine.args(["-drive", &disk, "-device", "nvme,drive=disk,serial=kael"]);
    machine
}

/// The first process. What the kernel does not know on its command line is in its environment.
pub(super) fn script(programs: &[Program]) -> String {
    let mut script = format!(
        r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME={SCRATCH} TMPDIR={SCRATCH} RUST_BACKTRACE=0 KAEL_EMULATED=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp {SCRATCH}
ip link set lo up
if [ "$(cat /sys/block/nvme0n1/queue/io_poll 2>/dev/null)" = 1 ]; then export KAEL_POLLED_DISK=/dev/nvme0n1; fi
ulimit -n 65536
cd {SCRATCH}
now() {{ cut -d ' ' -f 1 /proc/uptime; }}
run() {{
    number=$1
    source=$2
    shift 2
    [ "$number" -ge "$KAEL_FIRST" ] || return 0
    echo "{MARK}begin $number $(now) $source"
    timeout -s KILL {PROGRAM_LIMIT_S} "$@" </dev/null
    echo "{MARK}end $number $(now) $?"
    # What a killed program has started itself.
    kill -KILL -1
}}
echo "{MARK}kernel $(uname -r)"
"#
    );
    for (number, program) in programs.iter().enumerate() {
        let path = program.path.display();
        write!(script, "run {number} {} '{path}'", program.source).expect("into a string");
        for word in program.arguments() {
            write!(script, " '{word}'").expect("into a string");
        }
        script.push('\n');
    }
    // Warnings do not go to the console, where they would tear lines of the tests apart.
    write!(
        script,
        "if dmesg | grep -q 'cut here'; then\n    echo \"{MARK}complaint\"\n    \
         dmesg | sed -n '/cut here/,$p' | head -n 100\nfi\npoweroff -f\n"
    )
    .expect("into a string");
    script
}

/// Sorts the console's lines to their programs.
fn read(console: &str, seen: &mut Seen) {
    let mut open: Option<(usize, f64)> = None;
    for line in console.lines() {
        if line.contains("Initramfs unpacking failed") {
            let what = "not all files had room in the guest's memory; raise MEMORY_MIB in guest.rs";
            seen.complaint = Some(what.to_owned());
        }
        // A program that was killed has left its last line open.
        let (text, words) = match line.split_once(MARK) {
            Some((text, words)) => (text, Some(words)),
            None => (line, None),
        };
        if let Some((number, _)) = open
            && !text.is_empty()
            && let Some(part) = &mut seen.parts[number]
        {
            part.lines.push(text.to_owned());
        }
        let words: Vec<&str> = words.unwrap_or("").split_whitespace().collect();
        match words[..] {
            ["kernel", release] => seen.release = release.to_owned(),
            ["begin", number, at, ..] => {
                let (Ok(number), Ok(at)) = (number.parse(), at.parse()) else { continue };
                open = Some((number, at));
                seen.parts[number] = Some(Part { lines: Vec::new(), end: End::Lost, seconds: 0.0 });
            }
            ["end", _, at, status] => {
                let Some((number, began)) = open.take() else { continue };
                let Some(part) = &mut seen.parts[number] else { continue };
                part.end = status.parse().map_or(End::Lost, End::Status);
                part.seconds = at.parse().map_or(0.0, |at: f64| at - began);
            }
            ["complaint"] => {
                seen.complaint =
                    Some("the kernel reports a fault of its own, see above".to_owned());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_their_programs_and_a_torn_one_too() {
        let mut seen =
            Seen { release: String::new(), parts: vec![None, None, None], complaint: None };
        let console = "noise\n@@kael kernel 6.1.0\n@@kael begin 0 1.5 a.rs\none\n@@kael end 0 2.0 0\n\
                       between\n@@kael begin 1 2.0 b.rs\ntest x ... @@kael end 1 9.0 137\n\
                       @@kael begin 2 9.0 c.rs\nlast words\n";
        read(console, &mut seen);
        assert_eq!(seen.release, "6.1.0");
        let parts: Vec<&Part> = seen.parts.iter().flatten().collect();
        assert_eq!(parts[0].lines, ["one"]);
        assert_eq!((parts[0].end, parts[0].seconds), (End::Status(0), 0.5));
        assert_eq!(parts[1].lines, ["test x ... "]);
        assert_eq!(parts[1].end, End::TIME_LIMIT);
        assert_eq!(
            (&parts[2].lines[..], parts[2].end),
            (&["last words".to_owned()][..], End::Lost)
        );
    }

    #[test]
    fn files_that_had_no_room_are_no_test_that_failed() {
        let mut seen = Seen { release: String::new(), parts: vec![None], complaint: None };
        read("[    3.5] Initramfs unpacking failed: write error\n", &mut seen);
        assert!(seen.complaint.is_some_and(|complaint| complaint.contains("MEMORY_MIB")));
    }
}
