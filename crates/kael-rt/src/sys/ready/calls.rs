//! The calls that only who waits for readiness makes.

use crate::{
    driver::Descriptor,
    sys::{
        own,
        posix::{again, answer},
        scratch::PeerAddr,
    },
};
use std::ptr::NonNull;

/// Receives what is there.
///
/// # Safety
/// Room for `len` bytes, which nobody else uses.
#[inline(always)]
pub(super) unsafe fn receive(fd: &Descriptor, room: NonNull<u8>, len: usize) -> i32 {
    let (number, room, len) = (fd.number(), room.as_ptr().cast(), own::most(len));
    if fd.is_pipe() {
        // SAFETY: the caller's word.
        return again(|| unsafe { libc::read(number, room, len) });
    }
    // SAFETY: the caller's word.
    again(|| unsafe { libc::recv(number, room, len, 0) })
}

/// Whether there is something to be received, for which there is no buffer: `ENOBUFS`; 0 for the end, or an error.
pub(super) fn look(fd: &Descriptor) -> i32 {
    let number = fd.number();
    if fd.is_pipe() {
        return look_at_pipe(number);
    }
    let mut byte = 0u8;
    // SAFETY: room for one byte.
    match again(|| unsafe { libc::recv(number, (&raw mut byte).cast(), 1, libc::MSG_PEEK) }) {
        1.. => -libc::ENOBUFS,
        code => code,
    }
}

/// Whether there is something to be read, for which there is no buffer: `ENOBUFS`; 0 for the end. Nothing is taken.
fn look_at_pipe(number: i32) -> i32 {
    let mut entry = libc::pollfd { fd: number, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, ours, and the call does not wait.
    match again(|| unsafe { libc::poll(&raw mut entry, 1, 0) } as isize) {
        0 => -libc::EAGAIN,
        1 if entry.revents & libc::POLLIN != 0 => -libc::ENOBUFS,
        1 => 0,
        code => code,
    }
}

/// What became of a connection that was begun: it is there, or the reason why not, or `EAGAIN`.
pub(super) fn connected(number: i32) -> i32 {
    let (mut code, mut len) = (0i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: an option of an int, by its address and size.
    let asked = unsafe {
        let value = (&raw mut code).cast();
        libc::getsockopt(number, libc::SOL_SOCKET, libc::SO_ERROR, value, &raw mut len)
    };
    match answer(asked as isize) {
        0 if code != 0 => return -code,
        0 => {}
        error => return error,
    }
    let mut peer = PeerAddr::room();
    let room = peer.storage.as_mut_ptr().cast();
    // SAFETY: room for any address, and its size.
    match answer(unsafe { libc::getpeername(number, room, &raw mut peer.len) } as isize) {
        code if code == -libc::ENOTCONN => -libc::EAGAIN,
        // It was connected, and its peer is gone already.
        code if code == -libc::EINVAL => 0,
        code => code,
    }
}
