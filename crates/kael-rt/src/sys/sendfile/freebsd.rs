//! FreeBSD's sendfile(2): the count is an answer of its own.
//!
//! SF_NODISKIO: what is not in memory is `EBUSY`, with the count of what came before it. Without it, newer systems bring the
//! pages by themselves and the call is over at once; older ones wait. The count stands beside whatever error there is.

use super::{
    NODISKIO, freebsd_sendfile,
    sendfile::{Part, answer},
};
use std::ptr;

pub(super) fn send(part: Part) -> i32 {
    let flags = if part.may_wait { 0 } else { NODISKIO };
    let mut sent = 0;
    // SAFETY: open numbers, which the operation holds, no headers, and room for the count.
    let done = unsafe {
        let Part { file, socket, at, len, .. } = part;
        freebsd_sendfile(file, socket, at, len, ptr::null_mut(), &raw mut sent, flags)
    };
    answer(done, sent)
}
