//! The calls that only who waits for readiness makes.

use crate::sys::{
    own,
    posix::{again, answer},
    scratch::PeerAddr,
};
use std::ptr::NonNull;

/// Receives what is there.
///
/// # Safety
/// Room for `len` bytes, which nobody else uses.
pub(super) unsafe fn receive(number: i32, room: NonNull<u8>, len: usize) -> i32 {
    // SAFETY: the caller's word.
    again(|| unsafe { libc::recv(number, room.as_ptr().cast(), own::most(len), 0) })
}

/// Whether there is something to be received, for which there is no buffer: `ENOBUFS`; 0 for the end, or an error.
pub(super) fn look(number: i32) -> i32 {
    let mut byte = 0u8;
    // SAFETY: room for one byte.
    match again(|| unsafe { libc::recv(number, (&raw mut byte).cast(), 1, libc::MSG_PEEK) }) {
        1.. => -libc::ENOBUFS,
        code => code,
    }
}

/// A descriptor blocks from here on.
pub(super) fn make_blocking(number: i32) {
    let off: libc::c_int = 0;
    // SAFETY: an int, and the caller owns the number.
    unsafe { libc::ioctl(number, libc::FIONBIO, &raw const off) };
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
