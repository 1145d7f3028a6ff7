//! Reads of files one after another. preadv2(2) with RWF_NOWAIT reads what is in memory for a fifth less than a turn
//! of the ring with that one read in it; several reads that share a turn are cheaper by the ring
//! (`cargo xtask bench files --mode buffered`). And a read that is not in memory must be asked for twice. So the ring has all reads until
//! several turns in a row had one and nothing else.
//!
//! ```text
//!            `patience` turns in a row handed over one read, and nothing else
//!   by the ring ──────────────────────────────────────────────▶ at once
//!    ▲  ▲        a turn hands over more than one read             │  │
//!    │  └─────────────────────────────────────────────────────────┘  │
//!    └──── it is not in memory: `patience` is twice as long ─────────┘
//! ```

use super::Backend;
use crate::{driver::Descriptor, sys::own};
use std::ptr::NonNull;

/// Reads that are answered in a row before the next one goes by the ring: other tasks and completions have their turn then, and
/// it is seen whether it is still alone.
const IN_A_ROW: u32 = 16;
const PATIENCE: u32 = 8;
/// With reads that are never in memory, one of so many is asked for twice.
const MOST_PATIENCE: u32 = 4096;

pub(super) struct Cached {
    /// Turns in a row that handed over one read, and nothing else.
    alone: u32,
    patience: u32,
    /// Reads that went to the ring since the last turn.
    asked: u32,
    /// How many more may be answered at once.
    left: u32,
}

impl Cached {
    pub(super) fn new() -> Cached {
        Cached { alone: 0, patience: PATIENCE, asked: 0, left: 0 }
    }

    /// A turn begins that hands over so much.
    #[inline(always)]
    pub(super) fn turn(&mut self, queued: u32) {
        if self.asked > 0 {
            self.look(queued);
        }
    }

    #[inline]
    fn look(&mut self, queued: u32) {
        self.alone = if self.asked == 1 && queued == 1 { self.alone + 1 } else { 0 };
        self.asked = 0;
        if self.alone < self.patience {
            self.left = 0;
        } else {
            // As long as they are, it is enough to look now and then.
            self.alone = self.patience;
            self.left = IN_A_ROW;
        }
    }

    fn hit(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.patience = PATIENCE;
        }
    }

    #[cold]
    fn miss(&mut self) {
        self.left = 0;
        self.alone = 0;
        self.patience = (self.patience * 2).min(MOST_PATIENCE);
    }
}

impl Backend {
    /// A read that is answered before it has a slot. `None`: nothing has happened.
    ///
    /// # Safety
    /// Memory of that length, which nobody else uses.
    #[inline(always)]
    pub(crate) unsafe fn read_at_once(
        &mut self,
        fd: &Descriptor,
        into: NonNull<u8>,
        len: usize,
        at: u64,
    ) -> Option<i32> {
        if self.cached.left > 0 && fd.cached.get() {
            // SAFETY: the caller's word.
            let known = unsafe { self.read_cached(fd, into, len, at) };
            if known.is_some() {
                return known;
            }
        }
        // A ring with a thread never looks at it.
        self.cached.asked = self.cached.asked.wrapping_add(1);
        None
    }

    /// # Safety
    /// As for [`read_at_once`](Self::read_at_once).
    #[inline(never)]
    unsafe fn read_cached(
        &mut self,
        fd: &Descriptor,
        into: NonNull<u8>,
        len: usize,
        at: u64,
    ) -> Option<i32> {
        let vector = [libc::iovec { iov_base: into.as_ptr().cast(), iov_len: len }];
        self.calls += 1;
        // SAFETY: the caller's word.
        let n = unsafe { own::read_cached(fd.number(), &vector, at) };
        if n as usize == len || n == 0 {
            self.cached.hit();
            return Some(n);
        }
        // A part may be all that is in memory, or all that there is: the ring tells.
        self.cached.miss();
        if n < 0 && n != -libc::EAGAIN {
            // It is no file, or its file system cannot say what is in memory.
            fd.cached.set(false);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Cached, IN_A_ROW, MOST_PATIENCE, PATIENCE};

    fn one_read(cached: &mut Cached, queued: u32) {
        cached.asked += 1;
        cached.turn(queued);
    }

    #[test]
    fn e06_reads_are_answered_at_once_when_each_was_alone_for_a_while() {
        let mut cached = Cached::new();
        for _ in 1..PATIENCE {
            one_read(&mut cached, 1);
            assert_eq!(cached.left, 0);
        }
        // A turn without a read says nothing.
        cached.turn(3);
        one_read(&mut cached, 1);
        assert_eq!(cached.left, IN_A_ROW);
        // One more thing in the turn, and it begins anew.
        one_read(&mut cached, 2);
        assert_eq!((cached.left, cached.alone), (0, 0));
        (0..PATIENCE).for_each(|_| one_read(&mut cached, 1));
        assert_eq!(cached.left, IN_A_ROW);
    }

    #[test]
    fn e06_what_is_never_in_memory_is_seldom_asked_for_twice() {
        let mut cached = Cached::new();
        let mut twice = 0;
        for _ in 0..100_000 {
            if cached.left > 0 {
                cached.miss();
                twice += 1;
            }
            one_read(&mut cached, 1);
        }
        assert!(twice > 0 && twice < 40, "{twice}");
        assert_eq!(cached.patience, MOST_PATIENCE);
        // And soon again when it is.
        while cached.left == 0 {
            one_read(&mut cached, 1);
        }
        (0..IN_A_ROW).for_each(|_| cached.hit());
        assert_eq!(cached.patience, PATIENCE);
    }
}
