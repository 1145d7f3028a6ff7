//! The budgets of each interface. All are there on every platform, for who plans a program for another one; which of them
//! are this build's own is chosen in `sys/mod.rs`.
#![forbid(unsafe_code)]

pub(crate) mod epoll;
pub(crate) mod kqueue;
pub(crate) mod pipes;
pub(crate) mod rio;
pub(crate) mod uring;
pub(crate) mod windows;
