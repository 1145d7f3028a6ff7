//! Apple's sendfile(2): what is asked for and what was sent are one number, which the call changes.
//!
//! It waits for a device, whatever the flags, and no call says of a file whether it would: each is made by a thread of the pool.
//! The manual names the count with success, `EAGAIN` and `EINTR`. With another error it is there as well, if the call came so far
//! (XNU's bsd/kern/uipc_syscalls.c), or the number is still what was asked for.

use super::{
    apple_sendfile,
    sendfile::{Part, answer},
};
use std::ptr;

pub(super) fn send(part: Part) -> i32 {
    if !part.may_wait {
        return -libc::EBUSY;
    }
    let asked = part.len as i64;
    let mut count = asked;
    // SAFETY: open numbers, which the operation holds, no headers, and room for the count.
    let done = unsafe {
        let Part { file, socket, at, .. } = part;
        apple_sendfile(file, socket, at, &raw mut count, ptr::null_mut(), 0)
    };
    // All that was asked for is no error.
    let was_written = done == 0 || count < asked;
    match answer(done, if was_written { count } else { 0 }) {
        // A file that is no regular one. It is another number there than the socket's that does not support something.
        code if code == -libc::ENOTSUP => -libc::EOPNOTSUPP,
        code => code,
    }
}
