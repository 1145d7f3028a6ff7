//! What is Linux's own: its flags, its forms of the calls that others have too, and its advice.

pub(super) use super::flags::{
    RECVMSG_FLAGS, SEND_FLAGS, accept, past_close, pipe, reuse_port, socket, sync,
};
use super::{
    flags,
    posix::{again, answer},
    statx::StatBuf,
};
use std::{
    ffi::CStr,
    io,
    os::fd::AsRawFd,
    ptr::NonNull,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
};

/// One call moves at most this many bytes: `MAX_RW_COUNT`, 2 GiB less a page.
pub(crate) const MOST: usize = 0x7fff_f000;

/// Direct I/O, for open(2).
pub(crate) const O_DIRECT: i32 = libc::O_DIRECT;

/// Of a send that more follows at once.
pub(super) const MSG_MORE: i32 = libc::MSG_MORE;

#[inline(always)]
pub(super) fn most(len: usize) -> usize {
    len.min(MOST)
}

/// pread(2).
///
/// # Safety
/// As the call wants it: memory of that length, which nobody else uses.
pub(super) unsafe fn pread(number: i32, room: *mut libc::c_void, len: usize, at: u64) -> isize {
    // SAFETY: the caller's word.
    unsafe { libc::pread64(number, room, len, at as i64) }
}

/// pwrite(2).
///
/// # Safety
/// As the call wants it: memory of that length, which nobody else uses.
pub(super) unsafe fn pwrite(number: i32, bytes: *const libc::c_void, len: usize, at: u64) -> isize {
    // SAFETY: the caller's word.
    unsafe { libc::pwrite64(number, bytes, len, at as i64) }
}

/// preadv(2).
///
/// # Safety
/// As the call wants it: memory of that length, which nobody else uses.
pub(super) unsafe fn preadv(number: i32, into: *const libc::iovec, n: i32, at: u64) -> isize {
    // SAFETY: the caller's word.
    unsafe { libc::preadv64(number, into, n, at as i64) }
}

/// pwritev(2).
///
/// # Safety
/// As the call wants it: memory of that length, which nobody else uses.
pub(super) unsafe fn pwritev(number: i32, from: *const libc::iovec, n: i32, at: u64) -> isize {
    // SAFETY: the caller's word.
    unsafe { libc::pwritev64(number, from, n, at as i64) }
}

/// Whether a file's bytes may be in memory: it was not opened for direct I/O, which waits for the device although it was
/// asked not to wait. 1 system call.
#[allow(dead_code, reason = "a ring reads without a thread in any case")]
pub(super) fn may_read_cached(number: i32) -> bool {
    // SAFETY: plain numbers.
    unsafe { libc::fcntl(number, libc::F_GETFL) & libc::O_DIRECT == 0 }
}

/// Reads what is in memory: `EAGAIN` where a read would wait for a device, `EOPNOTSUPP` where nobody can say.
///
/// # Safety
/// The vectors name memory that nobody else uses.
#[allow(dead_code, reason = "a ring reads without a thread in any case")]
pub(super) unsafe fn read_cached(number: i32, into: &[libc::iovec], at: u64) -> i32 {
    let (vectors, n) = (into.as_ptr(), into.len() as i32);
    // SAFETY: the caller's word.
    again(|| unsafe { libc::preadv64v2(number, vectors, n, at as i64, libc::RWF_NOWAIT) })
}

/// The flag of a write that raises no SIGPIPE: RWF_NOSIGNAL, of Linux 6.18. 0: the kernel does not have it. That is asked once
/// a process, by a write to a pipe that nobody reads.
pub(super) fn no_signal() -> i32 {
    const RWF_NOSIGNAL: i32 = 0x100;
    const UNKNOWN: i32 = -1;
    static KNOWN: AtomicI32 = AtomicI32::new(UNKNOWN);
    let known = KNOWN.load(Relaxed);
    if known != UNKNOWN {
        return known;
    }
    let Ok((read, write)) = pipe() else { return 0 };
    drop(read);
    let mut byte = 0u8;
    let one = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: one vector, of one byte of ours. A kernel without the flag writes nothing.
    let n = unsafe { libc::pwritev64v2(write.as_raw_fd(), &one, 1, -1, RWF_NOSIGNAL) };
    let flag = if answer(n) == -libc::EPIPE { RWF_NOSIGNAL } else { 0 };
    KNOWN.store(flag, Relaxed);
    flag
}

/// A pipe that is to be written: whether that raises signals is known when it is.
pub(super) fn silence(_: i32) {
    no_signal();
}

/// Writes what a pipe has room for, without a signal where the system can.
///
/// # Safety
/// So many vectors, of memory that nobody writes to.
pub(super) unsafe fn write_pipe(number: i32, from: *const libc::iovec, n: i32) -> isize {
    match no_signal() {
        // SAFETY: the caller's word.
        0 => unsafe { libc::writev(number, from, n) },
        // SAFETY: likewise.
        flag => unsafe { libc::pwritev64v2(number, from, n, -1, flag) },
    }
}

pub(super) fn ftruncate(number: i32, len: u64) -> i32 {
    // SAFETY: plain numbers.
    unsafe { libc::ftruncate64(number, len as i64) }
}

pub(super) fn open(path: &CStr, flags: i32, mode: u32) -> i32 {
    flags::open(path, flags | libc::O_LARGEFILE, mode)
}

pub(super) fn allocate(number: i32, offset: u64, len: u64) -> i32 {
    // SAFETY: plain numbers.
    again(|| unsafe { libc::fallocate64(number, 0, offset as i64, len as i64) } as isize)
}

/// Everything that metadata shows, and the alignment that direct I/O wants.
pub(super) const STAT_MASK: u32 =
    libc::STATX_BASIC_STATS | libc::STATX_BTIME | libc::STATX_DIOALIGN;

pub(super) fn stat(number: i32, out: &mut StatBuf) -> i32 {
    // SAFETY: an empty C string, and room for a statx.
    answer(unsafe {
        libc::statx(number, c"".as_ptr(), libc::AT_EMPTY_PATH, STAT_MASK, &raw mut out.0)
    } as isize)
}

/// What direct I/O on an open file wants, by what the system knows of it without asking a server. 1 system call.
pub(super) fn direct_alignment(number: i32, calls: &mut u64) -> Option<(u32, u32)> {
    let (mut out, flags) = (StatBuf::zeroed(), libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC);
    *calls += 1;
    // SAFETY: an empty C string, and room for a statx.
    let failed =
        unsafe { libc::statx(number, c"".as_ptr(), flags, libc::STATX_DIOALIGN, &raw mut out.0) };
    if failed != 0 { None } else { out.direct_alignment() }
}

pub(super) fn stat_path(path: &CStr, follow: bool, out: &mut StatBuf) -> i32 {
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    // SAFETY: a C string, and room for a statx.
    again(|| unsafe {
        libc::statx(libc::AT_FDCWD, path.as_ptr(), flags, STAT_MASK, &raw mut out.0) as isize
    })
}

/// Asks for huge pages behind memory that is ours. The system may do without.
pub(crate) fn advise_huge_pages(at: NonNull<u8>, len: usize) {
    // SAFETY: advice changes no contents.
    let _ = unsafe { libc::madvise(at.as_ptr().cast(), len, libc::MADV_HUGEPAGE) };
}

/// The calling thread is bound to one processor as long as this lives.
pub(crate) struct Pinned {
    before: libc::cpu_set_t,
}

/// Binds the calling thread to one processor.
pub(crate) fn pin_to_cpu(cpu: usize) -> io::Result<Pinned> {
    if cpu >= 8 * size_of::<libc::cpu_set_t>() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a set of processors is plain bits; zeros are the empty set.
    let (mut before, mut only): (libc::cpu_set_t, libc::cpu_set_t) = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours and of the size given; 0 is the calling thread.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&before), &mut before) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: in bounds, checked above.
    unsafe { libc::CPU_SET(cpu, &mut only) };
    // SAFETY: as above.
    if unsafe { libc::sched_setaffinity(0, size_of_val(&only), &only) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Pinned { before })
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: as above. If a processor of the old set is gone, the thread stays where it is.
        unsafe { libc::sched_setaffinity(0, size_of_val(&self.before), &self.before) };
    }
}
