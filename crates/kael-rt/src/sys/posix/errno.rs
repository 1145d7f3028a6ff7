//! The system's error codes that decide something above the backends.

pub(crate) use libc::{
    EACCES, EAGAIN, EBUSY, ECANCELED, ECONNABORTED, EINTR, EINVAL, EIO, EMFILE, ENFILE, ENOBUFS,
    ENOMEM, ENOSYS, EOPNOTSUPP, EPERM,
};
