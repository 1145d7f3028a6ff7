//! A Unix: limits of resources, and what the system calls itself.

use crate::limits::Limit;
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use std::io;

/// The system's name and release, and its name of the processor's kind.
pub(crate) fn release() -> (String, String) {
    let system = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    (format!("{} {}", text(system.sysname()), text(system.release())), text(system.machine()))
}

/// Bytes of memory that may be locked: soft, hard; if the system has such a limit.
pub(crate) fn locked_memory() -> Option<(Limit, Limit)> {
    Some(both(getrlimit(Resource::Memlock)))
}

/// Descriptors that may be open: soft, hard; if the system has such a limit.
pub(crate) fn descriptors() -> Option<(Limit, Limit)> {
    Some(nofile())
}

fn nofile() -> (Limit, Limit) {
    both(getrlimit(Resource::Nofile))
}

fn both(limit: Rlimit) -> (Limit, Limit) {
    (Limit(limit.current), Limit(limit.maximum))
}

/// Raises the soft limit of descriptors, up to the hard one, so that `wanted` fit. Returns the limit that holds then.
pub(crate) fn raise_descriptors(wanted: u64) -> Limit {
    let (soft, hard) = nofile();
    if soft.is_at_least(wanted) {
        return soft;
    }
    let raised = if hard.is_at_least(wanted) { Some(wanted) } else { hard.0 };
    let limit = Rlimit { current: raised, maximum: hard.0 };
    // Raising a soft limit to at most the hard one is always allowed; if not, the old one holds.
    let _ = setrlimit(Resource::Nofile, limit);
    nofile().0
}

/// A number that the system says in a file.
pub(crate) fn parameter(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The process or the system has no descriptor left, or no memory for one.
pub(crate) fn is_starved(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| {
        [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM].contains(&errno)
    })
}
