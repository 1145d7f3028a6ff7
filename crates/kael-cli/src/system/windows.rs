//! Windows, which sets a process no limits of handles or of memory that it locks.

use crate::limits::Limit;
use std::io;

/// The system's name and release, and its name of the processor's kind.
pub(crate) fn release() -> (String, String) {
    let version = windows_version::OsVersion::current();
    let release = format!("Windows {}.{}.{}", version.major, version.minor, version.build);
    (release, std::env::consts::ARCH.to_owned())
}

/// There is no such limit.
pub(crate) fn locked_memory() -> Option<(Limit, Limit)> {
    None
}

/// There is no such limit.
pub(crate) fn descriptors() -> Option<(Limit, Limit)> {
    None
}

pub(crate) fn raise_descriptors(_wanted: u64) -> Limit {
    Limit(None)
}

/// The system has no files of its parameters.
pub(crate) fn parameter(_path: &str) -> Option<u64> {
    None
}

/// WSAEMFILE, WSAENOBUFS, ERROR_TOO_MANY_OPEN_FILES, ERROR_NOT_ENOUGH_MEMORY: no socket can be made now.
pub(crate) fn is_starved(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| [10024, 10055, 4, 8].contains(&code))
}
