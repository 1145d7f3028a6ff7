//! The end of a driver: it waits for the kernel.
//!
//! Closing a ring is asynchronous in Linux: a worker of the kernel may write into a buffer long
//! after close(2) has returned (measured). So the end cancels everything, reaps every completion,
//! and only then frees. Past its time limit it leaks slots, buffers and descriptors on purpose,
//! and counts them: it never frees what the kernel may still write.

use super::{
    Driver, Wait,
    inner::Inner,
    slot::{SlotId, State},
};
use crate::error::Fault;
use std::{
    mem,
    time::{Duration, Instant},
};

impl Driver {
    /// Ends the driver; returns how many operations were leaked because the kernel, or a job of
    /// the pool, did not let go of them within `limit`.
    pub(crate) fn shutdown(&self, limit: Duration) -> u64 {
        let end = Instant::now().checked_add(limit);
        self.with(|inner| inner.ending = true);
        let count = self.with(|inner| inner.slots.len()).unwrap_or(0);
        for index in 0..count {
            match self.with(|inner| inner.ends(index)).flatten() {
                Some(Ends::Discard(id)) => self.discard(id),
                Some(Ends::Finish(id)) => self.finish(id),
                None => {}
            }
        }
        let mut short = Duration::from_millis(1);
        while self.in_flight() > 0 {
            let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            // A turn's time limit is on the core's clock, which may be virtual; so it waits in
            // short steps of real time until nothing is out.
            let until = crate::time::real_now_ns() + short.min(left).as_nanos() as u64;
            short = (short * 2).min(Duration::from_millis(50));
            if self.turn(Wait::Until(Some(until))).is_err() {
                break;
            }
        }
        let counters = self.counters();
        self.0.last.set(super::DriverCounters { in_flight: 0, slots: 0, carries: 0, ..counters });
        let Some(mut inner) = self.0.inner.borrow_mut().take() else { return 0 };
        let leaked = u64::from(inner.in_flight());
        if leaked > 0 {
            // The bodies stay where they are for ever; so do the operations in them.
            mem::forget(inner.slots);
            return leaked;
        }
        // SAFETY: nothing is in flight, every operation was moved out or dropped above, and the
        // backend, which alone could use a body, is dropped with `inner` unused.
        unsafe { inner.slots.free_all() };
        0
    }
}

enum Ends {
    Discard(SlotId),
    Finish(SlotId),
}

impl Inner {
    /// What the end does with a slot.
    fn ends(&mut self, index: u32) -> Option<Ends> {
        let head = self.slots.head(index);
        let id = SlotId::new(index, head.generation);
        match head.state {
            State::Free | State::Reserved => None,
            State::Queued | State::Backlog | State::Delayed | State::CarryReady => {
                let orphan = head.orphan;
                self.unlink(id);
                self.leave_quietly(index);
                if orphan {
                    self.fail(id, Fault::Ended.code());
                    return Some(Ends::Finish(id));
                }
                Some(Ends::Discard(id))
            }
            State::Done => {
                self.leave_quietly(index);
                self.make_orphan(index);
                Some(Ends::Finish(id))
            }
            State::Carry => {
                self.forget_carry(index);
                Some(Ends::Finish(id))
            }
            State::InFlight => {
                self.make_orphan(index);
                self.cancel(index);
                None
            }
        }
    }
}
