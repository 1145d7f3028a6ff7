//! Apple's sendfile(2): what is asked for and what was sent are one number, which the call changes.
//!
//! It waits for a device, whatever the flags, and no call says of a file whether it would: each is made by a thread of the pool.
//! The manual says of the count that it is there with success, `EAGAIN` and `EINTR`; with another error the number may be what
//! was asked for.

use super::{
    apple_sendfile,
    sendfile::{Part, answer},
};
use std::{io, ptr};

pub(super) fn send(part: Part) -> i32 {
    if !part.may_wait {
        return -libc::EBUSY;
    }
    let mut count = part.len as i64;
    // SAFETY: open numbers, which the operation holds, no headers, and room for the count.
    let done = unsafe {
        let Part { file, socket, at, .. } = part;
        apple_sendfile(file, socket, at, &raw mut count, ptr::null_mut(), 0)
    };
    let is_counted = done == 0
        || matches!(io::Error::last_os_error().raw_os_error(), Some(libc::EAGAIN | libc::EINTR));
    match answer(done, if is_counted { count } else { 0 }) {
        // A file that is no regular one. It is another number there than the socket's that does not support something.
        code if code == -libc::ENOTSUP => -libc::EOPNOTSUPP,
        code => code,
    }
}
