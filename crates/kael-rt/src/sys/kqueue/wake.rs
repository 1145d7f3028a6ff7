//! The queue itself, and how another thread wakes a core that sleeps in it.
//!
//! Rule 12: a user event, entered once with EV_ADD and EV_CLEAR, and triggered with NOTE_TRIGGER and no flags. EV_CLEAR in
//! the trigger loses wakes on FreeBSD, and a NOTE_TRIGGER in the change that enters it is not seen there. NetBSD before 10 and
//! OpenBSD before 7.8 have no user events: there it is a pipe.

use super::super::{closing, kqueues as sys};
use crate::sys::own;
use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::*},
    },
};

/// Wakes a core that sleeps in its turn. Outlives the core: then it wakes nobody, and the queue stays open until it is gone.
#[derive(Clone)]
pub(crate) struct Unpark(Arc<Queue>);

pub(super) struct Queue {
    number: OwnedFd,
    bell: Bell,
    /// System calls of those who wake.
    rings: AtomicU64,
}

enum Bell {
    User,
    Pipe { read: OwnedFd, write: OwnedFd },
}

/// One change, or room for an event.
pub(super) fn change(ident: Ident, filter: Filter, flags: Flags) -> sys::kevent {
    // SAFETY: numbers and a pointer that nobody follows; zeros are a valid one. Some systems have more fields than these.
    let mut change: sys::kevent = unsafe { std::mem::zeroed() };
    change.ident = ident as _;
    change.filter = filter as _;
    change.flags = flags as _;
    change
}

// What a change and an event consist of, as the driver compares them: the systems have different types.
pub(super) type Ident = usize;
pub(super) type Filter = i32;
pub(super) type Flags = u32;
pub(super) type Data = i64;
pub(super) const ADD: Flags = sys::EV_ADD as Flags;
pub(super) const DELETE: Flags = sys::EV_DELETE as Flags;
pub(super) const CLEAR: Flags = sys::EV_CLEAR as Flags;
pub(super) const ONESHOT: Flags = sys::EV_ONESHOT as Flags;
pub(super) const ERROR: Flags = sys::EV_ERROR as Flags;
pub(super) const EOF: Flags = sys::EV_EOF as Flags;
pub(super) const READ: Filter = sys::EVFILT_READ as Filter;
pub(super) const WRITE: Filter = sys::EVFILT_WRITE as Filter;
const USER: Filter = sys::EVFILT_USER as Filter;
const NO_IDENT: Ident = 0;

impl Queue {
    /// Also returns how many system calls that took, and if it fails, at which.
    pub(super) fn new() -> Result<(Arc<Queue>, u64), (io::Error, &'static str)> {
        // SAFETY: makes a descriptor, which is ours.
        let number = unsafe { sys::kqueue() };
        if number < 0 {
            return Err((io::Error::last_os_error(), "kqueue"));
        }
        // SAFETY: just made.
        let number = unsafe { OwnedFd::from_raw_fd(number) };
        // A fork does not inherit it, but what is executed without one would.
        // SAFETY: plain numbers.
        unsafe { libc::fcntl(number.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        let mut queue = Queue { number, bell: Bell::User, rings: AtomicU64::new(0) };
        let mut calls = 3;
        let enter = ADD | CLEAR;
        match queue.tell(&change(NO_IDENT, USER, enter)) {
            Ok(()) => {}
            // There are no user events.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                let (read, write) = own::pipe().map_err(|error| (error, "pipe"))?;
                let ident = read.as_raw_fd() as Ident;
                queue.bell = Bell::Pipe { read, write };
                queue.tell(&change(ident, READ, enter)).map_err(|error| (error, "kevent"))?;
                calls += 2;
            }
            Err(error) => return Err((error, "kevent")),
        }
        Ok((Arc::new(queue), calls))
    }

    pub(super) fn number(&self) -> i32 {
        self.number.as_raw_fd()
    }

    /// Hands over one change, and takes no events.
    pub(super) fn tell(&self, change: &sys::kevent) -> io::Result<()> {
        // SAFETY: one change, and room for no event: so it does not wait.
        let done =
            unsafe { sys::kevent(self.number(), change, 1, ptr::null_mut(), 0, ptr::null()) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Whether an event says no more than that somebody has woken us.
    pub(super) fn is_wake(&self, ident: Ident, filter: Filter) -> bool {
        match &self.bell {
            Bell::User => filter == USER,
            Bell::Pipe { read, .. } => ident == read.as_raw_fd() as Ident,
        }
    }

    /// After a wake: a full pipe would take no further one. Returns the system calls.
    pub(super) fn hear(&self) -> u64 {
        let Bell::Pipe { read, .. } = &self.bell else { return 0 };
        let mut bytes = [0u8; 512];
        let mut calls = 0;
        loop {
            calls += 1;
            // SAFETY: room for as many bytes; the pipe does not block.
            let n = unsafe { libc::read(read.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
            if n < bytes.len() as isize {
                return calls;
            }
        }
    }

    pub(super) fn rings(&self) -> u64 {
        self.rings.load(Relaxed)
    }

    pub(super) fn has_user_events(&self) -> bool {
        matches!(self.bell, Bell::User)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if let Bell::Pipe { read, .. } = &self.bell {
            closing(read.as_raw_fd());
        }
        closing(self.number());
    }
}

impl Unpark {
    pub(super) fn new(queue: Arc<Queue>) -> Unpark {
        Unpark(queue)
    }

    /// One system call: a trigger by kevent(2), or a write(2) to a pipe.
    pub(crate) fn unpark(&self) {
        self.0.rings.fetch_add(1, Relaxed);
        match &self.0.bell {
            Bell::User => {
                let mut trigger = change(NO_IDENT, USER, 0);
                trigger.fflags = sys::NOTE_TRIGGER as _;
                // An interruption has let it through.
                let _ = self.0.tell(&trigger);
            }
            Bell::Pipe { write, .. } => {
                let one = 1u8;
                // SAFETY: a byte of ours. It fails only if the pipe is full, and then the core has been woken often enough.
                unsafe { libc::write(write.as_raw_fd(), (&raw const one).cast(), 1) };
            }
        }
    }
}
