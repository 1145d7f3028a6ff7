//! How answers reach their futures.

use super::{
    super::{
        Completion,
        key::Look,
        slot::{Answer, NONE, Slot, SlotId, State},
    },
    Inner, Taken,
};
use crate::op::{Side, Traits};
use std::{ptr::NonNull, task::Waker};

impl Inner {
    /// The answer of a plain transfer that went as most do: it got what it wanted, and nobody waits
    /// for its gate or its slot. The slot is free then, and the operation must be moved out of it
    /// before anything else. `None`: [`look`](Self::look) closer.
    #[inline(always)]
    pub(in crate::driver) fn take_plain(
        &mut self,
        slot: NonNull<Slot>,
        id: SlotId,
        traits: &Traits,
    ) -> Option<Completion<'static>> {
        let head = self.slots.head_at(slot);
        if head.marks.answer != Answer::Plain || self.waiting_futures > 0 {
            return None;
        }
        debug_assert_eq!(head.id, id, "a key's slot is in its use");
        // A write's gate was given up when its answer came, see `complete`.
        if traits.side == Some(Side::Read) {
            debug_assert!(head.fd.is_some());
            // SAFETY: a plain transfer has its descriptor noted, and the operation in the slot uses it.
            let gate = &unsafe { head.fd.unwrap_unchecked().as_ref() }.read;
            if gate.first.get() != NONE {
                return None;
            }
            debug_assert_eq!(gate.holder.get(), id.index(), "what is ready has its gate");
            gate.holder.set(NONE);
        }
        debug_assert!(head.marks.state == State::Done && head.waker.is_none());
        let (result, region) = (head.result, (head.region, head.region_len, 0));
        // SAFETY: what is ready got at least `enough`, which is never negative.
        unsafe { std::hint::assert_unchecked(result >= 0) };
        self.slots.release(slot, traits.waits_for_peer);
        Some(Completion::new(result, region, None))
    }

    /// What a future finds when it looks. An answer is handed out with it. If the slot is not
    /// `kept` it is free then, and the operation must be moved out of it before anything else.
    #[inline]
    pub(in crate::driver) fn look(&mut self, id: SlotId, waker: &Waker, kept: bool) -> Look {
        let head = self.slots.current(id).expect("a key's slot is in use");
        match head.marks.state {
            State::Done => Look::Done(self.taken(id, kept)),
            State::CarryReady => Look::FromCarry,
            _ if head.waker.as_ref().is_some_and(|own| own.will_wake(waker)) => Look::Pending,
            _ => Look::NewWaker,
        }
    }

    /// The future takes its answer.
    pub(in crate::driver) fn taken(&mut self, id: SlotId, kept: bool) -> Taken {
        let index = id.index();
        let done = self.done(index);
        let head = self.slots.head(index);
        assert!(head.marks.state == State::Done, "an answer is taken once it is there");
        head.marks.state = State::Reserved;
        let waker = head.waker.take();
        let gate = match (head.marks.side.take(), head.fd) {
            (Some(side), Some(node)) => Some((node, side)),
            _ => None,
        };
        let pump = gate.filter(|&(node, side)| self.leave_gate(index, node, side));
        let freed = if kept { None } else { self.release(index) };
        Taken { done, pump, waker, freed }
    }
}
