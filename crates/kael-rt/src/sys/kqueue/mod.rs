//! Hints by kqueue(2): reads edge-triggered, each descriptor entered once; writes one at a time.
//!
//! What the systems have in common is less than their manuals say, and these rules keep to it:
//!
//! 1. The queue knows one interest for each descriptor and filter, and its user data is the number's generation, never a
//!    pointer: who waits, and in which order, is in `ready/watches.rs`.
//! 2. The call comes first, and only its `EAGAIN` arms. Entering an interest looks at the descriptor, so no edge between is lost.
//! 3. Reads: `EV_ADD | EV_CLEAR` once in a descriptor's life. Writes: `EV_ADD | EV_ONESHOT` after `EAGAIN`. Every event is a hint,
//!    and one-shots may be stale.
//! 4. No EV_DISPATCH, no EV_DISABLE: enabling with data pending does not fire everywhere.
//! 5. An interest never changes between EV_CLEAR and EV_ONESHOT: adding again would not do it.
//! 6. Changes travel in the call that waits, no more of them than it has room for events. If one fails, the call has
//!    brought no events and has not waited.
//! 7. EV_ERROR is a bit among others.
//! 8. A call that was interrupted has taken its changes.
//! 9. EV_EOF says that the end has come, and not that there is nothing before it; its error is a hint.
//! 10. To connect is to wait for a write, and to ask the socket then (`posix::connected`).
//! 11. A close drops the number's interests, also when the file is open elsewhere. Changes not yet sent are dropped
//!     here; what comes later of an earlier use has another generation.
//! 12. Wakes: see `wake.rs`.
//! 13. Timers are the runtime's own; the wait has a limit, of which the systems take a hundred million seconds at most.
//! 14. Ends of child processes: nothing in the runtime waits for any yet.
//! 15. Regular files go to the blocking pool (`ready/mod.rs`): here they would always be ready.
//! 16. What the calls themselves are like is in the file of the system's family (`sys/bsd/`).

#[cfg(test)]
mod tests;
mod wake;

use super::{kqueues as sys, ready::Hint};
use crate::{Error, op::Side};
use std::{io, ptr, sync::Arc};
pub(crate) use wake::Unpark;
use wake::{
    ADD, CLEAR, DELETE, Data, EOF, ERROR, Filter, Flags, Ident, ONESHOT, Queue, READ, WRITE, change,
};

pub(super) struct Poller {
    queue: Arc<Queue>,
    /// What the next call takes along.
    changes: Vec<sys::kevent>,
    events: Box<[sys::kevent]>,
    calls: u64,
}

// SAFETY: the pointers in it are user data, which nobody follows.
unsafe impl Send for Poller {}

/// Hints that one call brings at most, and changes that it takes.
const EVENTS: usize = 256;
/// Longer waits are EINVAL on some systems; one that ends early is one more turn.
const LONGEST_S: u64 = 10_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// Why a core has no kqueue, in a sentence that says what to do.
fn explain(error: io::Error, step: &str) -> io::Error {
    let text = match error.raw_os_error() {
        Some(libc::EMFILE) => {
            "this process has no file descriptor left for the core (RLIMIT_NOFILE); close some, or \
                               raise the limit with `ulimit -n`"
                .to_owned()
        }
        Some(libc::ENFILE) => {
            "the system has no file descriptor left for the core; raise the sysctl kern.maxfiles"
                .to_owned()
        }
        Some(libc::ENOMEM) => {
            "the system has no memory left for the core's queue, or this user may have no more \
                               queues (RLIMIT_KQUEUES)"
                .to_owned()
        }
        Some(libc::EPERM | libc::ENOSYS) => format!(
            "kqueue is forbidden, by a sandbox perhaps: allow kqueue and kevent ({step}: {error})"
        ),
        _ => format!("the system refused {step}: {error}"),
    };
    Error::setup(error.kind(), text)
}

impl Poller {
    pub(super) const INTERFACE: &'static str = "kqueue";
    pub(super) const MODEL: &'static str =
        "readiness, completed by the runtime, through kqueue; one thread per core";
    /// A write is told of once.
    pub(super) const STAYS_ARMED: [bool; 2] = [true, false];

    pub(super) fn new() -> io::Result<Poller> {
        let (queue, calls) = Queue::new().map_err(|(error, step)| explain(error, step))?;
        let events = vec![change(0, READ, 0); EVENTS].into();
        Ok(Poller { queue, changes: Vec::with_capacity(64), events, calls })
    }

    pub(super) fn unpark(&self) -> Unpark {
        Unpark::new(self.queue.clone())
    }

    pub(super) fn syscalls(&self) -> u64 {
        self.calls + self.queue.rings()
    }

    /// Hints of `side` shall come; if it is ready when the next wait begins, at once. No system call.
    pub(super) fn arm(
        &mut self,
        number: i32,
        generation: u32,
        side: Side,
        _other: bool,
    ) -> Result<(), i32> {
        let (filter, once) = match side {
            Side::Read => (READ, CLEAR),
            Side::Write => (WRITE, ONESHOT),
        };
        let mut change = change(number as Ident, filter, ADD | once);
        change.udata = ptr::without_provenance_mut::<libc::c_void>(generation as usize) as _;
        self.changes.push(change);
        Ok(())
    }

    /// No more hints of a descriptor that is given up. It is closed next, which ends its interests, or it stays open
    /// as somebody else's.
    pub(super) fn forget(&mut self, number: i32, stays_open: bool) {
        self.changes.retain(|change| change.ident as Ident != number as Ident);
        if stays_open {
            for filter in [READ, WRITE] {
                self.calls += 1;
                // Often there is none, and that is ENOENT. One change a call: with room for an error it might take events.
                let _ = self.queue.tell(&change(number as Ident, filter, DELETE));
            }
        }
    }

    /// Waits for hints: not at all, `ns` nanoseconds, or (`None`) until one comes. An interruption ends it.
    pub(super) fn wait(&mut self, ns: Option<u64>, hints: &mut Vec<Hint>) -> io::Result<()> {
        loop {
            let sent = self.changes.len().min(EVENTS);
            let is_all = sent == self.changes.len();
            // With more to be sent, and with hints in hand, there is no time to wait.
            let limit = if is_all && hints.is_empty() { ns } else { Some(0) };
            let count = match self.ask(sent, limit) {
                count @ 0.. => count as usize,
                _ => match io::Error::last_os_error() {
                    error if error.raw_os_error() == Some(libc::EINTR) => 0,
                    // Changes may be sent again: to add twice is to add.
                    error => return Err(error),
                },
            };
            self.changes.drain(..sent);
            let mut has_failed = false;
            let mut is_woken = false;
            for event in &self.events[..count] {
                let (ident, filter) = (event.ident as Ident, event.filter as Filter);
                if event.flags as Flags & ERROR != 0 {
                    has_failed = true;
                    hints.push(failure(event));
                } else if self.queue.is_wake(ident, filter) {
                    is_woken = true;
                } else {
                    hints.push(hint(event));
                }
            }
            if is_woken {
                self.calls += self.queue.hear();
            }
            if is_all && !has_failed {
                return Ok(());
            }
        }
    }

    /// One call: it takes the first `sent` changes.
    fn ask(&mut self, sent: usize, ns: Option<u64>) -> i32 {
        self.calls += 1;
        let limit = ns.map(|ns| libc::timespec {
            tv_sec: (ns / SECOND_NS).min(LONGEST_S) as _,
            tv_nsec: (ns % SECOND_NS) as _,
        });
        let limit: *const libc::timespec = limit.as_ref().map_or(ptr::null(), |limit| limit);
        // SAFETY: as many changes, room for as many events, and a time that lives as long as the call.
        unsafe {
            sys::kevent(
                self.queue.number(),
                self.changes.as_ptr(),
                sent as _,
                self.events.as_mut_ptr(),
                EVENTS as _,
                limit,
            )
        }
    }

    pub(super) fn describe(&self) -> Vec<&'static str> {
        vec!["EV_CLEAR", if self.queue.has_user_events() { "EVFILT_USER" } else { "pipe" }]
    }
}

fn hint(event: &sys::kevent) -> Hint {
    let is_write = event.filter as Filter == WRITE;
    let is_over = event.flags as Flags & EOF != 0;
    Hint {
        number: event.ident as i32,
        generation: event.udata as usize as u32,
        ready: [!is_write, is_write],
        ended: [!is_write && is_over, is_write && is_over],
        refused: 0,
    }
}

/// A change that failed. The call is tried once more, since its own error says more; if it has none, the change's is the
/// answer, and nobody goes on waiting for an event that cannot come.
fn failure(event: &sys::kevent) -> Hint {
    let errno = i32::try_from(event.data as Data).unwrap_or(libc::EIO);
    Hint { refused: if errno > 0 { errno } else { libc::EIO }, ended: [false; 2], ..hint(event) }
}
