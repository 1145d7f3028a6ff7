//! sendfile(2) where there is a kqueue: a file goes to a socket by one call.
//!
//! The systems have a function of this name each, and no two alike (`freebsd.rs`, `apple.rs`). Common to them is what this
//! file does:
//!
//! * **No bytes mean all of the file** to either, so they are never asked for none.
//! * A socket that does not block takes what it has room for: **`EAGAIN` comes with a count**, which is the answer then; so
//!   does `EINTR`. The next call says `EAGAIN` without one, and that is waited for.
//! * The file's pages come from a device where they are not in memory, and a core does not wait for those: the core's call says
//!   `EBUSY` then, and a thread of the pool makes the same call.
//! * Headers and trailers go as messages of their own: what was sent of them would be in the same count.

#[cfg(test)]
mod tests;

use super::{own::MOST, sendfile_form as form};
use crate::op::Request;
use std::io;

/// This system does.
pub(crate) const TRANSMITS: bool = true;
/// What stands before the file goes as a message.
pub(crate) const TRANSMITS_HEAD: bool = false;

/// What one call is asked for at most, in bytes.
const PIECE: u64 = 1024 * 1024;
const _: () = assert!(PIECE <= MOST as u64);

/// A part of a file that is to go to a socket: their numbers, and from where so many bytes.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) file: i32,
    pub(super) socket: i32,
    pub(super) at: i64,
    /// At least one.
    pub(super) len: usize,
    pub(super) may_wait: bool,
}

/// Makes the call of a request that is one of these, and counts it.
pub(super) fn call(request: &Request<'_>, calls: &mut u64) -> Option<i32> {
    let Request::Transmit { fd, file, at, len, may_wait, .. } = request else { return None };
    let (file, socket) = (file.number(), fd.number());
    let Ok(at) = i64::try_from(*at) else { return Some(-libc::EINVAL) };
    Some(send(file, socket, at, *len, *may_wait, |part| {
        *calls += 1;
        form::send(part)
    }))
}

/// What the call says; an interruption before anything was sent is no answer.
fn send(
    file: i32,
    socket: i32,
    at: i64,
    len: u64,
    may_wait: bool,
    mut form: impl FnMut(Part) -> i32,
) -> i32 {
    let len = len.min(PIECE) as usize;
    if len == 0 {
        return 0;
    }
    loop {
        match form(Part { file, socket, at, len, may_wait }) {
            code if code == -libc::EINTR => {}
            code => return code,
        }
    }
}

/// The answer of a call that has said 0 or -1, and how many bytes the socket has got.
pub(super) fn answer(done: i32, sent: i64) -> i32 {
    if done == 0 || sent > 0 {
        // No call is asked for more than an i32 counts.
        return sent as i32;
    }
    -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}
