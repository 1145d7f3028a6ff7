//! One ring: its memory, its two queues, and the call that moves them.
//!
//! The ring knows nothing of operations. It is used by the thread that made it and no other
//! (SINGLE_ISSUER), and the kernel's half of the work runs only inside [`Ring::enter`]
//! (DEFER_TASKRUN): looking at the completion queue alone shows nothing new. A ring with a thread of the kernel
//! is different (`thread.rs`).

mod gather;
mod limit;
mod map;
mod resize;
mod setup;
mod thread;

use super::{abi::*, syscall};
use limit::Limit;
use map::{Map, Mapped};
pub(super) use resize::is_sound as resizes_soundly;
pub(super) use setup::Probe;
use std::{
    marker::PhantomData,
    mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering::*},
};

pub(super) struct Ring {
    fd: OwnedFd,
    /// The number to enter with: the registered index, or the descriptor.
    enter_fd: u32,
    enter_flags: u32,
    queues: Map,
    entries: Map,
    sq: Queue,
    cq: Queue,
    sq_flags: NonNull<AtomicU32>,
    cq_overflow: NonNull<AtomicU32>,
    cqes: NonNull<Cqe>,
    /// Submissions are published by `publish`; until then the kernel does not see them.
    sq_tail: u32,
    /// The tail at which the queue is full, as known since the last call: only the kernel moves
    /// the head, and only within a call.
    sq_limit: u32,
    /// Entries before this one are no longer ours: the kernel has taken them, or its thread has been shown them.
    sq_taken: u32,
    /// Completions before this one were read. The kernel learns it in `enter`: it writes completions
    /// only then, or has a thread, and then learns it every turn.
    cq_head: u32,
    /// Completions before this one are known to be there.
    cq_tail: u32,
    pub(super) setup_flags: u32,
    pub(super) features: u32,
    pub(super) syscalls: u64,
    pub(super) submitted: u64,
    restricted: bool,
    /// Of waits that have one.
    limit: Limit,
    /// How long the next timed wait gathers completions; `gather` sets it.
    min_wait_us: u32,
    /// Used by its own thread only.
    thread: PhantomData<*const ()>,
}

/// Completions that are known to be there and were not read yet.
pub(super) struct Known {
    cqes: NonNull<Cqe>,
    mask: u32,
    at: u32,
    end: u32,
}

impl Iterator for Known {
    type Item = Cqe;

    #[inline(always)]
    fn next(&mut self) -> Option<Cqe> {
        if self.at == self.end {
            return None;
        }
        // SAFETY: as in `Ring::next`, and the ring is left alone meanwhile.
        let cqe = unsafe { self.cqes.add((self.at & self.mask) as usize).read() };
        self.at = self.at.wrapping_add(1);
        Some(cqe)
    }
}

/// Head, tail and mask of one queue, in memory shared with the kernel.
struct Queue {
    head: NonNull<AtomicU32>,
    tail: NonNull<AtomicU32>,
    mask: u32,
    entries: u32,
}

impl Ring {
    /// Makes a ring, which takes submissions only after [`enable`](Self::enable). The error is the
    /// kernel's, with the step that failed.
    pub(super) fn new(entries: u32, cq_entries: u32) -> Result<Ring, (i32, &'static str)> {
        let flags = SETUP_DEFER_TASKRUN | SETUP_TASKRUN_FLAG;
        Ring::made_as(entries, Params { flags, cq_entries, ..Params::default() })
    }

    /// The same with a thread of the kernel that takes the submissions, and sleeps when there were none for so long.
    pub(super) fn with_thread(
        entries: u32,
        cq_entries: u32,
        idle_ms: u32,
    ) -> Result<Ring, (i32, &'static str)> {
        #[cfg(test)]
        if let Some(errno) = super::faults::refusing_threads() {
            return Err((errno, "io_uring_setup"));
        }
        let flags = SETUP_SQPOLL;
        let idle = Params { sq_thread_idle: idle_ms, ..Params::default() };
        Ring::made_as(entries, Params { flags, cq_entries, ..idle })
    }

    /// One whose operations are looked for at their device, and of which nobody is told.
    pub(super) fn polling(entries: u32) -> Result<Ring, (i32, &'static str)> {
        let flags = SETUP_IOPOLL | SETUP_DEFER_TASKRUN | SETUP_TASKRUN_FLAG;
        Ring::made_as(entries, Params { flags, cq_entries: entries * 2, ..Params::default() })
    }

    fn made_as(entries: u32, asked: Params) -> Result<Ring, (i32, &'static str)> {
        let base = SETUP_SINGLE_ISSUER | SETUP_SUBMIT_ALL | SETUP_R_DISABLED | SETUP_CQSIZE;
        let base = Params { flags: asked.flags | base, ..asked };
        let mut params = Params { flags: base.flags | SETUP_NO_SQARRAY, ..base };
        let fd = match syscall::setup(entries, &mut params) {
            // NO_SQARRAY came with Linux 6.6.
            Err(libc::EINVAL) => {
                params = base;
                syscall::setup(entries, &mut params)
            }
            other => other,
        }
        .map_err(|errno| (errno, "io_uring_setup"))?;
        // SAFETY: the kernel just made it for us.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        let Mapped { queues, entries, sq, cq, sq_flags, cq_overflow, cqes } =
            Mapped::new(&fd, &params).map_err(|errno| (errno, "mmap"))?;
        Ok(Ring {
            enter_fd: fd.as_raw_fd() as u32,
            enter_flags: ENTER_GETEVENTS
                | if params.features & FEATURE_NO_IOWAIT != 0 { ENTER_NO_IOWAIT } else { 0 },
            queues,
            entries,
            sq,
            cq,
            sq_flags,
            cq_overflow,
            cqes,
            fd,
            sq_tail: 0,
            sq_limit: params.sq_entries,
            sq_taken: 0,
            cq_head: 0,
            cq_tail: 0,
            setup_flags: params.flags,
            features: params.features,
            syscalls: 4,
            submitted: 0,
            restricted: false,
            limit: Limit::new().map_err(|errno| (errno, "mmap"))?,
            min_wait_us: 0,
            thread: PhantomData,
        })
    }

    /// io_uring_register(2) on this ring, for calls whose memory may go when it returns, or that
    /// the caller keeps.
    pub(super) fn register(&mut self, opcode: u32, arg: usize, count: u32) -> Result<u32, i32> {
        self.syscalls += 1;
        // SAFETY: the callers in this folder pass structures of `abi` that fit the opcode.
        unsafe { syscall::register(self.fd.as_raw_fd() as u32, opcode, arg, count) }
    }

    #[inline]
    fn load(&self, at: NonNull<AtomicU32>) -> u32 {
        // SAFETY: the mapping lives as long as the ring, and both sides use atomics.
        unsafe { at.as_ref() }.load(Acquire)
    }

    /// Free entries of the submission queue.
    #[inline]
    pub(super) fn room(&self) -> u32 {
        self.sq_limit.wrapping_sub(self.sq_tail)
    }

    /// The kernel may have taken entries, or the queue has changed.
    fn look_for_room(&mut self) {
        self.sq_limit = self.load(self.sq.head).wrapping_add(self.sq.entries);
    }

    /// Entries that the kernel has not taken yet, or that its thread has not been shown.
    #[inline]
    pub(super) fn unsubmitted(&self) -> u32 {
        self.sq_tail.wrapping_sub(self.sq_taken)
    }

    /// Queues a submission. The queue must have room.
    ///
    /// # Safety
    /// What it points at stays, and is not used by anybody else, until its last completion.
    #[inline]
    pub(super) unsafe fn push(&mut self, sqe: Sqe) {
        debug_assert!(self.room() > 0);
        let index = self.sq_tail & self.sq.mask;
        // SAFETY: the entry is free: the kernel's head has passed it.
        unsafe { self.entries.at.cast::<[u64; 8]>().add(index as usize).write(sqe.words()) };
        self.sq_tail = self.sq_tail.wrapping_add(1);
    }

    /// Takes back the last submission that the kernel has not taken. It looks at the queue only when it is
    /// entered, so nobody has seen the entry.
    pub(super) fn take_back(&mut self) -> Option<Sqe> {
        if self.unsubmitted() == 0 {
            return None;
        }
        self.sq_tail = self.sq_tail.wrapping_sub(1);
        let index = self.sq_tail & self.sq.mask;
        // SAFETY: the entry is in the mapping, was written by `push`, and is not the kernel's yet.
        Some(unsafe { self.entries.at.cast::<Sqe>().add(index as usize).read() })
    }

    /// Something is to be had or done by entering the kernel.
    #[inline]
    pub(super) fn wants_entry(&self) -> bool {
        self.load(self.sq_flags) & (SQ_TASKRUN | SQ_CQ_OVERFLOW) != 0
    }

    /// Completions that can be read without entering the kernel.
    #[inline]
    pub(super) fn ready(&self) -> u32 {
        self.load(self.cq.tail).wrapping_sub(self.cq_head)
    }

    /// Completions that the kernel dropped for want of memory.
    pub(super) fn lost(&self) -> u32 {
        self.load(self.cq_overflow)
    }

    /// Hands over what is queued, lets the kernel do its half, and waits for `want` completions,
    /// for at most `timeout_ns` if that is given.
    pub(super) fn enter(
        &mut self,
        submit: bool,
        want: u32,
        timeout_ns: Option<u64>,
    ) -> Result<u32, i32> {
        if self.has_thread() {
            return self.enter_beside_thread(submit, want, timeout_ns);
        }
        self.enter_alone(submit, want, timeout_ns)
    }

    /// The same on a ring that is known to have no thread.
    #[inline]
    pub(super) fn enter_alone(
        &mut self,
        submit: bool,
        want: u32,
        timeout_ns: Option<u64>,
    ) -> Result<u32, i32> {
        let count = if submit { self.unsubmitted() } else { 0 };
        // SAFETY: as in `load`; only we write the tail. Release: the entries come before it.
        unsafe { self.sq.tail.as_ref() }.store(self.sq_tail, Release);
        self.give_back();
        let (mut flags, mut at, mut len) = (self.enter_flags, 0, 0);
        if let Some(ns) = timeout_ns {
            let limit;
            (limit, at, len) = self.limit.set(ns, mem::take(&mut self.min_wait_us));
            flags |= limit;
        }
        self.syscalls += 1;
        #[cfg(test)]
        if let Some(errno) = super::faults::entering(count) {
            return Err(errno);
        }
        // SAFETY: submissions were pushed under `push`'s contract; `at` is what `limit` says.
        let result = unsafe { syscall::enter(self.enter_fd, count, want, flags, at, len) };
        if let Ok(n) = result {
            self.submitted += u64::from(n);
        }
        self.look_for_room();
        self.sq_taken = self.sq_limit.wrapping_sub(self.sq.entries);
        result
    }

    /// The next completion that is there.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Cqe> {
        if self.cq_head == self.cq_tail && !self.look() {
            return None;
        }
        // SAFETY: the kernel has published the entry (its tail was loaded with Acquire) and leaves
        // it alone until the head in shared memory has passed it, in `enter`.
        let cqe = unsafe { self.cqes.add((self.cq_head & self.cq.mask) as usize).read() };
        self.cq_head = self.cq_head.wrapping_add(1);
        Some(cqe)
    }

    /// Whose the next completion but `after` is, if it is known to be there.
    #[inline(always)]
    pub(super) fn soon(&self, after: u32) -> Option<u64> {
        if self.cq_tail.wrapping_sub(self.cq_head) <= after {
            return None;
        }
        let at = self.cq_head.wrapping_add(after) & self.cq.mask;
        // SAFETY: as in `next`.
        Some(unsafe { (&raw const (*self.cqes.add(at as usize).as_ptr()).user_data).read() })
    }

    /// What [`next`](Self::next) would give, to be read one after the other without a look at the ring. Nothing else may be done
    /// with the ring until [`put_back`](Self::put_back) has been told how far it was read.
    #[inline(always)]
    pub(super) fn take_known(&mut self) -> Known {
        if self.cq_head == self.cq_tail {
            self.look();
        }
        Known { cqes: self.cqes, mask: self.cq.mask, at: self.cq_head, end: self.cq_tail }
    }

    #[inline(always)]
    pub(super) fn put_back(&mut self, known: &Known) {
        self.cq_head = known.at;
    }

    /// What is submitted now is answered in the queue, if each submission before it completes twice at most.
    pub(super) fn has_room_for_answers(&self) -> bool {
        let most = self.ready() + 2 * self.unsubmitted() + 1;
        most <= self.cq.entries && !self.has_overflow()
    }

    /// Completions wait in the kernel for room in the queue.
    pub(super) fn has_overflow(&self) -> bool {
        self.load(self.sq_flags) & SQ_CQ_OVERFLOW != 0
    }

    /// Where the next completion will be.
    pub(super) fn completions_end(&self) -> u32 {
        self.load(self.cq.tail)
    }

    /// The result of a completion from there on. Unless it is the next one, which is read with that, it comes again in its
    /// turn.
    pub(super) fn find(&mut self, mut at: u32, user_data: u64) -> Option<i32> {
        let end = self.completions_end();
        while at != end {
            // SAFETY: as in `next`: the kernel has published what is before its tail.
            let cqe = unsafe { self.cqes.add((at & self.cq.mask) as usize).read() };
            if cqe.user_data == user_data {
                if at == self.cq_head {
                    // Else the next wait would find something there, and not wait.
                    self.next();
                }
                return Some(cqe.res);
            }
            at = at.wrapping_add(1);
        }
        None
    }

    /// Another submission in the place of the last one, which the kernel has not taken.
    ///
    /// # Safety
    /// As for [`push`](Self::push).
    pub(super) unsafe fn push_instead(&mut self, sqe: Sqe) {
        if self.take_back().is_some() {
            // SAFETY: the caller's word.
            unsafe { self.push(sqe) };
        }
    }

    /// Looks whether there are completions that we do not know of.
    fn look(&mut self) -> bool {
        self.cq_tail = self.load(self.cq.tail);
        self.cq_head != self.cq_tail
    }

    /// Gives the places of what was read back to the kernel.
    fn give_back(&self) {
        // SAFETY: as in `load`. Release: the entries were read before.
        unsafe { self.cq.head.as_ref() }.store(self.cq_head, Release);
    }

    pub(super) fn is_registered(&self) -> bool {
        self.enter_flags & ENTER_REGISTERED_RING != 0
    }

    pub(super) fn is_restricted(&self) -> bool {
        self.restricted
    }

    pub(super) fn sq_entries(&self) -> u32 {
        self.sq.entries
    }

    pub(super) fn cq_entries(&self) -> u32 {
        self.cq.entries
    }

    pub(super) fn bytes_mapped(&self) -> usize {
        let limit = if self.limit.is_registered() { self.limit.page.len } else { 0 };
        self.queues.len + self.entries.len + limit
    }
}
