//! OpenBSD.

pub(super) use super::flags::{
    RECVMSG_FLAGS, SEND_FLAGS, accept, open, past_close, pipe, reuse_port, socket, sync,
};
pub(crate) use super::unpinned::pin_to_cpu;

/// It has no direct I/O: files are opened without.
pub(crate) const O_DIRECT: i32 = 0;

/// Its file systems do not reserve space.
pub(super) fn allocate(_: i32, _: u64, _: u64) -> i32 {
    -libc::EOPNOTSUPP
}

/// A pipe that nobody reads raises SIGPIPE, and there is no way to have it not.
pub(super) fn silence(_: i32) {}

/// Of the last read and the last write: seconds, nanoseconds.
pub(super) fn times(stat: &libc::stat) -> [(i64, u32); 2] {
    [
        (stat.st_atime as _, stat.st_atime_nsec as u32),
        (stat.st_mtime as _, stat.st_mtime_nsec as u32),
    ]
}

/// The time when a file was made: seconds, nanoseconds.
pub(super) fn born(stat: &libc::stat) -> Option<(i64, u32)> {
    (stat.st_birthtime > 0).then_some((stat.st_birthtime as _, stat.st_birthtime_nsec as u32))
}
