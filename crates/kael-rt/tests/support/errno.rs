//! The system's error codes, by the names that they have on Unix.
#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]

#[cfg(unix)]
pub(crate) use libc::{
    EADDRINUSE, ECANCELED, ECONNREFUSED, ECONNRESET, EINVAL, EMSGSIZE, ENOENT, EPIPE,
};

/// What sockets say has numbers of its own there.
#[cfg(windows)]
mod windows {
    use windows_sys::Win32::{Foundation::*, Networking::WinSock::*};

    pub(crate) const EADDRINUSE: i32 = WSAEADDRINUSE;
    pub(crate) const ECANCELED: i32 = ERROR_CANCELLED as i32;
    pub(crate) const ECONNREFUSED: i32 = WSAECONNREFUSED;
    pub(crate) const ECONNRESET: i32 = WSAECONNRESET;
    pub(crate) const EINVAL: i32 = ERROR_INVALID_PARAMETER as i32;
    pub(crate) const EMSGSIZE: i32 = WSAEMSGSIZE;
    /// (What a Unix calls a broken pipe.)
    pub(crate) const EPIPE: i32 = WSAECONNABORTED;
    pub(crate) const ENOENT: i32 = ERROR_FILE_NOT_FOUND as i32;
}
#[cfg(windows)]
pub(crate) use windows::*;
