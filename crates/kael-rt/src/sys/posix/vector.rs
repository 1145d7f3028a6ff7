//! One of several buffers, as POSIX names it.

pub(crate) type Vector = libc::iovec;

pub(super) const fn vector(at: *mut u8, len: usize) -> Vector {
    libc::iovec { iov_base: at.cast(), iov_len: len }
}
