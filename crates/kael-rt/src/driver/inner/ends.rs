//! How operations end: what the kernel says of them, and asking it to stop.

use super::{
    super::slot::{Slot, SlotId, State},
    Act, Inner, MAX_DELAY_MS,
};
use crate::{
    error::Fault,
    op::{Gives, Side},
    sys::{Event, MORE, NOTIFICATION},
};
use std::ptr::NonNull;

impl Inner {
    /// The next thing that the backend reports, and what is to be done about it; `None` when there
    /// is no more.
    #[inline(always)]
    pub(in crate::driver) fn next(&mut self) -> Option<Act> {
        let event = self.backend.next()?;
        Some(self.complete(event))
    }

    /// Takes note of what the kernel says, and says what is to be done about it.
    #[inline(always)]
    pub(in crate::driver) fn complete(&mut self, event: Event) -> Act {
        let id = SlotId(event.user);
        let Some(slot) = self.slots.find(id) else { return self.ignore() };
        let head = self.slots.head_at(slot);
        if !head.state.is_out() {
            return self.ignore();
        }
        if event.flags != 0 {
            return self.complete_flagged(slot, event);
        }
        head.result = event.result;
        self.finished(slot)
    }

    /// Late, forged, or twice: it must not reach another operation.
    #[cold]
    fn ignore(&mut self) -> Act {
        self.stale += 1;
        Act::Nothing
    }

    /// A completion that more follow, that follows another, or that brings a buffer.
    #[cold]
    fn complete_flagged(&mut self, slot: NonNull<Slot>, event: Event) -> Act {
        let head = self.slots.head_at(slot);
        if event.flags & NOTIFICATION != 0 {
            if head.flags & MORE == 0 {
                // No result came before, so the kernel has the buffer still.
                self.stale += 1;
                return Act::Nothing;
            }
            // Now the buffer is ours again.
            head.flags = 0;
            return self.finished(slot);
        }
        if event.flags & MORE != 0 && head.multishot {
            let index = head.id.index();
            self.push_item(index, event);
            let waker = self.slots.head_at(slot).waker.take();
            return waker.map_or(Act::Nothing, Act::Wake);
        }
        head.result = event.result;
        head.flags = event.flags;
        if event.flags & MORE != 0 {
            return Act::Nothing;
        }
        self.finished(slot)
    }

    /// The kernel has let go of an operation.
    #[inline(always)]
    pub(super) fn finished(&mut self, slot: NonNull<Slot>) -> Act {
        let head = self.slots.head_at(slot);
        if head.result < 0 {
            return self.failed(slot);
        }
        let whole = head.result as u32 >= head.asked;
        self.over(slot, whole)
    }

    #[cold]
    fn failed(&mut self, slot: NonNull<Slot>) -> Act {
        if self.is_asked_again(slot) {
            return Act::Nothing;
        }
        let whole = !self.slots.head_at(slot).steps;
        self.over(slot, whole)
    }

    /// `whole`: the operation's own code need not see what it got.
    #[inline(always)]
    fn over(&mut self, slot: NonNull<Slot>, whole: bool) -> Act {
        self.ended += 1;
        let head = self.slots.head_at(slot);
        head.state = State::Done;
        // What was asked to stop may have its gate to give up, see `Driver::end_use`.
        if head.orphan || head.stop.is_some() || !whole {
            return Act::Follow(head.id);
        }
        let Some(waker) = head.waker.take() else { return Act::Follow(head.id) };
        if head.side == Some(Side::Write)
            && let Some(node) = head.fd
        {
            let index = head.id.index();
            if self.leave_gate(index, node, Side::Write) {
                return Act::Pump(waker, node);
            }
        }
        Act::Wake(waker)
    }

    /// Looks at an error. True: nothing has happened, and the operation will be asked again, at
    /// once the first time and then later and later, so that it cannot keep the core busy.
    #[cold]
    fn is_asked_again(&mut self, slot: NonNull<Slot>) -> bool {
        let ending = self.ending;
        let head = self.slots.head_at(slot);
        let nothing = [libc::EINTR, libc::EAGAIN].contains(&-head.result);
        if let Some(fault) = head.stop {
            if nothing || head.result == -libc::ECANCELED {
                head.result = fault.code();
            }
            return false;
        }
        if !nothing || head.cancelled || head.multishot || head.gives == Gives::Closed || ending {
            return false;
        }
        self.ended += 1;
        head.begun = true;
        let before = head.repeats;
        head.repeats = before.saturating_add(1);
        let id = head.id;
        match before {
            0 => drop(self.put_off(slot)),
            n => self.delay(id, (1 << u32::from(n - 1).min(6)).min(MAX_DELAY_MS)),
        }
        true
    }

    /// Asks the backend to stop an operation, at the next turn.
    pub(in crate::driver) fn cancel(&mut self, index: u32) {
        let head = self.slots.head(index);
        if !head.cancelled {
            head.cancelled = true;
            let id = head.id;
            if self.backend.cancel(id).is_err() {
                self.cancels.push(index);
            }
        }
    }

    /// A live future's operation shall stop. `Some(())`: it had not started, and is done.
    pub(in crate::driver) fn cancel_for(&mut self, id: SlotId, fault: Fault) -> Option<()> {
        let head = self.slots.current(id)?;
        match head.state {
            State::InFlight => {
                head.stop = Some(fault);
                self.cancel(id.index());
                None
            }
            State::Queued | State::Backlog | State::Delayed => {
                self.unlink(id);
                self.fail(id, fault.code());
                Some(())
            }
            _ => None,
        }
    }
}
