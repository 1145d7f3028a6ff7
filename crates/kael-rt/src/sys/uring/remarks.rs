//! What follows from a ring as the kernel granted it, for who plans with it.

use super::refusal::release;
use crate::sys::Remark;
use std::fs;

/// The remarks on a ring with those options and queues.
pub(super) fn remarks(
    flags: &[&str],
    [submissions, completions]: [u32; 2],
    mapped: usize,
) -> Vec<Remark> {
    vec![
        kernel(),
        options(flags, submissions, completions, mapped),
        permission(),
        files(),
        batching(),
    ]
}

fn kernel() -> Remark {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let follows = match release(kernel.trim()) {
        Some(version) if version >= (6, 15) => {
            "has every ring option that this build uses, and zero-copy receive, which it does not use yet"
        }
        Some(version) if version >= (6, 9) => {
            "has every operation of this build in the ring, `set_len` included; newer ones gather completions (6.12), and \
             have queues that grow and waits without a copy (6.13)"
        }
        _ => {
            "is enough (6.1 is the floor); newer ones spare an index array (6.6) and a pool thread for `set_len` (6.9)"
        }
    };
    let fact = format!("Kernel {}", kernel.trim());
    Remark::new(
        fact,
        format!(
            "{follows}. Completion, not readiness: the result comes with the wake, and no call asks first."
        ),
    )
}

fn options(flags: &[&str], submissions: u32, completions: u32, mapped: usize) -> Remark {
    let how = if flags.contains(&"submission thread") {
        "a thread of the kernel takes submissions and runs the kernel's half: a busy core makes no call, and the thread \
         keeps a CPU of its own busy, also for the idle time after the last operation"
    } else {
        "one thread owns the ring and runs the kernel's half when it enters, so a completion interrupts nobody"
    };
    let mut follows = format!(
        "{how}. Queues: {submissions} submissions, {completions} completions, {} KiB shared with the kernel.",
        mapped / 1024
    );
    if !flags.contains(&"NO_SQARRAY") {
        follows.push_str(
            " Without NO_SQARRAY (Linux 6.6) each submission goes through an index array.",
        );
    }
    if !flags.contains(&"registered ring fd") {
        follows.push_str(" The ring's descriptor could not be registered: each enter looks it up.");
    }
    Remark::new(format!("Ring options granted: {}", flags.join(", ")), follows)
}

fn permission() -> Remark {
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    let disabled: Option<u64> = disabled.and_then(|value| value.trim().parse().ok());
    let (value, follows) = match disabled {
        None => (
            "absent".to_owned(),
            "no sysctl restricts io_uring; in a container, seccomp still may.",
        ),
        Some(0) => (
            "0".to_owned(),
            "any process may make a ring; in a container, seccomp still may forbid it.",
        ),
        Some(1) => (
            "1".to_owned(),
            "only members of `kernel.io_uring_group` and privileged processes may make a ring: give the service that group.",
        ),
        Some(other) => (
            other.to_string(),
            "new rings are forbidden to everybody but this process's privileges: set it to 0 or 1.",
        ),
    };
    Remark::new(format!("`kernel.io_uring_disabled` is {value}"), follows)
}

fn files() -> Remark {
    Remark::new(
        "Files",
        "cached reads complete inside the submission, and reads that miss are asynchronous without a thread. Buffered \
         writes complete there too on xfs, btrfs and tmpfs; on ext4 a worker of the kernel does them, which costs tens of \
         microseconds each: write large blocks, or direct.",
    )
}

fn batching() -> Remark {
    Remark::new(
        "The core enters the kernel only when nothing is runnable",
        "everything that tasks submitted until then goes in one call. So start independent operations in tasks of their \
         own and await them together: the table shows what 64 in flight cost against one.",
    )
}
