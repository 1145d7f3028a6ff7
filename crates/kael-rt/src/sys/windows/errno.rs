//! The system's error codes that decide something above the backends, by the names that they have on Unix.

use windows_sys::Win32::{
    Foundation::{
        ERROR_ACCESS_DENIED, ERROR_BUSY, ERROR_CALL_NOT_IMPLEMENTED, ERROR_CANCELLED,
        ERROR_INVALID_PARAMETER, ERROR_IO_DEVICE, ERROR_NOT_ENOUGH_MEMORY, ERROR_PIPE_BUSY,
        ERROR_PRIVILEGE_NOT_HELD, ERROR_TOO_MANY_OPEN_FILES,
    },
    Networking::WinSock::{
        WSAECONNABORTED, WSAEINTR, WSAEMFILE, WSAENOBUFS, WSAEOPNOTSUPP, WSAEWOULDBLOCK,
    },
};

pub(crate) const EACCES: i32 = ERROR_ACCESS_DENIED as i32;
pub(crate) const EAGAIN: i32 = WSAEWOULDBLOCK;
pub(crate) const EBUSY: i32 = ERROR_BUSY as i32;
/// (The system says ERROR_OPERATION_ABORTED, which the standard library takes for a time limit.)
pub(crate) const ECANCELED: i32 = ERROR_CANCELLED as i32;
pub(crate) const ECONNABORTED: i32 = WSAECONNABORTED;
pub(crate) const EINVAL: i32 = ERROR_INVALID_PARAMETER as i32;
pub(crate) const EINTR: i32 = WSAEINTR;
pub(crate) const EIO: i32 = ERROR_IO_DEVICE as i32;
pub(crate) const EMFILE: i32 = WSAEMFILE;
pub(crate) const ENFILE: i32 = ERROR_TOO_MANY_OPEN_FILES as i32;
pub(crate) const ENOBUFS: i32 = WSAENOBUFS;
pub(crate) const ENOMEM: i32 = ERROR_NOT_ENOUGH_MEMORY as i32;
pub(crate) const ENOSYS: i32 = ERROR_CALL_NOT_IMPLEMENTED as i32;
pub(crate) const EOPNOTSUPP: i32 = WSAEOPNOTSUPP;
/// (Named pipes have no such thing on Unix.)
pub(crate) const PIPE_BUSY: i32 = ERROR_PIPE_BUSY as i32;
pub(crate) const EPERM: i32 = ERROR_PRIVILEGE_NOT_HELD as i32;
