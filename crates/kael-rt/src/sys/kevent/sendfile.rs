//! sendfile(2) of the systems that have one, with their own arguments, by Linux' own.
//!
//! It is hostile as the rest: from the thread's seed it sends a part and says `EAGAIN` or `EINTR`, or says so without having sent
//! anything, and FreeBSD's finds that pages are not in memory. Where Apple's has sent nothing, for a reason with which its manual
//! names no count, it leaves what was asked for where the count would be.

use super::{
    chance::next,
    errno,
    settings::{Profile, sendfile_seed},
};
use libc::{c_int, c_void, off_t, size_t};
use std::cell::Cell;

pub(crate) const SF_NODISKIO: c_int = 1;

thread_local! {
    /// The random stream of this thread, once there is one.
    static STREAM: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

/// What happens to a call: it ends with this error when it has sent so many of 256 parts.
fn plan(profile: Profile, flags: c_int) -> Option<(c_int, u64)> {
    let seed = sendfile_seed()?;
    let (of, state) = STREAM.get().unwrap_or((!seed, 0));
    let mut state = if of == seed { state } else { seed ^ 0x5e4d_f11e };
    let rate = if seed == 0 { 16 } else { 2 + seed % 7 };
    let (happens, which, parts) = (next(&mut state), next(&mut state), next(&mut state));
    STREAM.set(Some((seed, state)));
    let error = match which % 3 {
        0 => libc::EAGAIN,
        1 => libc::EINTR,
        _ if profile == Profile::FreeBsd && flags & SF_NODISKIO != 0 => libc::EBUSY,
        _ => libc::EAGAIN,
    };
    // As often nothing at all.
    let parts = if parts & 0x100 == 0 { 0 } else { parts & 0xff };
    happens.is_multiple_of(rate).then_some((error, parts))
}

/// Sends `len` bytes, or up to the end if that is 0. What was sent, and the error that ended it.
fn send(
    [file, socket]: [c_int; 2],
    offset: off_t,
    len: size_t,
    plan: Option<(c_int, u64)>,
) -> (off_t, Result<(), c_int>) {
    if offset < 0 {
        return (0, Err(libc::EINVAL));
    }
    // SAFETY: plain bits.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: room for the status.
    if unsafe { libc::fstat(file, &raw mut status) } != 0 {
        return (0, Err(errno()));
    }
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return (0, Err(libc::EINVAL));
    }
    let rest = status.st_size.saturating_sub(offset).max(0) as u64;
    let len = if len == 0 { rest } else { rest.min(len as u64) };
    let (allowed, ending) = match plan {
        Some((error, parts)) if len > 0 => (len * parts / 256, Err(error)),
        _ => (len, Ok(())),
    };
    let (mut at, end) = (offset, offset + allowed as off_t);
    while at < end {
        // SAFETY: room for the offset; it checks the rest.
        match unsafe { libc::sendfile(socket, file, &raw mut at, (end - at) as size_t) } {
            0 => return (at - offset, Ok(())),
            1.. => {}
            _ => return (at - offset, Err(errno())),
        }
    }
    (at - offset, ending)
}

fn said(result: Result<(), c_int>) -> c_int {
    super::answer(result.map(|()| 0))
}

/// # Safety
///
/// `sbytes` is null or has room for a count. Headers are not emulated: `hdtr` is null.
pub(crate) unsafe extern "C" fn freebsd_sendfile(
    fd: c_int,
    s: c_int,
    offset: off_t,
    nbytes: size_t,
    hdtr: *mut c_void,
    sbytes: *mut off_t,
    flags: c_int,
) -> c_int {
    assert!(hdtr.is_null(), "headers are not emulated");
    let (sent, result) = send([fd, s], offset, nbytes, plan(Profile::FreeBsd, flags));
    if !sbytes.is_null() {
        // SAFETY: our contract.
        unsafe { sbytes.write(sent) };
    }
    said(result)
}

/// # Safety
///
/// `len` has the count, and room for another. Headers are not emulated: `hdtr` is null.
pub(crate) unsafe extern "C" fn apple_sendfile(
    fd: c_int,
    s: c_int,
    offset: off_t,
    len: *mut off_t,
    hdtr: *mut c_void,
    flags: c_int,
) -> c_int {
    assert!(hdtr.is_null(), "headers are not emulated");
    if flags != 0 {
        return said(Err(libc::EINVAL));
    }
    // SAFETY: our contract.
    let asked = unsafe { len.read() };
    let Ok(asked) = size_t::try_from(asked) else { return said(Err(libc::EINVAL)) };
    let (sent, result) = send([fd, s], offset, asked, plan(Profile::Darwin, flags));
    let result = match result {
        // So its manual calls a file that is none.
        Err(libc::EINVAL) if offset >= 0 => Err(libc::ENOTSUP),
        result => result,
    };
    // A call that was refused has changed nothing.
    if sent > 0 || matches!(result, Ok(()) | Err(libc::EAGAIN | libc::EINTR)) {
        // SAFETY: our contract.
        unsafe { len.write(sent) };
    }
    said(result)
}
