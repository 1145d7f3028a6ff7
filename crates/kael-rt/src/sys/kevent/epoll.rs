//! epoll(7) in the few calls that a queue needs, and the descriptor with which threads that wait
//! in a queue are woken.

use libc::{c_int, epoll_event};
use std::{
    os::fd::{FromRawFd, OwnedFd},
    ptr,
};

/// The tag of the epoll of the writes.
pub(super) const WRITES: u64 = u64::MAX;
/// The tag of the bell.
pub(super) const BELL: u64 = u64::MAX - 1;

pub(super) fn create() -> Result<OwnedFd, c_int> {
    // SAFETY: makes a descriptor, which is ours.
    let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if fd < 0 {
        return Err(super::errno());
    }
    // SAFETY: just made.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(super) fn add(epoll: c_int, fd: c_int, events: c_int, tag: u64) -> Result<(), c_int> {
    control(epoll, libc::EPOLL_CTL_ADD, fd, events, tag)
}

/// Also looks at the descriptor again.
pub(super) fn change(epoll: c_int, fd: c_int, events: c_int, tag: u64) -> Result<(), c_int> {
    control(epoll, libc::EPOLL_CTL_MOD, fd, events, tag)
}

/// What is not there any more is as good as removed.
pub(super) fn remove(epoll: c_int, fd: c_int) {
    let _ = control(epoll, libc::EPOLL_CTL_DEL, fd, 0, 0);
}

/// Whether the file that has this number now is registered under it. To add it is the only question
/// that leaves a registration as it is.
pub(super) fn has(epoll: c_int, fd: c_int) -> bool {
    match add(epoll, fd, 0, BELL) {
        Ok(()) => {
            remove(epoll, fd);
            false
        }
        Err(error) => error == libc::EEXIST,
    }
}

/// What has come, without waiting. The number of events is at most that of `events`.
pub(super) fn take(epoll: c_int, events: &mut [epoll_event]) -> Result<usize, c_int> {
    // SAFETY: the kernel writes at most as many as we say there is room for.
    let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), events.len() as c_int, 0) };
    usize::try_from(count).map_err(|_| super::errno())
}

/// A queue's bell: always readable, so that to ask for it is to be told. The queue has it and does not ask.
pub(super) fn hang_bell(epoll: c_int) -> Result<OwnedFd, c_int> {
    // SAFETY: makes a descriptor.
    let fd = unsafe { libc::eventfd(1, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(super::errno());
    }
    // SAFETY: just made, and nobody else's.
    let bell = unsafe { OwnedFd::from_raw_fd(fd) };
    add(epoll, fd, 0, BELL)?;
    Ok(bell)
}

/// Wakes whoever waits in this epoll. Once it is told it is silent again.
pub(super) fn ring(epoll: c_int, bell: c_int) {
    let _ = change(epoll, bell, libc::EPOLLIN | libc::EPOLLONESHOT, BELL);
}

fn control(epoll: c_int, what: c_int, fd: c_int, events: c_int, tag: u64) -> Result<(), c_int> {
    let mut event = epoll_event { events: events as u32, u64: tag };
    // SAFETY: the kernel reads the event during the call only.
    let result = unsafe { libc::epoll_ctl(epoll, what, fd, ptr::from_mut(&mut event)) };
    if result == 0 { Ok(()) } else { Err(super::errno()) }
}
