//! How operations end: what the kernel says of them, and asking it to stop.

use super::{
    super::slot::{SlotId, State},
    Act, Inner, MAX_DELAY_MS,
};
use crate::{
    error::Fault,
    op::{Gives, Side},
    sys::{Event, MORE, NOTIFICATION},
};

impl Inner {
    /// Takes note of what the kernel says, and says what is to be done about it.
    #[inline(always)]
    pub(in crate::driver) fn complete(&mut self, event: Event) -> Act {
        let id = SlotId(event.user);
        let Some(head) = self.slots.current(id).filter(|head| head.state.is_out()) else {
            // Late, forged, or twice: it must not reach another operation.
            self.stale += 1;
            return Act::Nothing;
        };
        if event.flags != 0 {
            return self.complete_flagged(id, event);
        }
        head.result = event.result;
        head.flags = 0;
        self.finished(id)
    }

    /// A completion that more follow, that follows another, or that brings a buffer.
    #[cold]
    pub(super) fn complete_flagged(&mut self, id: SlotId, event: Event) -> Act {
        let head = self.slots.head(id.index());
        if event.flags & NOTIFICATION != 0 {
            if head.flags & MORE == 0 {
                // No result came before, so the kernel has the buffer still.
                self.stale += 1;
                return Act::Nothing;
            }
            // Now the buffer is ours again.
            head.flags = 0;
            return self.finished(id);
        }
        if event.flags & MORE != 0 && head.multishot {
            self.push_item(id.index(), event);
            let waker = self.slots.head(id.index()).waker.take();
            return waker.map_or(Act::Nothing, Act::Wake);
        }
        head.result = event.result;
        head.flags = event.flags;
        if event.flags & MORE != 0 {
            return Act::Nothing;
        }
        self.finished(id)
    }

    /// The kernel has let go of an operation.
    #[inline(always)]
    pub(super) fn finished(&mut self, id: SlotId) -> Act {
        if self.slots.head(id.index()).result < 0 && self.is_asked_again(id) {
            return Act::Nothing;
        }
        let head = self.slots.head(id.index());
        head.state = State::Done;
        self.in_flight -= 1;
        self.completed += 1;
        let whole = head.result >= 0 && head.result as u32 >= head.asked;
        // What was asked to stop may have its gate to give up, see `Driver::end_use`.
        if head.orphan || head.stop.is_some() || (head.steps && !whole) {
            return Act::Follow(id);
        }
        let Some(waker) = head.waker.take() else { return Act::Follow(id) };
        if head.side == Some(Side::Write)
            && let Some(node) = head.fd
            && self.leave_gate(id.index(), node, Side::Write)
        {
            return Act::Pump(waker, node);
        }
        Act::Wake(waker)
    }

    /// Looks at an error. True: nothing has happened, and the operation will be asked again, at
    /// once the first time and then later and later, so that it cannot keep the core busy.
    #[cold]
    pub(super) fn is_asked_again(&mut self, id: SlotId) -> bool {
        let ending = self.ending;
        let head = self.slots.head(id.index());
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
        self.in_flight -= 1;
        self.completed += 1;
        head.begun = true;
        let before = head.repeats;
        head.repeats = before.saturating_add(1);
        match before {
            0 => drop(self.put_off(id.index())),
            n => self.delay(id, (1 << u32::from(n - 1).min(6)).min(MAX_DELAY_MS)),
        }
        true
    }

    /// Asks the backend to stop an operation, at the next turn.
    pub(in crate::driver) fn cancel(&mut self, index: u32) {
        let head = self.slots.head(index);
        if !head.cancelled {
            head.cancelled = true;
            let id = SlotId::new(index, head.generation);
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
