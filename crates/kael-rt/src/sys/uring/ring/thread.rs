//! A ring whose submissions a thread of the kernel takes (`IORING_SETUP_SQPOLL`).
//!
//! The thread looks at the queue's tail for as long as there is work, and for a while after; then it sleeps and says so
//! (`SQ_NEED_WAKEUP`). So handing over is a store, and a call only if it sleeps. It runs the kernel's half too:
//! completions come at any time, and are seen without a call. (The two exclude DEFER_TASKRUN, where that half waits for us.)
//!
//! ```text
//!   we:      entries, tail ── fence ── NEED_WAKEUP?  yes: enter(SQ_WAKEUP)
//!   kernel:  NEED_WAKEUP ──── fence ── tail?         moved: it does not sleep
//! ```
//! With a fence on both sides, one of the two sees the other.

use super::{super::abi::*, Ring};
use crate::sys::uring::syscall;
use std::{
    mem,
    sync::atomic::{Ordering::*, fence},
    time::{Duration, Instant},
};

/// How long the end waits for the thread to take what it was shown. It does so within microseconds, unless no CPU is free.
const END: Duration = Duration::from_secs(5);

impl Ring {
    /// A thread of the kernel takes the submissions.
    #[inline]
    pub(in super::super) fn has_thread(&self) -> bool {
        self.setup_flags & SETUP_SQPOLL != 0
    }

    /// The entries that the thread has been shown and has not taken yet.
    fn shown(&self) -> u32 {
        self.sq_taken.wrapping_sub(self.load(self.sq.head))
    }

    /// The thread sleeps and has something to take.
    fn is_to_be_woken(&self) -> bool {
        self.load(self.sq_flags) & SQ_NEED_WAKEUP != 0 && self.shown() > 0
    }

    /// As `enter`, where submitting is showing. Nothing is called unless there is something to wait for or to wake.
    #[cold]
    #[inline(never)]
    pub(super) fn enter_beside_thread(
        &mut self,
        submit: bool,
        want: u32,
        timeout_ns: Option<u64>,
    ) -> Result<u32, i32> {
        let count = if submit { self.unsubmitted() } else { 0 };
        if submit {
            // SAFETY: as in `load`; only we write the tail. Release: the entries come before it.
            unsafe { self.sq.tail.as_ref() }.store(self.sq_tail, Release);
            self.sq_taken = self.sq_tail;
            self.submitted += u64::from(count);
        }
        self.give_back();
        // The flags are read after the tail is there for the thread to see.
        fence(SeqCst);
        let mut flags = self.enter_flags;
        let wakes = self.is_to_be_woken();
        if wakes {
            flags |= ENTER_SQ_WAKEUP;
        }
        if want == 0 && !self.wants_entry() {
            if !wakes {
                return Ok(count);
            }
            flags &= !ENTER_GETEVENTS;
        }
        let (mut at, mut len) = (0, 0);
        if let Some(ns) = timeout_ns {
            let limit;
            (limit, at, len) = self.limit.set(ns, mem::take(&mut self.min_wait_us));
            flags |= limit;
        }
        self.call(want, flags, at, len).map(|_| count)
    }

    /// Looks for room, and if there is none, waits until the thread has taken something.
    pub(in super::super) fn wait_for_room(&mut self) {
        self.look_for_room();
        if self.room() > 0 {
            return;
        }
        // A failure finds no room, and that is looked at.
        let _ = self.enter_beside_thread(true, 0, None);
        let flags = self.enter_flags & !ENTER_GETEVENTS | ENTER_SQ_WAIT | ENTER_SQ_WAKEUP;
        let _ = self.call(0, flags, 0, 0);
        self.look_for_room();
    }

    /// Shows the thread what is queued and waits until it has begun all of it: an end of the ring would drop what it has not
    /// taken, and descriptors with it. Only for a ring of which nobody wants completions any more, and nothing that is queued
    /// points at memory.
    pub(in super::super) fn settle(&mut self) {
        let began = Instant::now();
        let mut asked = false;
        loop {
            while self.next().is_some() {}
            self.look_for_room();
            if !asked && self.unsubmitted() + self.shown() > 0 && self.room() > 0 {
                // Its completion ends the wait below.
                let nop = Sqe { opcode: OP_NOP, fd: -1, user_data: u64::MAX, ..Sqe::default() };
                // SAFETY: it points at nothing.
                unsafe { self.push(nop) };
                asked = true;
            }
            let result = self.enter_beside_thread(true, 0, None);
            // The kernel moves the head when it has begun all that it took.
            if self.shown() == 0 || result == Err(libc::EOWNERDEAD) || began.elapsed() > END {
                return;
            }
            let _ = self.enter_beside_thread(false, 1, Some(1_000_000));
        }
    }

    /// io_uring_enter(2) without a count of submissions, which the thread does not need.
    fn call(&mut self, want: u32, flags: u32, at: usize, len: usize) -> Result<u32, i32> {
        self.syscalls += 1;
        #[cfg(test)]
        if let Some(errno) = crate::sys::uring::faults::entering(0) {
            return Err(errno);
        }
        // SAFETY: submissions were pushed under `push`'s contract; `at` is what `limit` says.
        unsafe { syscall::enter(self.enter_fd, 0, want, flags, at, len) }
    }

    /// The thread sleeps.
    #[cfg(test)]
    pub(in super::super) fn thread_sleeps(&self) -> bool {
        self.load(self.sq_flags) & SQ_NEED_WAKEUP != 0
    }
}
