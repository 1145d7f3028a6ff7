//! FreeBSD.

pub(super) use super::flags::{
    RECVMSG_FLAGS, SEND_FLAGS, accept, open, past_close, pipe, socket, sync,
};
use socket2::SockRef;
use std::{io, os::fd::AsRawFd};

/// Direct I/O, for open(2).
pub(crate) const O_DIRECT: i32 = libc::O_DIRECT;

pub(super) fn allocate(number: i32, offset: u64, len: u64) -> i32 {
    loop {
        // SAFETY: plain numbers. It returns its error.
        match unsafe { libc::posix_fallocate(number, offset as libc::off_t, len as libc::off_t) } {
            libc::EINTR => {}
            // So says ZFS, for example.
            libc::EINVAL if len > 0 => return -libc::EOPNOTSUPP,
            error => return -error,
        }
    }
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
    // A file system that does not know says -1.
    (stat.st_birthtime >= 0).then_some((stat.st_birthtime as _, stat.st_birthtime_nsec as u32))
}

/// The calling thread is bound to one processor as long as this lives.
pub(crate) struct Pinned {
    before: libc::cpuset_t,
}

/// The calling thread, for cpuset_setaffinity(2).
const SELF: libc::id_t = -1 as _;

/// Binds the calling thread to one processor.
pub(crate) fn pin_to_cpu(cpu: usize) -> io::Result<Pinned> {
    if cpu >= 8 * size_of::<libc::cpuset_t>() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a set of processors is plain bits; zeros are the empty set.
    let (mut before, mut only): (libc::cpuset_t, libc::cpuset_t) = unsafe { std::mem::zeroed() };
    let (level, which) = (libc::CPU_LEVEL_WHICH, libc::CPU_WHICH_TID);
    // SAFETY: the set is ours and of the size given.
    if unsafe { libc::cpuset_getaffinity(level, which, SELF, size_of_val(&before), &mut before) }
        != 0
    {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: in bounds, checked above.
    unsafe { libc::CPU_SET(cpu, &mut only) };
    // SAFETY: as above.
    if unsafe { libc::cpuset_setaffinity(level, which, SELF, size_of_val(&only), &only) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Pinned { before })
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let (level, which) = (libc::CPU_LEVEL_WHICH, libc::CPU_WHICH_TID);
        let set = &self.before;
        // SAFETY: as above. If a processor of the old set is gone, the thread stays where it is.
        unsafe { libc::cpuset_setaffinity(level, which, SELF, size_of_val(set), set) };
    }
}

/// Several sockets may listen at one address, and connections are spread among them.
pub(super) fn reuse_port(socket: &SockRef<'_>, on: bool) -> io::Result<()> {
    let on = libc::c_int::from(on);
    let (value, size) = ((&raw const on).cast(), size_of::<libc::c_int>() as libc::socklen_t);
    let (number, level) = (socket.as_raw_fd(), libc::SOL_SOCKET);
    // SAFETY: an option of an int, by its address and size.
    match unsafe { libc::setsockopt(number, level, libc::SO_REUSEPORT_LB, value, size) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
