//! Waking a sleeping core on Linux: an eventfd that its backend watches.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::*},
    },
};

/// Wakes a core that sleeps in its turn. Outlives the core: then it wakes nobody.
#[derive(Clone)]
pub(crate) struct Unpark(Arc<Wake>);

struct Wake {
    eventfd: OwnedFd,
    writes: AtomicU64,
}

impl Unpark {
    pub(super) fn new() -> io::Result<Unpark> {
        // SAFETY: makes a descriptor, which is ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made.
        let eventfd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Unpark(Arc::new(Wake { eventfd, writes: AtomicU64::new(0) })))
    }

    /// One system call: write(2) to an eventfd.
    pub(crate) fn unpark(&self) {
        let one = 1u64;
        self.0.writes.fetch_add(1, Relaxed);
        // SAFETY: 8 bytes of ours. It fails only if the counter is at its end, and then the core
        // has been woken often enough.
        unsafe { libc::write(self.0.eventfd.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.0.eventfd.as_raw_fd()
    }

    pub(super) fn writes(&self) -> u64 {
        self.0.writes.load(Relaxed)
    }
}
