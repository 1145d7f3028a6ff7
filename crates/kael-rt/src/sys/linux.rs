//! What is Linux's own: its flags, its forms of the calls that others have too, and its advice.

use super::{
    Backend,
    posix::{again, answer},
    scratch::PeerAddr,
    statx::StatBuf,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    ffi::CStr,
    io,
    os::fd::{FromRawFd, OwnedFd},
    ptr::NonNull,
};

/// One call moves at most this many bytes: `MAX_RW_COUNT`, 2 GiB less a page.
pub(crate) const MOST: usize = 0x7fff_f000;

/// Direct I/O, for open(2).
pub(crate) const O_DIRECT: i32 = libc::O_DIRECT;

/// Of every send: a peer that is gone is an error, and no signal.
pub(super) const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
/// Of every recvmsg: descriptors that come along do not survive an exec.
pub(super) const RECVMSG_FLAGS: i32 = libc::MSG_CMSG_CLOEXEC;

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

pub(super) fn ftruncate(number: i32, len: u64) -> i32 {
    // SAFETY: plain numbers.
    unsafe { libc::ftruncate64(number, len as i64) }
}

/// A socket that blocks if the backend waits in the kernel.
pub(super) fn socket(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let kind = if Backend::SOCKETS_BLOCK { kind } else { kind.nonblocking() };
    Socket::new(domain, kind, Some(protocol))
}

/// Takes a connection, as a socket that does not block.
pub(super) fn accept(number: i32, peer: &mut PeerAddr) -> isize {
    let (room, len) = (peer.storage.as_mut_ptr().cast(), &raw mut peer.len);
    // SAFETY: room for any address, and its size; the operation holds the descriptor.
    unsafe { libc::accept4(number, room, len, libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) as isize }
}

/// An option may be set as long as there is a socket. (Elsewhere it is an error when the peer has closed.)
pub(super) fn past_close(result: io::Result<()>) -> io::Result<()> {
    result
}

/// A pipe whose ends do not block: to be read from, to be written to.
#[allow(dead_code, reason = "kqueue may need one, and runs here as an emulation")]
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: room for two numbers.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

pub(super) fn open(path: &CStr, flags: i32, mode: u32) -> i32 {
    // SAFETY: a C string ends with a zero.
    again(|| unsafe { libc::open64(path.as_ptr(), flags | libc::O_CLOEXEC, mode) as isize })
}

pub(super) fn sync(number: i32, data_only: bool) -> i32 {
    // SAFETY: plain numbers.
    again(|| unsafe { if data_only { libc::fdatasync(number) } else { libc::fsync(number) } }
        as isize)
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
