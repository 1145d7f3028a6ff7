//! The sampled profile of a traced program: perf(1) samples its stacks in user mode, and they become a flame graph. What the
//! kernel does is left out, because the tracer's stops would be in it.

use super::flame;
use super::ptrace::{ChildSignal, Tid};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Samples a second of each thread that runs; not a divisor of the usual timers, so that none hides between two.
const RATE: &str = "499";
/// Functions that the report names.
const NAMED: usize = 5;

/// perf while it samples. It is waited for together with the traced threads.
pub(super) struct Sampler {
    pub(super) process: Tid,
    data: PathBuf,
}

pub(super) struct Profile {
    /// In sentences: what it shows, or why there is none.
    pub(super) says: String,
    pub(super) stacks: Stacks,
}

/// Stacks, the outermost function first, parted by `;`, and how often each was seen.
pub(super) type Stacks = BTreeMap<String, u64>;

impl Sampler {
    /// Samples these processes and what they start, until SIGINT.
    pub(super) fn start(
        processes: &[Tid],
        svg: &Path,
        children: &ChildSignal,
    ) -> io::Result<Sampler> {
        let data = svg.with_extension("perf-data");
        let list: Vec<String> = processes.iter().map(Tid::to_string).collect();
        let mut perf = Command::new("perf");
        perf.args([
            "record",
            "-q",
            "-g",
            "-e",
            "cpu-clock:u",
            "-F",
            RATE,
            "-p",
            &list.join(","),
            "-o",
        ]);
        perf.arg(&data).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = children.released(|| perf.spawn())??;
        Ok(Sampler { process: child.id().cast_signed(), data })
    }

    /// Once it has ended: writes the flame graph.
    pub(super) fn finish(self, svg: &Path) -> io::Result<Profile> {
        let mut script = Command::new("perf");
        script.args(["script", "-F", "comm,ip,sym", "-i"]).arg(&self.data).stderr(Stdio::null());
        let output = script.stdin(Stdio::null()).output();
        let _ = fs::remove_file(&self.data);
        let stacks = fold(&String::from_utf8_lossy(&output?.stdout));
        if stacks.is_empty() {
            return Ok(Profile::none(refused()));
        }
        fs::write(svg, flame::svg(&stacks))?;
        let says = format!("{} The flame graph is in {}.", hottest(&stacks), svg.display());
        Ok(Profile { says, stacks })
    }
}

impl Profile {
    pub(super) fn none(why: String) -> Profile {
        Profile { says: why, stacks: Stacks::new() }
    }
}

/// Why there is no profile where perf could not be started.
pub(super) fn missing(error: &io::Error) -> String {
    format!(
        "No profile: perf cannot be started ({error}). Debian has it in the package linux-perf."
    )
}

fn refused() -> String {
    let path = "/proc/sys/kernel/perf_event_paranoid";
    let paranoid = crate::system::parameter(path).map_or("unknown".to_owned(), |n| n.to_string());
    format!(
        "No profile: perf has no sample. The program may have slept all the time; or sampling is not permitted: {path} is \
         {paranoid}, and up to 2 lets a user sample own processes (a container needs `--cap-add PERFMON`)."
    )
}

/// Reads what `perf script` prints: the thread's name, then a line for each function, the innermost first.
fn fold(text: &str) -> Stacks {
    let mut stacks = Stacks::new();
    for sample in text.split("\n\n") {
        let mut lines = sample.lines().filter(|line| !line.trim().is_empty());
        let Some(thread) = lines.next() else { continue };
        let mut frames: Vec<&str> = lines.filter_map(function).collect();
        if frames.is_empty() {
            continue;
        }
        frames.push(thread.trim());
        frames.reverse();
        *stacks.entry(frames.join(";")).or_default() += 1;
    }
    stacks
}

/// `  ffff1234 name+0x12`, or `[unknown]` without a name.
fn function(line: &str) -> Option<&str> {
    let (_, name) = line.trim().split_once(' ')?;
    let name = name.trim();
    Some(name.rsplit_once("+0x").map_or(name, |(name, _)| name))
}

/// The functions in which most samples were taken.
fn hottest(stacks: &Stacks) -> String {
    let mut functions: BTreeMap<&str, u64> = BTreeMap::new();
    for (stack, count) in stacks {
        *functions.entry(stack.rsplit(';').next().unwrap_or(stack)).or_default() += count;
    }
    let all: u64 = stacks.values().sum();
    let mut functions: Vec<_> = functions.into_iter().collect();
    functions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let named = functions.iter().take(NAMED);
    let named: Vec<String> = named
        .map(|(name, count)| format!("`{}` {} %", name.replace('`', "'"), count * 100 / all.max(1)))
        .collect();
    format!("{all} samples in user mode: {}.", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &str = "server\n\t    55d0 inner+0x1f\n\t    55e0 outer\n\t    7f00 [unknown]\n\n\
                           server\n\t    55d1 inner+0x20\n\t    55e0 outer\n\t    7f00 [unknown]\n\n\
                           other name\n\t    55e0 outer\n\n\nnobody\n\n";

    #[test]
    fn samples_become_stacks() {
        let stacks = fold(SAMPLES);
        let expected =
            [("other name;outer".to_owned(), 1), ("server;[unknown];outer;inner".to_owned(), 2)];
        assert_eq!(stacks, Stacks::from(expected));
        assert_eq!(hottest(&stacks), "3 samples in user mode: `inner` 66 %, `outer` 33 %.");
        assert!(fold("").is_empty() && fold("noise").is_empty());
    }
}
