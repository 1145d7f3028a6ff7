//! What POSIX says once: requests as plain system calls, for the threads of the blocking pool;
//! and the descriptor that wakes a sleeping core.

use super::event::Event;
use crate::op::Request;
use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::*},
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

/// Where the pool puts what it has done for one core.
pub(crate) struct Inbox {
    done: Mutex<Vec<Event>>,
    filled: AtomicBool,
    unpark: Unpark,
}

impl Inbox {
    pub(super) fn new(unpark: Unpark) -> Inbox {
        Inbox { done: Mutex::new(Vec::with_capacity(16)), filled: AtomicBool::new(false), unpark }
    }

    pub(super) fn is_filled(&self) -> bool {
        self.filled.load(Acquire)
    }

    fn put(&self, event: Event) {
        self.done.lock().unwrap_or_else(|e| e.into_inner()).push(event);
        self.filled.store(true, Release);
        self.unpark.unpark();
    }

    /// Moves what is done to `events`; returns how many.
    pub(super) fn take(&self, events: &mut Vec<Event>) -> u32 {
        if !self.is_filled() {
            return 0;
        }
        let mut done = self.done.lock().unwrap_or_else(|e| e.into_inner());
        let taken = done.len() as u32;
        events.append(&mut done);
        self.filled.store(false, Release);
        taken
    }
}

/// A request on its way through the blocking pool.
///
/// It points at memory of the slot that it came from. The slot stays until the job has reported,
/// and is leaked if the core ends before that; so the job may run at any time, on any thread.
pub(crate) struct PoolJob {
    id: u64,
    request: Request<'static>,
    inbox: Arc<Inbox>,
}

// SAFETY: the request's memory is used by nobody else until the job reports (the slot is in
// flight), and what the request points at is plain bytes, a descriptor's number (read through a
// node that stays, see `run`), or an Arc of Send + Sync parts.
unsafe impl Send for PoolJob {}

impl PoolJob {
    pub(super) fn new(id: u64, request: Request<'static>, inbox: Arc<Inbox>) -> PoolJob {
        PoolJob { id, request, inbox }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Which core's job it is.
    pub(crate) fn driver_tag(&self) -> usize {
        Arc::as_ptr(&self.inbox) as usize
    }

    /// Carries the request out, and reports.
    pub(crate) fn run(self) {
        let result = attempt(self.request);
        self.inbox.put(Event { user: self.id, result, flags: 0 });
    }
}

/// A request as one system call, which may block.
fn attempt(request: Request<'static>) -> i32 {
    match request {
        Request::Truncate { fd, len } => {
            // SAFETY: the number is open as long as the operation in the slot holds it.
            answer(unsafe { libc::ftruncate64(fd.number(), len as i64) } as isize)
        }
        #[cfg(test)]
        Request::Stall { on, into } => {
            on.wait();
            into.fill(std::mem::MaybeUninit::new(7));
            into.len() as i32
        }
        _ => unreachable!("the ring does every other request itself"),
    }
}

fn answer(result: isize) -> i32 {
    if result >= 0 {
        return result as i32;
    }
    -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}
