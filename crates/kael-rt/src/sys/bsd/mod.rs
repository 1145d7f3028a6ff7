//! What the systems with a kqueue have in common, macOS among them: their forms of the calls that others have too.
//!
//! Where they differ from each other is in the file of each, beside this one. None of it was ever run: it is checked by the
//! compiler, for each of them.

use super::{
    differs,
    posix::{again, answer},
    stat::StatBuf,
};
pub(crate) use differs::{O_DIRECT, pin_to_cpu};
pub(super) use differs::{
    RECVMSG_FLAGS, SEND_FLAGS, accept, allocate, open, past_close, pipe, reuse_port, silence,
    socket, sync,
};
use std::{ffi::CStr, ptr::NonNull};

/// One call moves at most this many bytes. Some systems refuse more than 2 GiB less a byte, and the sum over all buffers counts.
pub(crate) const MOST: usize = 1 << 30;

/// Of a send that more follows at once: there is no such flag.
pub(super) const MSG_MORE: i32 = 0;

#[inline(always)]
pub(super) fn most(len: usize) -> usize {
    len.min(MOST)
}

/// # Safety
/// What is pointed at is of the length given, and nobody else's during the call.
pub(super) unsafe fn pread(number: i32, room: *mut libc::c_void, len: usize, at: u64) -> isize {
    // SAFETY: the caller's word.
    unsafe { libc::pread(number, room, len, at as libc::off_t) }
}

/// # Safety
/// What is pointed at is of the length given, and nobody else's during the call.
pub(super) unsafe fn pwrite(number: i32, bytes: *const libc::c_void, len: usize, at: u64) -> isize {
    // SAFETY: the caller's word.
    unsafe { libc::pwrite(number, bytes, len, at as libc::off_t) }
}

/// macOS has it since 11.
///
/// # Safety
/// What is pointed at is of the length given, and nobody else's during the call.
pub(super) unsafe fn preadv(number: i32, into: *const libc::iovec, n: i32, at: u64) -> isize {
    // SAFETY: the caller's word.
    unsafe { libc::preadv(number, into, n, at as libc::off_t) }
}

/// macOS has it since 11.
///
/// # Safety
/// What is pointed at is of the length given, and nobody else's during the call.
pub(super) unsafe fn pwritev(number: i32, from: *const libc::iovec, n: i32, at: u64) -> isize {
    // SAFETY: the caller's word.
    unsafe { libc::pwritev(number, from, n, at as libc::off_t) }
}

/// No system here says whether a read would wait for a device, so all of them go to the pool.
pub(super) fn may_read_cached(_: i32) -> bool {
    false
}

/// # Safety
/// None is needed: it is unsafe as it is elsewhere.
pub(super) unsafe fn read_cached(_: i32, _: &[libc::iovec], _: u64) -> i32 {
    -libc::EAGAIN
}

/// Writes what a pipe has room for.
///
/// # Safety
/// So many vectors, of memory that nobody writes to.
pub(super) unsafe fn write_pipe(number: i32, from: *const libc::iovec, n: i32) -> isize {
    // SAFETY: the caller's word.
    unsafe { libc::writev(number, from, n) }
}

pub(super) fn ftruncate(number: i32, len: u64) -> i32 {
    // SAFETY: plain numbers.
    unsafe { libc::ftruncate(number, len as libc::off_t) }
}

pub(super) fn stat(number: i32, out: &mut StatBuf) -> i32 {
    // SAFETY: room for a stat.
    answer(unsafe { libc::fstat(number, &raw mut out.0) } as isize)
}

/// Direct I/O is advice: what is not aligned goes through the cache.
pub(super) fn direct_alignment(_: i32, _: &mut u64) -> Option<(u32, u32)> {
    None
}

pub(super) fn stat_path(path: &CStr, follow: bool, out: &mut StatBuf) -> i32 {
    let ask = if follow { libc::stat } else { libc::lstat };
    // SAFETY: a C string, and room for a stat.
    again(|| unsafe { ask(path.as_ptr(), &raw mut out.0) as isize })
}

/// Where the system uses huge pages, it does so by itself.
pub(crate) fn advise_huge_pages(_: NonNull<u8>, _: usize) {}
