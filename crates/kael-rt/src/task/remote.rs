//! How other threads reach a core: a lock-free stack of task headers, and the flag that says whether the core
//! sleeps. What a posted task means is not known here; `run.rs` drains the queue.
//!
//! **No lost wake.** A poster pushes, fences, then reads `sleeping`. The core writes `sleeping`, fences, then reads
//! the queue. Between two sequentially consistent fences at least one side sees what the other wrote before its own:
//! either the core finds the post and does not sleep, or the poster finds the flag and unparks. An unpark is sticky
//! (the driver's contract), so it does not matter whether the wait has begun.

use std::ptr;
use std::sync::atomic::AtomicU64;

use super::atomic::{AtomicBool, AtomicPtr, Ordering, fence};
use super::header::{Header, Task};

#[repr(align(128))] // Other threads write here; the owner's cells must not share the line.
pub(super) struct Remote {
    head: AtomicPtr<Header>,
    sleeping: AtomicBool,
    /// New tasks that are posted, or nearly. A number for who chooses a core, on which nothing else depends.
    arriving: AtomicU64,
}

/// The queue takes nothing any more; the core has ended.
pub(super) struct Closed;

/// The head of a closed queue. Odd, so no header is there.
fn closed() -> *mut Header {
    ptr::without_provenance_mut(1)
}

impl Remote {
    pub(super) fn new() -> Remote {
        Remote {
            head: AtomicPtr::new(ptr::null_mut()),
            sleeping: AtomicBool::new(false),
            arriving: AtomicU64::new(0),
        }
    }

    pub(super) fn arriving(&self) -> u64 {
        self.arriving.load(Ordering::Relaxed)
    }

    pub(super) fn arrives(&self) {
        self.arriving.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn arrived(&self) {
        self.arriving.fetch_sub(1, Ordering::Relaxed);
    }

    /// Posts a task.
    ///
    /// # Safety
    /// The caller has just set `POSTED` (so nobody else links this header), and the block stays until the queue's
    /// reader clears it. If the queue is closed the duty to clear it is the caller's again.
    pub(super) unsafe fn push(&self, task: Task) -> Result<(), Closed> {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            if head == closed() {
                return Err(Closed);
            }
            // SAFETY: the block stays (the caller's contract); the link is ours until the exchange succeeds.
            unsafe { task.as_ref() }.posted_next.store(head, Ordering::Relaxed);
            match self.head.compare_exchange_weak(
                head,
                task.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(seen) => head = seen,
            }
        }
    }

    /// After a push: whether the core sleeps and the caller is the one who has to unpark it.
    pub(super) fn must_unpark(&self) -> bool {
        fence(Ordering::SeqCst);
        self.sleeping.load(Ordering::Relaxed)
            && self
                .sleeping
                .compare_exchange(true, false, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Whether something is posted. One load.
    #[inline]
    pub(super) fn is_posted(&self) -> bool {
        !self.head.load(Ordering::Relaxed).is_null()
    }

    /// Takes all that is posted, oldest first, linked by `posted_next`. Owner only.
    pub(super) fn take(&self) -> *mut Header {
        if self.head.load(Ordering::Relaxed).is_null() {
            return ptr::null_mut();
        }
        oldest_first(self.head.swap(ptr::null_mut(), Ordering::Acquire))
    }

    /// Takes all that is posted and refuses the rest for ever. Owner only.
    pub(super) fn close(&self) -> *mut Header {
        let head = self.head.swap(closed(), Ordering::AcqRel);
        if head == closed() { ptr::null_mut() } else { oldest_first(head) }
    }

    /// Announces sleep; false if something was posted meanwhile. Owner only. Pair it with [`wake_up`](Remote::wake_up).
    pub(super) fn fall_asleep(&self) -> bool {
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        !self.is_posted()
    }

    pub(super) fn wake_up(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }
}

fn oldest_first(mut list: *mut Header) -> *mut Header {
    let mut reversed = ptr::null_mut();
    while !list.is_null() {
        // SAFETY: a posted block stays until `POSTED` is cleared, which is done only after this.
        let next = unsafe { &(*list).posted_next };
        let rest = next.load(Ordering::Relaxed);
        next.store(reversed, Ordering::Relaxed);
        reversed = list;
        list = rest;
    }
    reversed
}
