//! DragonFly BSD.

pub(super) use super::flags::{
    RECVMSG_FLAGS, SEND_FLAGS, accept, open, past_close, pipe, reuse_port, socket, sync,
};
pub(crate) use super::unpinned::pin_to_cpu;

/// Direct I/O, for open(2).
pub(crate) const O_DIRECT: i32 = libc::O_DIRECT;

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

/// It does not know when a file was made.
pub(super) fn born(_: &libc::stat) -> Option<(i64, u32)> {
    None
}
