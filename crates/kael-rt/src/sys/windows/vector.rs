//! One of several buffers, as Windows names it.

pub(crate) type Vector = windows_sys::Win32::Networking::WinSock::WSABUF;

/// (One call moves fewer bytes than a `u32` counts.)
pub(super) const fn vector(at: *mut u8, len: usize) -> Vector {
    Vector { len: len as u32, buf: at }
}
