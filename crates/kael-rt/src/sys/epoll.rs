//! Hints by epoll(7): edge-triggered, each descriptor entered once and for the directions that were waited for.
//!
//! An edge that comes between a call's `EAGAIN` and the entry is not lost: entering a descriptor, or changing its
//! entry, looks at it. A wait reads no clock of its own (`epoll_pwait2`, Linux 5.11; before that, milliseconds rounded up).

use super::{Unpark, ready::Hint};
use crate::{Error, op::Side};
use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

pub(super) struct Poller {
    epoll: OwnedFd,
    unpark: Unpark,
    events: Box<[libc::epoll_event]>,
    /// The kernel waits to the nanosecond.
    precise: bool,
    calls: u64,
}

/// Hints that one call brings at most.
const EVENTS: usize = 256;
/// The wake descriptor's token: no descriptor has this number.
const WAKE: u64 = u32::MAX as u64;

/// Why a core has no epoll, in a sentence that says what to do.
fn explain(error: io::Error, step: &str) -> io::Error {
    let text = match error.raw_os_error() {
        Some(libc::EMFILE) => {
            "this process has no file descriptor left for the core (RLIMIT_NOFILE); close some, or \
                               raise the limit with `ulimit -n`"
                .to_owned()
        }
        Some(libc::ENFILE) => {
            "the system has no file descriptor left for the core; raise the sysctl fs.file-max"
                .to_owned()
        }
        Some(libc::ENOSPC) => {
            "this user may watch no more descriptors; raise the sysctl fs.epoll.max_user_watches"
                .to_owned()
        }
        Some(libc::EPERM | libc::ENOSYS) => format!(
            "epoll is forbidden, by a seccomp filter perhaps: allow epoll_create1, epoll_ctl, epoll_pwait2 and \
             eventfd2 ({step}: {error})"
        ),
        _ => format!("the system refused {step}: {error}"),
    };
    Error::setup(error.kind(), text)
}

impl Poller {
    pub(super) const INTERFACE: &'static str = "epoll";
    pub(super) const MODEL: &'static str =
        "readiness, completed by the runtime, through epoll; one thread per core";
    /// A direction stays armed.
    pub(super) const STAYS_ARMED: [bool; 2] = [true, true];

    pub(super) fn new() -> io::Result<Poller> {
        // SAFETY: makes a descriptor, which is ours.
        let number = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if number < 0 {
            return Err(explain(io::Error::last_os_error(), "epoll_create1"));
        }
        // SAFETY: just made.
        let epoll = unsafe { OwnedFd::from_raw_fd(number) };
        let unpark = Unpark::new().map_err(|error| explain(error, "eventfd"))?;
        let none = libc::epoll_event { events: 0, u64: 0 };
        let mut poller =
            Poller { epoll, unpark, events: vec![none; EVENTS].into(), precise: true, calls: 2 };
        let wake = poller.unpark.descriptor();
        let edges = (libc::EPOLLIN | libc::EPOLLET) as u32;
        if let Err(errno) = poller.control(libc::EPOLL_CTL_ADD, wake, edges, WAKE) {
            return Err(explain(io::Error::from_raw_os_error(errno), "epoll_ctl"));
        }
        poller.calls += 1;
        poller.precise = poller.ask_precisely(Some(0)) >= 0;
        Ok(poller)
    }

    pub(super) fn unpark(&self) -> Unpark {
        self.unpark.clone()
    }

    pub(super) fn syscalls(&self) -> u64 {
        self.calls + self.unpark.writes()
    }

    fn control(&mut self, what: i32, number: i32, events: u32, token: u64) -> Result<(), i32> {
        self.calls += 1;
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: an event of ours; the kernel copies it.
        let done = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), what, number, &raw mut event) };
        match done {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
        }
    }

    /// Hints of `side` shall come; if it is ready now, at once. `other`: those of the other side come already.
    pub(super) fn arm(
        &mut self,
        number: i32,
        generation: u32,
        side: Side,
        other: bool,
    ) -> Result<(), i32> {
        let read = libc::EPOLLIN | libc::EPOLLRDHUP;
        let events = match (side, other) {
            (_, true) => read | libc::EPOLLOUT,
            (Side::Read, false) => read,
            (Side::Write, false) => libc::EPOLLOUT,
        };
        let what = if other { libc::EPOLL_CTL_MOD } else { libc::EPOLL_CTL_ADD };
        let token = u64::from(generation) << 32 | u64::from(number as u32);
        self.control(what, number, (events | libc::EPOLLET) as u32, token)
    }

    /// No more hints of a descriptor that is given up: another one of the same file may stay open, and
    /// epoll would go on with it.
    pub(super) fn forget(&mut self, number: i32, _stays_open: bool) {
        let _ = self.control(libc::EPOLL_CTL_DEL, number, 0, 0);
    }

    /// Waits for hints: not at all, `ns` nanoseconds, or (`None`) until one comes. An interruption ends it.
    pub(super) fn wait(&mut self, ns: Option<u64>, hints: &mut Vec<Hint>) -> io::Result<()> {
        self.calls += 1;
        let n = match self.ask(ns) {
            n @ 0.. => n as usize,
            _ => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::EINTR) => 0,
                error => return Err(error),
            },
        };
        for event in &self.events[..n] {
            let (bits, token) = (event.events as i32, event.u64);
            if token == WAKE {
                continue;
            }
            let mut hint = Hint {
                number: token as u32 as i32,
                generation: (token >> 32) as u32,
                ready: [true, false],
                ended: [false, false],
                refused: 0,
            };
            // Mostly something has come, and that is all.
            if bits != libc::EPOLLIN {
                let has = |mask: i32| bits & mask != 0;
                let over = has(libc::EPOLLHUP | libc::EPOLLERR);
                hint.ready =
                    [has(libc::EPOLLIN | libc::EPOLLRDHUP) || over, has(libc::EPOLLOUT) || over];
                hint.ended = [has(libc::EPOLLRDHUP) || over, over];
            }
            hints.push(hint);
        }
        Ok(())
    }

    fn ask(&mut self, ns: Option<u64>) -> i32 {
        if self.precise && ns != Some(0) {
            return self.ask_precisely(ns);
        }
        let (number, room) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr());
        let ms = ns.map_or(-1, |ns| ns.div_ceil(1_000_000).min(i32::MAX as u64) as i32);
        // SAFETY: room for that many events.
        unsafe { libc::epoll_wait(number, room, EVENTS as i32, ms) }
    }

    fn ask_precisely(&mut self, ns: Option<u64>) -> i32 {
        let (number, room) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr());
        let limit = ns.map(|ns| libc::timespec {
            tv_sec: (ns / 1_000_000_000) as _,
            tv_nsec: (ns % 1_000_000_000) as _,
        });
        let limit: *const libc::timespec = limit.as_ref().map_or(std::ptr::null(), |limit| limit);
        let no_signals: *const libc::sigset_t = std::ptr::null();
        // SAFETY: room for that many events, and a time that lives as long as the call. By its number: the
        // C library has it only since glibc 2.35.
        unsafe {
            libc::syscall(libc::SYS_epoll_pwait2, number, room, EVENTS as i32, limit, no_signals, 0)
                as i32
        }
    }

    pub(super) fn describe(&self) -> Vec<&'static str> {
        let mut flags = vec!["edge-triggered"];
        if self.precise {
            flags.push("epoll_pwait2");
        }
        flags
    }
}
