//! A ring that grows while it is in use (`IORING_REGISTER_RESIZE_RINGS`, Linux 6.13).
//!
//! The kernel makes new queues, copies what is in the old ones, and forgets those; positions and
//! what is in flight stay. Then the new memory is mapped.

use super::{
    super::abi::*,
    Ring,
    map::{Mapped, Reserved},
};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

impl Ring {
    /// Changes the sizes of both queues, powers of two. `Ok(false)`: not now, and all is as it was.
    ///
    /// # Errors
    /// The kernel has changed them, and the new memory cannot be mapped: the ring is lost.
    pub(in super::super) fn resize(&mut self, sq: u32, cq: u32) -> Result<bool, i32> {
        // What was read is not to be copied.
        self.give_back();
        let (head, tail) = (self.load(self.cq.head), self.load(self.cq.tail));
        // The kernel copies from `head` up to `tail`, and nothing where the numbers wrap around.
        if self.unsubmitted() > 0 || tail < head || self.setup_flags & SETUP_NO_SQARRAY == 0 {
            return Ok(false);
        }
        // SAFETY: both point into the mapping of the queues.
        let cqes = unsafe { self.cqes.cast::<u8>().offset_from(self.queues.at) } as u32;
        let cq_off = CqOffsets { cqes, ..CqOffsets::default() };
        let expected = Params { sq_entries: sq, cq_entries: cq, cq_off, ..Params::default() };
        let Ok(reserved) = Reserved::new(&expected) else { return Ok(false) };
        let mut params = Params { cq_off: CqOffsets::default(), flags: SETUP_CQSIZE, ..expected };
        if self.register(REGISTER_RESIZE_RINGS, &raw mut params as usize, 1).is_err() {
            return Ok(false);
        }
        let mapped = reserved.map(&self.fd, &params)?;
        // Two reservations and their ends, two mappings and the ends of the old ones.
        self.syscalls += 8;
        self.move_to(mapped);
        Ok(true)
    }

    /// Everything that points into shared memory, anew; the old mappings end.
    fn move_to(&mut self, mapped: Mapped) {
        let Mapped { queues, entries, sq, cq, sq_flags, cq_overflow, cqes } = mapped;
        (self.sq, self.cq, self.cqes) = (sq, cq, cqes);
        (self.sq_flags, self.cq_overflow) = (sq_flags, cq_overflow);
        (self.queues, self.entries) = (queues, entries);
        self.look_for_room();
    }

    /// Completions wait in the kernel for room in the queue.
    #[inline]
    pub(in super::super) fn has_overflowed(&self) -> bool {
        self.load(self.sq_flags) & SQ_CQ_OVERFLOW != 0
    }
}

/// Whether this kernel resizes rings soundly; asked once a process, on a ring that does nothing else.
///
/// Before Linux 7.0 and its stable kernels of spring 2026, the kernel could set IORING_SQ_TASKRUN in
/// queues that a resize was just freeing. With the same change it sets both of
/// the flags below after every resize, by which it is known.
pub(in super::super) fn is_sound() -> bool {
    const UNKNOWN: u8 = 0;
    const NO: u8 = 1;
    const YES: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    if ANSWER.load(Relaxed) == UNKNOWN {
        // Without memory or descriptors now: asked again by the next runtime.
        let Ok(mut ring) = Ring::new(2, 4) else { return false };
        let resized = ring.resize(4, 8) == Ok(true);
        let marks = SQ_TASKRUN | SQ_NEED_WAKEUP;
        let sound = resized && ring.load(ring.sq_flags) & marks == marks;
        ANSWER.store(if sound { YES } else { NO }, Relaxed);
    }
    ANSWER.load(Relaxed) == YES
}
