//! What follows from the machine: each paragraph states a fact of it and what to do about it.

use super::machine::{Direct, Machine};
use crate::limits::Limit;
use kael_rt::budget::Area;

const KIB: u64 = 1024;

/// The paragraphs of "Recommended Approach": a fact in few words, and what follows.
pub(crate) fn recommend(machine: &Machine, areas: &[Area]) -> Vec<(String, String)> {
    let remarks = machine.granted.remarks.iter();
    let mut advice: Vec<_> =
        remarks.map(|remark| (remark.fact.clone(), remark.follows.clone())).collect();
    advice.push(cores(machine));
    advice.extend(machine.locked_memory.map(locked_memory));
    advice.extend(machine.descriptors.map(descriptors));
    if areas.contains(&Area::Socket) {
        advice.extend(machine.somaxconn.map(backlog));
    }
    if areas.contains(&Area::File) {
        advice.push(filesystem(machine));
        advice.push(direct(machine));
    }
    if areas.contains(&Area::Timer) {
        advice.extend(machine.timer_slack_ns.map(timer_slack));
    }
    advice
}

fn timer_slack(ns: u64) -> (String, String) {
    let follows = if ns > 1_000 {
        "the kernel lets a sleep end that much late, to wake for several at once: `PR_SET_TIMERSLACK` in prctl(2) makes it \
         less where that matters."
    } else {
        "sleeps end as exactly as the kernel can."
    };
    (format!("Timer slack: {} µs", ns as f64 / 1e3), follows.to_owned())
}

fn cores(machine: &Machine) -> (String, String) {
    let follows = match machine.cores {
        1 => {
            "one runtime; blocking work competes with it, so keep `spawn_blocking` rare.".to_owned()
        }
        cores => format!(
            "`Builder::cores` of up to {cores}, each with its own tasks; share nothing between them but \
             messages. Leave one core to the kernel's network and storage work where latency matters."
        ),
    };
    (format!("Cores: {}", machine.cores), follows)
}

fn locked_memory((soft, hard): (Limit, Limit)) -> (String, String) {
    let fact = format!("RLIMIT_MEMLOCK: {} soft, {} hard", bytes(soft.0), bytes(hard.0));
    let follows = if soft.0.is_none() {
        "buffers may be registered without a bound.".to_owned()
    } else if soft.is_at_least(1024 * KIB) {
        format!(
            "registered buffers are charged to it and, on newer kernels, an unprivileged user's rings: plan for at most {} \
             of both per user, or raise it with `ulimit -l` (systemd: `LimitMEMLOCK=`).",
            bytes(soft.0)
        )
    } else {
        "too small for registered buffers and, for an unprivileged user of a newer kernel, for more than one ring: raise \
         it with `ulimit -l` (systemd: `LimitMEMLOCK=`). Plain buffers, which everything measured here uses, are not \
         charged to it."
            .to_owned()
    };
    (fact, follows)
}

fn bytes(limit: Option<u64>) -> String {
    match limit {
        None => "unlimited".to_owned(),
        Some(bytes) if bytes >= KIB * KIB => format!("{} MiB", bytes / KIB / KIB),
        Some(bytes) => format!("{} KiB", bytes / KIB),
    }
}

fn descriptors((soft, hard): (Limit, Limit)) -> (String, String) {
    let fact = format!("RLIMIT_NOFILE: {soft} soft, {hard} hard");
    let follows = match soft.0 {
        None => "connections are bounded by memory only.".to_owned(),
        Some(soft) => format!(
            "about {} connections; at the limit `accept` reports it once, then waits until descriptors come free. {}",
            soft.saturating_sub(16),
            if hard == Limit(Some(soft)) {
                "Only a privileged process can raise it."
            } else {
                "A process may raise the soft limit to the hard one itself."
            }
        ),
    };
    (fact, follows)
}

fn backlog(somaxconn: u64) -> (String, String) {
    let follows = if somaxconn < 4096 {
        format!(
            "the listeners ask for 4096 waiting connections and get {somaxconn}: a burst beyond that sees retries of a \
             second. Raise it."
        )
    } else {
        "the listeners get the 4096 waiting connections that they ask for.".to_owned()
    };
    (format!("`net.core.somaxconn` is {somaxconn}"), follows)
}

fn filesystem(machine: &Machine) -> (String, String) {
    let fact = format!(
        "File system under test: {}, in `{}`",
        machine.filesystem,
        machine.directory.display()
    );
    let follows = match machine.filesystem.as_str() {
        "tmpfs" | "ramfs" => {
            "it is memory: these figures say nothing about a disk. Run again with `--dir` on the device that matters."
        }
        "overlay" => "a container's layer: put data on a volume, and run again with `--dir` there.",
        name if ["nfs", "cifs", "smb", "9p", "fuse"].iter().any(|kind| name.starts_with(kind)) => {
            "reads that miss the cache go to a worker of the kernel and over to a server: keep many in flight."
        }
        _ => "how its reads and writes are done is said under \"Files\" above.",
    };
    (fact, follows.to_owned())
}

fn direct(machine: &Machine) -> (String, String) {
    match &machine.direct {
        Direct::Works(Some((memory, offset))) => (
            format!("O_DIRECT works: memory aligned to {memory} bytes, offsets and lengths to {offset}"),
            "a storage engine with its own cache opens with `.direct(true)` and keeps 32 to 128 reads in flight; without a \
             cache of its own, the page cache is faster."
                .to_owned(),
        ),
        Direct::Works(None) => (
            "O_DIRECT works; the file system does not tell its alignment".to_owned(),
            "align memory, offsets and lengths to 4096 bytes.".to_owned(),
        ),
        Direct::Refused(error) => (
            format!("O_DIRECT is refused here: {error}"),
            "use buffered reads and writes, and `sync_data` where it must last.".to_owned(),
        ),
    }
}
