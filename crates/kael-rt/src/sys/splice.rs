//! splice(2) on Linux: bytes go from a file or a socket into a pipe, and from there into a socket, as references to pages.
//!
//! These are plain calls, made by the core when they cannot block, and not operations of a ring: IORING_OP_SPLICE always
//! runs on a worker thread of the kernel. What each call may block on, and why it does not:
//!
//! * A **pipe** does not block (`O_NONBLOCK`, and SPLICE_F_NONBLOCK, which is about the pipe only).
//! * A **file** blocks while a page comes from the device, whatever the flags say. [`warm`] asks before whether the pages are
//!   in memory; if not, a thread of the blocking pool makes the same call.
//! * A **socket** that is read from was said to be readable, and nobody else reads: the reading gate is held.
//! * A **socket** that is written to blocks when it has less room than there are bytes, unless `O_NONBLOCK` is on it. Where
//!   sockets block (io_uring) it is put on for this one call: nothing else of this thread can see it, and requests of a
//!   ring look at the flag only when they are issued, which happens inside calls of this thread.

use super::{Backend, posix::again};
use crate::op::Request;
use std::{
    io,
    os::fd::{AsRawFd, IntoRawFd, OwnedFd},
};

/// This system moves bytes so.
pub(crate) const SPLICES: bool = true;

/// A large pipe is asked to hold so much: 256 pages, or 256 pieces of what a socket has received. It is what anybody may ask
/// for (`fs.pipe-max-size`) as long as all pipes of the user together are within `fs.pipe-user-pages-soft`.
const LARGE: u32 = 1024 * 1024;
/// What a pipe holds that the system was not asked about, or that it has refused to change; beyond the user's limit less.
/// splice(2) says how much it took.
const ROOM: u32 = 64 * 1024;

/// So much of a file is looked at at once, in bytes.
const WINDOW: u64 = 1024 * 1024;

/// cachestat(2), Linux 6.5: the same number on every architecture.
const SYS_CACHESTAT: libc::c_long = 451;

/// The two ends of a pipe.
pub(crate) struct RawPipe {
    reader: OwnedFd,
    writer: OwnedFd,
    room: u32,
}

impl RawPipe {
    /// One system call, or two if it is to be large.
    pub(crate) fn new(backend: &mut Backend, is_large: bool) -> io::Result<RawPipe> {
        backend.calls += 1;
        let (reader, writer) = super::flags::pipe()?;
        let mut room = ROOM;
        if is_large {
            backend.calls += 1;
            // SAFETY: plain numbers.
            let made = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, LARGE) };
            room = u32::try_from(made).unwrap_or(ROOM);
        }
        Ok(RawPipe { reader, writer, room })
    }

    /// At most so much goes in at once.
    pub(crate) fn room(&self) -> u32 {
        self.room
    }

    /// The system has made it large.
    pub(crate) fn is_large(&self) -> bool {
        self.room >= LARGE
    }

    /// The numbers of its ends, to be closed by whoever takes them.
    pub(crate) fn into_numbers(self) -> [i32; 2] {
        [self.reader.into_raw_fd(), self.writer.into_raw_fd()]
    }
}

/// Makes the call of a request that is one of these, and counts it; `EAGAIN`: it would have blocked.
pub(super) fn call(request: &Request<'_>, calls: &mut u64) -> Option<i32> {
    match request {
        Request::Fill { file, pipe, at, len, may_wait, warm_to, .. } => {
            if !may_wait && at + u64::from(*len) > warm_to.get() {
                match warm(file.number(), *at, u64::from(*len), calls) {
                    Ok(bytes) => warm_to.set(at + bytes),
                    Err(errno) => return Some(-errno),
                }
            }
            *calls += 1;
            Some(splice(file.number(), Some(*at), pipe.writer.as_raw_fd(), *len, 0))
        }
        Request::Take { fd, pipe } => {
            *calls += 1;
            Some(splice(fd.number(), None, pipe.writer.as_raw_fd(), pipe.room, 0))
        }
        Request::Give { fd, pipe, len, more } => {
            let flags = if *more { libc::SPLICE_F_MORE } else { 0 };
            *calls += 1;
            if Backend::SOCKETS_BLOCK {
                *calls += 2;
                set_blocking(fd.number(), false);
            }
            let n = splice(pipe.reader.as_raw_fd(), None, fd.number(), *len, flags);
            if Backend::SOCKETS_BLOCK {
                set_blocking(fd.number(), true);
            }
            Some(n)
        }
        _ => None,
    }
}

fn splice(from: i32, at: Option<u64>, to: i32, len: u32, flags: u32) -> i32 {
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK | flags;
    again(|| {
        let mut at = at.map(|at| at as i64);
        let offset = at.as_mut().map_or(std::ptr::null_mut(), |at| &raw mut *at);
        // SAFETY: open numbers, which the operation or the pipe holds, and an offset that lives as long as the call.
        unsafe {
            libc::splice(from, offset, to, std::ptr::null_mut(), len as usize, flags) as isize
        }
    })
}

fn set_blocking(number: i32, blocks: bool) {
    let off = libc::c_int::from(!blocks);
    // SAFETY: an int, and an open number.
    unsafe { libc::ioctl(number, libc::FIONBIO, &raw const off) };
}

/// How many bytes of a file from `at` on can be taken without waiting for a device: `len` at least, else it is `EAGAIN`.
/// `ENOSYS`: nobody can say (before Linux 6.5).
///
/// That its pages are in memory says the kernel at once for all of them; that the last one has been read already says a
/// read of one byte that does not wait. A page in the middle that is just being read, when the last one is done, would be
/// waited for; reads are begun and mostly ended in the order of the file.
fn warm(file: i32, at: u64, len: u64, calls: &mut u64) -> Result<u64, i32> {
    *calls += 1;
    if !super::own::may_read_cached(file) {
        return Err(libc::EAGAIN);
    }
    *calls += 1;
    let len_now = regular_len(file).ok_or(libc::ENOSYS)?;
    let rest = len_now.saturating_sub(at);
    if rest == 0 {
        // It is at its end, and that is known without a device.
        return Ok(len);
    }
    for window in [WINDOW.max(len), len] {
        if is_cached(file, at, window.min(rest), calls)? {
            return Ok(window);
        }
    }
    Err(libc::EAGAIN)
}

/// The length of a regular file, as far as the kernel knows it: fstat(2) would ask the program or the server that a file system
/// belongs to (FUSE, NFS), and wait for it.
fn regular_len(file: i32) -> Option<u64> {
    // SAFETY: plain bits.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    let wanted = libc::STATX_TYPE | libc::STATX_SIZE;
    // SAFETY: an empty path, and room for the status.
    let done = unsafe { libc::statx(file, c"".as_ptr(), flags, wanted, &raw mut stat) };
    let is_regular = u32::from(stat.stx_mode) & libc::S_IFMT == libc::S_IFREG;
    (done == 0 && is_regular).then_some(stat.stx_size)
}

fn is_cached(file: i32, at: u64, len: u64, calls: &mut u64) -> Result<bool, i32> {
    // SAFETY: a plain number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    let range = [at, len];
    // Pages that are cached, dirty, under write-back, evicted, evicted of late.
    let mut stat = [0u64; 5];
    *calls += 1;
    // SAFETY: two numbers that are read and room for five, as the call wants them.
    let done = again(|| unsafe {
        let (range, stat) = (range.as_ptr(), stat.as_mut_ptr());
        libc::syscall(SYS_CACHESTAT, file, range, stat, 0) as isize
    });
    if done < 0 {
        return Err(libc::ENOSYS);
    }
    if stat[0] < (at + len).div_ceil(page) - at / page {
        return Ok(false);
    }
    let mut byte = 0u8;
    let last = [libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 }];
    *calls += 1;
    // SAFETY: room for one byte, which is ours.
    Ok(unsafe { super::own::read_cached(file, &last, at + len - 1) } == 1)
}
