//! What a core has given to the blocking pool, or is about to give.
#![forbid(unsafe_code)]

use super::{Unpark, errno, event::Event, inbox::Inbox, job::PoolJob};
use crate::{driver::SlotId, op::Request, rt::BlockingPool};
use std::{sync::Arc, thread, time::Duration};

pub(super) struct Jobs {
    pool: Arc<BlockingPool>,
    inbox: Arc<Inbox>,
    /// Those that are handed over together.
    batch: Vec<PoolJob>,
    /// Those that are with the pool.
    out: u32,
    /// Those that are done, and not told yet.
    done: Vec<Event>,
}

impl Jobs {
    pub(super) fn new(pool: Arc<BlockingPool>, unpark: Unpark) -> Jobs {
        Jobs {
            pool,
            inbox: Arc::new(Inbox::new(unpark)),
            batch: Vec::with_capacity(64),
            out: 0,
            done: Vec::with_capacity(64),
        }
    }

    /// A request for the pool; it goes there with [`hand_over`](Self::hand_over).
    pub(super) fn push(&mut self, id: SlotId, request: Request<'static>) {
        self.batch.push(PoolJob::new(id.0, request, self.inbox.clone()));
    }

    /// Something is to be handed over, or was done.
    #[inline]
    pub(super) fn has_work(&self) -> bool {
        !self.batch.is_empty() || self.is_done()
    }

    /// The pool has done something.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.inbox.is_filled()
    }

    /// Hands over what is for the pool, under one lock. What the pool cannot take is an answer.
    pub(super) fn hand_over(&mut self, mut refused: impl FnMut(Event)) {
        if self.batch.is_empty() {
            return;
        }
        let out = &mut self.out;
        *out += self.batch.len() as u32;
        self.pool.submit_requests(self.batch.drain(..), |job, error| {
            *out -= 1;
            let code = error.raw_os_error().unwrap_or(errno::EAGAIN);
            refused(Event { user: job.id(), result: -code, flags: 0 });
        });
    }

    /// Takes back a request that no thread has begun. False: there is none.
    pub(super) fn remove(&mut self, id: SlotId) -> bool {
        if let Some(i) = self.batch.iter().position(|job| job.id() == id.0) {
            self.batch.remove(i);
            return true;
        }
        let tag = Arc::as_ptr(&self.inbox) as usize;
        let removed = self.out > 0 && self.pool.remove_request(tag, id.0).is_some();
        self.out -= u32::from(removed);
        removed
    }

    /// The next answer of the pool.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Event> {
        if self.done.is_empty() && self.out > 0 {
            self.out -= self.inbox.take(&mut self.done);
        }
        self.done.pop()
    }
}

/// How often the end looks whether a thread that has reported has let go: a while at once, then each millisecond.
const LOOKS: u32 = 1_100;
const LOOKS_AT_ONCE: u32 = 100;

impl Drop for Jobs {
    /// A thread that has reported still has to wake the core, and holds what it is woken by: without a look at it,
    /// that could be open for a moment after the end of the runtime. One that has not reported may do so at any time,
    /// and is not waited for.
    fn drop(&mut self) {
        self.batch.clear();
        for look in 0..LOOKS {
            if self.out > 0 || Arc::strong_count(&self.inbox) == 1 {
                return;
            }
            match look {
                0..LOOKS_AT_ONCE => thread::yield_now(),
                // It may be of a lower priority.
                _ => thread::park_timeout(Duration::from_millis(1)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, BlockingPool, Jobs, thread};
    use crate::{runtime::Builder, task::context};
    use std::sync::mpsc::channel;

    #[test]
    fn r42_the_end_waits_for_threads_that_have_reported() {
        let pool = Arc::new(BlockingPool::new(1));
        let runtime = Builder::new().build().expect("this system has one");
        let unpark =
            runtime.block_on(async { context::with("a test", |core| core.driver.unpark()) });
        let jobs = Jobs::new(pool, unpark);
        let (held, inbox) = (jobs.inbox.clone(), Arc::downgrade(&jobs.inbox));
        let (go, begin) = channel();
        let reporting = thread::spawn(move || {
            begin.recv().expect("it is sent below");
            (0..1_000).for_each(|_| thread::yield_now());
            drop(held);
        });
        go.send(()).expect("the thread waits");
        drop(jobs);
        assert_eq!(inbox.strong_count(), 0, "a thread holds what wakes a core that has ended");
        reporting.join().expect("it does not panic");
    }
}
