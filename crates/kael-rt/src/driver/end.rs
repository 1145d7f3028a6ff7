//! The end of a driver: it waits for the kernel.
//!
//! Closing a ring is asynchronous in Linux: a worker of the kernel may write into a buffer long
//! after close(2) has returned (measured). So the end cancels everything, reaps every completion,
//! and only then frees. Past its time limit it leaks slots, buffers and descriptors on purpose,
//! and counts them: it never frees what the kernel may still write.

use super::{
    Driver, Wait,
    inner::Inner,
    slot::{IN_CHAIN, NONE, SlotId, State},
};
use crate::{error::Fault, task::context};
use std::{mem, time::Duration};

impl Driver {
    /// Ends the driver; returns how many operations were leaked because the kernel, or a job of
    /// the pool, did not let go of them within `limit`.
    pub(crate) fn shutdown(&self, limit: Duration) -> u64 {
        let now = |driver: &Driver| driver.with(|inner| inner.backend.now_ns()).unwrap_or(0);
        let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let end = now(self).saturating_add(limit_ns);
        if self.is_ending() {
            return 0;
        }
        self.count_keys();
        self.0.spares.clear();
        self.with(|inner| inner.begin_to_end());
        context::end_driver();
        let count = self.with(|inner| inner.slots.len()).unwrap_or(0);
        for index in 0..count {
            match self.with(|inner| inner.ends(index)).flatten() {
                Some(Ends::Discard(id)) => self.discard(id),
                Some(Ends::Finish(id)) => self.finish(id),
                None => {}
            }
        }
        // The limit is on the backend's clock, which is the real one even when the core's clock is
        // paused. Short steps, because a job of the pool may end without a completion.
        let mut short_ns = 1_000_000;
        while self.in_flight() > 0 || self.with(Inner::lingers) == Some(true) {
            let now = now(self);
            if now >= end {
                break;
            }
            let until = now.saturating_add(short_ns).min(end);
            short_ns = (short_ns * 2).min(50_000_000);
            if self.turn(Wait::Until(Some(until))).is_err() {
                break;
            }
        }
        // What was dropped above has queued its closes, and nobody will turn any more.
        self.flush();
        let counters = self.counters();
        // Slots that are still in use now are leaked, counted as such, or lost by a mistake.
        let lost = counters.slots.saturating_sub(counters.in_flight);
        self.0.last.set(super::DriverCounters { in_flight: 0, slots: lost, ..counters });
        let Some(mut inner) = self.0.inner.take() else { return 0 };
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
    /// Something that belongs to no slot is not over.
    fn lingers(&mut self) -> bool {
        // Both are told that the core ends.
        self.backend.ends_accepting() | self.backend.lingers()
    }

    /// What the end does with a slot.
    fn ends(&mut self, index: u32) -> Option<Ends> {
        let head = self.slots.head(index);
        let id = head.id;
        if head.chain != IN_CHAIN {
            head.chain = NONE;
        }
        match head.marks.state {
            State::Free | State::Reserved => None,
            State::Queued | State::Backlog | State::Delayed | State::CarryReady => {
                let orphan = head.marks.orphan;
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
