//! What waits: requests for room in the submission queue or for their time, futures for a slot.

use super::{
    super::slot::{NONE, Slot, SlotId, State},
    Inner, Launch,
};
use crate::{
    driver::slot::{Head, Marks, Rest},
    task::context,
};
use std::{mem, ptr::NonNull, task::Waker};

fn now_ns() -> u64 {
    context::with("a back-off", |core| core.timers.clock().now_ns())
}

impl Inner {
    #[cold]
    pub(super) fn put_off(&mut self, slot: NonNull<Slot>) -> Launch {
        let head = self.slots.head_at(slot);
        head.marks.state = State::Backlog;
        let index = head.id.index();
        self.push_backlog(index);
        Launch::Pending
    }

    pub(in crate::driver) fn delay(&mut self, id: SlotId, ms: u32) {
        self.starved += 1;
        let due = now_ns() + u64::from(ms) * 1_000_000;
        self.slots.head(id.index()).marks.state = State::Delayed;
        self.delayed.push((due, id));
    }

    pub(in crate::driver) fn deadline(&self) -> Option<u64> {
        self.delayed.iter().map(|(due, _)| *due).min()
    }

    /// The delay of a slot is over.
    #[cold]
    pub(super) fn is_due(&self) -> bool {
        self.deadline().is_some_and(|due| due <= now_ns())
    }

    /// A slot that had to wait and may be started now.
    #[cold]
    pub(super) fn next_waiting(&mut self) -> Option<SlotId> {
        if !self.delayed.is_empty() {
            let now = now_ns();
            if let Some(i) = self.delayed.iter().position(|(due, _)| *due <= now) {
                return Some(self.delayed.swap_remove(i).1);
            }
        }
        if self.backlog.first == NONE || !self.backend.has_room() {
            return None;
        }
        let index = self.backlog.first;
        let id = self.slots.head(index).id;
        self.backlog.first = self.slots.rest(index).next;
        match self.backlog.first {
            NONE => self.backlog.last = NONE,
            next => self.slots.rest(next).prev = NONE,
        }
        Some(id)
    }

    pub(super) fn push_backlog(&mut self, index: u32) {
        let last = mem::replace(&mut self.backlog.last, index);
        let rest = self.slots.rest(index);
        (rest.prev, rest.next) = (last, NONE);
        match last {
            NONE => self.backlog.first = index,
            last => self.slots.rest(last).next = index,
        }
    }

    /// Takes a slot out of whatever it waits in, if the kernel does not have it.
    pub(in crate::driver) fn unlink(&mut self, id: SlotId) {
        let index = id.index();
        let Head { fd, marks: Marks { state, side, .. }, .. } = *self.slots.head(index);
        let Rest { prev, next, .. } = *self.slots.rest(index);
        match state {
            State::Delayed => self.delayed.retain(|(_, other)| *other != id),
            State::Queued | State::Backlog => {
                match prev {
                    NONE => {}
                    prev => self.slots.rest(prev).next = next,
                }
                match next {
                    NONE => {}
                    next => self.slots.rest(next).prev = prev,
                }
                if state == State::Backlog {
                    if prev == NONE {
                        self.backlog.first = next;
                    }
                    if next == NONE {
                        self.backlog.last = prev;
                    }
                } else if let (Some(node), Some(side)) = (fd, side) {
                    // SAFETY: the queued operation holds its descriptor, so the node is in use.
                    let gate = unsafe { node.as_ref() }.gate(side);
                    if prev == NONE {
                        gate.first.set(next);
                    }
                    if next == NONE {
                        gate.last.set(prev);
                    }
                }
            }
            _ => {}
        }
    }

    #[cold]
    pub(super) fn next_waiter(&mut self, slot_free: bool) -> Option<Waker> {
        let mut next = None;
        if slot_free {
            next = self.waiters[0].pop_front();
        }
        if next.is_none() && self.slots.has_room_for_peer() {
            next = self.waiters[1].pop_front();
        }
        self.count_waiters();
        next.map(|(_, waker)| waker)
    }

    pub(super) fn count_waiters(&mut self) {
        self.waiting_futures = self.waiters[0].len() + self.waiters[1].len();
    }

    pub(in crate::driver) fn wait_for_slot(
        &mut self,
        peer: bool,
        ticket: Option<u64>,
        waker: Waker,
    ) -> (u64, Option<Waker>) {
        let queue = &mut self.waiters[usize::from(peer)];
        let ticket = ticket.unwrap_or(self.next_ticket);
        self.next_ticket = self.next_ticket.max(ticket + 1);
        match queue.binary_search_by_key(&ticket, |(t, _)| *t) {
            Ok(i) => (ticket, Some(mem::replace(&mut queue[i].1, waker))),
            Err(i) => {
                queue.insert(i, (ticket, waker));
                self.count_waiters();
                (ticket, None)
            }
        }
    }

    pub(in crate::driver) fn leave_queue(&mut self, peer: bool, ticket: u64) -> Option<Waker> {
        let queue = &mut self.waiters[usize::from(peer)];
        let i = queue.binary_search_by_key(&ticket, |(t, _)| *t).ok()?;
        let own = queue.remove(i).map(|(_, waker)| waker);
        self.count_waiters();
        own
    }

    pub(in crate::driver) fn stop_waiting(
        &mut self,
        peer: bool,
        ticket: u64,
    ) -> (Option<Waker>, Option<Waker>) {
        let queue = &mut self.waiters[usize::from(peer)];
        match queue.binary_search_by_key(&ticket, |(t, _)| *t) {
            Ok(i) => {
                let own = queue.remove(i).map(|(_, waker)| waker);
                self.count_waiters();
                (own, None)
            }
            Err(_) => {
                let free = self.slots.used() < self.slots.max();
                (None, self.next_waiter(free))
            }
        }
    }
}
