//! What is received from a pipe and sent into one: the calls of files, since a pipe has none of a socket's.

use super::{super::own, again};
use crate::sys::scratch::{Message, MessageMut};
use std::mem::MaybeUninit;

/// Reads what is there.
pub(super) fn read(number: i32, into: &mut [MaybeUninit<u8>]) -> i32 {
    let (room, len) = (into.as_mut_ptr().cast(), own::most(into.len()));
    // SAFETY: the room is borrowed; the number is open, see `call`.
    again(|| unsafe { libc::read(number, room, len) })
}

pub(super) fn read_vectored(number: i32, message: &mut MessageMut<'_>) -> i32 {
    let (vectors, count) = (message.header.msg_iov, message.header.msg_iovlen as i32);
    // SAFETY: the scratch made the header, with so many vectors of rooms that are borrowed; the number as above.
    again(|| unsafe { libc::readv(number, vectors, count) })
}

/// Writes what there is room for.
pub(super) fn write(number: i32, from: &[u8]) -> i32 {
    let one =
        libc::iovec { iov_base: from.as_ptr().cast_mut().cast(), iov_len: own::most(from.len()) };
    // SAFETY: one vector, of bytes that are borrowed; the number is open, see `call`.
    again(|| unsafe { own::write_pipe(number, &one, 1) })
}

pub(super) fn write_vectored(number: i32, message: &Message<'_>) -> i32 {
    let (vectors, count) = (message.header.msg_iov, message.header.msg_iovlen as i32);
    // SAFETY: as in `read_vectored`, of bytes that are borrowed.
    again(|| unsafe { own::write_pipe(number, vectors, count) })
}
