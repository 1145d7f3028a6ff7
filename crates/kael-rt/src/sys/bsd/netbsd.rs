//! NetBSD.

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

/// What is written to a pipe that nobody reads is an error, and no signal.
pub(super) fn silence(number: i32) {
    // SAFETY: plain numbers.
    unsafe { libc::fcntl(number, libc::F_SETNOSIGPIPE, 1) };
}

/// Of the last read and the last write: seconds, nanoseconds.
pub(super) fn times(stat: &libc::stat) -> [(i64, u32); 2] {
    [(stat.st_atime as _, stat.st_atimensec as u32), (stat.st_mtime as _, stat.st_mtimensec as u32)]
}

/// The time when a file was made: seconds, nanoseconds.
pub(super) fn born(stat: &libc::stat) -> Option<(i64, u32)> {
    (stat.st_birthtime > 0).then_some((stat.st_birthtime as _, stat.st_birthtimensec as u32))
}
