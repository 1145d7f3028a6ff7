//! How operations end: what the kernel says of them, and asking it to stop.

use super::{
    super::slot::{Answer, IN_CHAIN, NONE, Slot, SlotId, Slots, State},
    Act, Inner, MAX_DELAY_MS,
    items::group_of,
};
use crate::{
    driver::Descriptor,
    error::Fault,
    op::{Gives, Side},
    sys::{Backend, COPIED, Event, LOOK, MORE, NOTIFICATION, buffer_of, errno, prefetch},
    task::{wake_here, wake_here_by_ref},
};
use std::{
    ops::ControlFlow::{self, Break, Continue},
    ptr::NonNull,
    task::Waker,
};

/// What a completion asks for beside the wake of a task of this core.
enum Beyond {
    /// The waker is somebody else's.
    Wake(Waker),
    /// And the next writer may go.
    Pump(Waker, NonNull<Descriptor>),
    /// It is no plain answer: the result, and the flags. (In parts, see [`Inner::complete_closely`].)
    Closely(NonNull<Slot>, i32, u32),
    /// A future is to look.
    Tell(u32),
    /// It is nobody's.
    Ignore,
}

/// Takes note of a completion, and wakes its task if that is all: a plain transfer got what it wanted, and its future is there.
/// Nothing but the slot and the task is touched, so that what says where the next completion is stays where it is.
#[inline(always)]
fn settle(slots: &mut Slots, ended: &mut u64, event: Event) -> ControlFlow<Beyond> {
    let id = SlotId(event.user);
    if Backend::ON_DEMAND && event.flags == LOOK {
        return Break(Beyond::Tell(id.index()));
    }
    let Some(slot) = slots.find_out(id) else { return Break(Beyond::Ignore) };
    let head = slots.head_at(slot);
    if event.flags != 0 || event.result < head.enough {
        return Break(Beyond::Closely(slot, event.result, event.flags));
    }
    *ended += 1;
    head.result = event.result;
    head.marks.state = State::Done;
    head.marks.answer = Answer::Plain;
    debug_assert!(head.waker.is_some() && head.fd.is_some());
    // SAFETY: a plain transfer was started with a waker, which stays until its answer comes or
    // its future goes; and then nothing would be `enough`.
    let waker = unsafe { head.waker.take().unwrap_unchecked() };
    if head.marks.side.is_none() {
        // A device may have put it there, and then its first line is in no cache of ours. All lines of a turn come
        // while its tasks are woken.
        prefetch(head.region.as_ptr());
    }
    if head.marks.side == Some(Side::Write) {
        // SAFETY: a plain transfer has its descriptor noted.
        let node = unsafe { head.fd.unwrap_unchecked() };
        // SAFETY: the operation in the slot uses it.
        let gate = &unsafe { node.as_ref() }.write;
        debug_assert_eq!(gate.holder.get(), id.index());
        gate.holder.set(NONE);
        if gate.first.get() != NONE {
            return Break(Beyond::Pump(waker, node));
        }
    }
    // No user code runs for a task of this core: it goes to the end of the run queue.
    match wake_here(waker) {
        Ok(()) => Continue(()),
        Err(waker) => Break(Beyond::Wake(waker)),
    }
}

impl Inner {
    /// Takes note of what the backend reports and wakes the tasks of this core, at most `left`
    /// times, until something else is to be done.
    #[inline(always)]
    pub(in crate::driver) fn reap(&mut self, left: &mut u32) -> Option<Act> {
        while *left > 0
            && let Some(event) = self.backend.next_own()
        {
            *left -= 1;
            match self.complete(event) {
                Act::Nothing => {}
                act => return Some(act),
            }
        }
        loop {
            let mut ended = 0;
            let slots = &mut self.slots;
            let beyond = self.backend.each(left, |event| settle(slots, &mut ended, event));
            self.ended += ended;
            match beyond.map(|beyond| self.go_beyond(beyond)) {
                Some(Act::Nothing) => {}
                // No user code runs for a task of this core: it goes to the end of the run queue.
                Some(Act::Wake(waker)) => {
                    if let Err(waker) = wake_here(waker) {
                        return Some(Act::Wake(waker));
                    }
                }
                Some(act) => return Some(act),
                None => break,
            }
        }
        if *left > 0 {
            self.hurried &= self.quiet > 0;
        }
        None
    }

    /// Takes note of what the kernel says, and says what is to be done about it.
    #[cold]
    pub(in crate::driver) fn complete(&mut self, event: Event) -> Act {
        let mut ended = 0;
        let settled = settle(&mut self.slots, &mut ended, event);
        self.ended += ended;
        match settled {
            ControlFlow::Continue(()) => Act::Nothing,
            ControlFlow::Break(beyond) => self.go_beyond(beyond),
        }
    }

    #[inline(always)]
    fn go_beyond(&mut self, beyond: Beyond) -> Act {
        match beyond {
            Beyond::Wake(waker) => Act::Wake(waker),
            Beyond::Pump(waker, node) => Act::Pump(waker, node),
            Beyond::Closely(slot, result, flags) => {
                self.expect_next();
                if self.slots.head_at(slot).marks.quiet
                    && let Some(act) = self.let_go(slot, result, flags)
                {
                    return act;
                }
                self.complete_closely(slot, result, flags)
            }
            Beyond::Tell(index) => self.tell(index),
            Beyond::Ignore => self.ignore(),
        }
    }

    /// What the next completions will be about is on its way meanwhile. (How far ahead: as measured with 512 and 2,000
    /// connections.)
    #[inline(always)]
    fn expect_next(&mut self) {
        if !Backend::ON_DEMAND {
            self.slots.expect(self.backend.soon(6));
            self.slots.expect_owner(self.backend.soon(2));
        }
    }

    /// The future of a multishot is to look. (If it were another's, that one would look in vain.) Its waker stays.
    #[inline(always)]
    fn tell(&mut self, index: u32) -> Act {
        if index >= self.slots.len() {
            return Act::Nothing;
        }
        // Those who come after the next one, and the next one's task, are on their way meanwhile.
        self.slots.expect(self.backend.soon(1));
        self.slots.expect_owner(self.backend.soon(0));
        let head = self.slots.head(index);
        match &head.waker {
            Some(waker) if head.marks.state == State::InFlight => {
                if let Some(fd) = head.fd {
                    prefetch(fd.as_ptr());
                }
                if wake_here_by_ref(waker) {
                    return Act::Nothing;
                }
            }
            _ => return Act::Nothing,
        }
        // A plain transfer's stays in any case, see `complete`.
        if !head.vtable.traits.multishot {
            return Act::Nothing;
        }
        head.waker.take().map_or(Act::Nothing, Act::Wake)
    }

    /// The future of a multishot waits, and there is something. Its waker stays for the next time, if it is a task's of
    /// this core.
    #[inline(always)]
    fn wake_for_item(&mut self, slot: NonNull<Slot>) -> Act {
        let waker = &mut self.slots.head_at(slot).waker;
        match waker {
            Some(own) if wake_here_by_ref(own) => Act::Nothing,
            _ => waker.take().map_or(Act::Nothing, Act::Wake),
        }
    }

    /// Late, forged, or twice: it must not reach another operation.
    #[cold]
    fn ignore(&mut self) -> Act {
        self.stale += 1;
        Act::Nothing
    }

    /// An error, less than was wanted, an orphan's; or a completion that more follow, that follows
    /// another, or that brings a buffer. (Its event comes in parts: as a whole it would lie in memory, for every completion
    /// and not only for these, and what is written there in parts and read as a whole is waited for.)
    #[inline(never)]
    fn complete_closely(&mut self, slot: NonNull<Slot>, result: i32, flags: u32) -> Act {
        let head = self.slots.head_at(slot);
        let (user, waits) = (head.id.0, head.marks.answer == Answer::Nothing);
        let flags = self.backend.flags(Event { user, result, flags });
        let event = Event { user, result, flags };
        if !self.is_plain_item(slot, event) {
            return self.complete_with_care(slot, event, waits);
        }
        self.push_item(slot, event);
        if waits { self.wake_for_item(slot) } else { Act::Nothing }
    }

    /// A receive that goes on has filled one buffer of its pool, which is ours then.
    #[inline(always)]
    fn is_plain_item(&mut self, slot: NonNull<Slot>, event: Event) -> bool {
        let head = self.slots.head_at(slot);
        let traits = &head.vtable.traits;
        let Some(buffer) = buffer_of(event.flags) else { return false };
        traits.multishot
            && traits.pooled
            && event.flags & (MORE | NOTIFICATION) == MORE
            && self.backend.claim(group_of(head.held), buffer, event.result)
    }

    #[inline(never)]
    fn complete_with_care(&mut self, slot: NonNull<Slot>, mut event: Event, waits: bool) -> Act {
        if buffer_of(event.flags).is_some() || self.slots.head_at(slot).vtable.traits.pooled {
            self.unbundle(slot, &mut event);
            self.take_buffer(slot, &mut event);
        }
        let head = self.slots.head_at(slot);
        if event.flags & NOTIFICATION != 0 {
            if head.marks.flags & MORE == 0 {
                // No result came before, so the kernel has the buffer still.
                self.stale += 1;
                return Act::Nothing;
            }
            // Now the buffer is ours again.
            head.marks.flags = 0;
            // After an error nothing was sent, and so nothing copied.
            if head.result >= 0 {
                self.zero_copy_sends += 1;
                self.zero_copy_copied += u64::from(event.result == COPIED);
            }
            return self.finished(slot);
        }
        if event.result < 0 {
            self.give_place_back(slot);
        }
        if self.slots.head_at(slot).vtable.traits.multishot {
            if event.flags & MORE != 0 {
                self.push_item(slot, event);
                return if waits { self.wake_for_item(slot) } else { Act::Nothing };
            }
            self.list_first(slot);
        }
        let head = self.slots.head_at(slot);
        head.result = event.result;
        head.marks.flags = event.flags;
        if event.flags & MORE != 0 {
            return Act::Nothing;
        }
        self.finished(slot)
    }

    /// A pooled receive has got something, or another operation claims to have. A buffer that was not
    /// lent, or bytes without one, can only be a mistake of the kernel's: the stream is not believed.
    pub(super) fn take_buffer(&mut self, slot: NonNull<Slot>, event: &mut Event) {
        let head = self.slots.head_at(slot);
        let pooled = head.vtable.traits.pooled;
        let right = match buffer_of(event.flags) {
            Some(buffer) if pooled => self.backend.claim(group_of(head.held), buffer, event.result),
            Some(_) => false,
            None => event.result <= 0,
        };
        if !right {
            self.stale += 1;
            event.flags &= MORE | NOTIFICATION;
            if pooled {
                event.result = -errno::EIO;
            }
        }
    }

    /// The kernel has let go of an operation.
    fn finished(&mut self, slot: NonNull<Slot>) -> Act {
        if self.slots.head_at(slot).result < 0 && self.is_asked_again(slot) {
            return Act::Nothing;
        }
        self.ended += 1;
        let head = self.slots.head_at(slot);
        head.marks.state = State::Done;
        if head.chain != NONE {
            self.go_on(slot);
        }
        let head = self.slots.head_at(slot);
        let whole = head.result >= 0 && head.result as u32 >= head.asked;
        // What was asked to stop may have its gate to give up, see `Driver::end_use`.
        if head.marks.orphan || head.marks.stop.is_some() || (head.vtable.traits.steps && !whole) {
            return Act::Follow(head.id);
        }
        let Some(waker) = head.waker.take() else { return Act::Follow(head.id) };
        if head.marks.side == Some(Side::Write)
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
        // The rest of a chain that the system carries out is cancelled already.
        let nothing =
            head.chain != IN_CHAIN && [errno::EINTR, errno::EAGAIN].contains(&-head.result);
        if let Some(fault) = head.marks.stop {
            if nothing || head.result == -errno::ECANCELED {
                head.result = fault.code();
            }
            return false;
        }
        if !nothing
            || head.marks.cancelled
            || head.vtable.traits.multishot
            || head.marks.gives == Gives::Closed
            || ending
        {
            return false;
        }
        self.ended += 1;
        head.marks.begun = true;
        let before = head.marks.repeats;
        head.marks.repeats = before.saturating_add(1);
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
        if !head.marks.cancelled {
            head.marks.cancelled = true;
            let id = head.id;
            let packet = Slot::packet(self.slots.at(index));
            if self.backend.cancel(id, packet).is_err() {
                self.cancels.push(index);
            }
        }
    }

    /// A live future's operation shall stop. `Some(())`: it had not started, and is done.
    pub(in crate::driver) fn cancel_for(&mut self, id: SlotId, fault: Fault) -> Option<()> {
        let head = self.slots.current(id)?;
        match head.marks.state {
            State::InFlight => {
                head.stop_for(fault);
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
