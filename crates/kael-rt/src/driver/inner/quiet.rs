//! Sends that say nothing when they succeed.
//!
//! A queued send concerns nobody while it works, so it shall not end a wait either: its submission
//! asks for no completion of success (IOSQE_CQE_SKIP_SUCCESS). How its buffer comes back all the
//! same: it may not wait in the kernel (MSG_DONTWAIT) and wants all or an error (MSG_WAITALL), so it
//! is over when the call that took its submission has returned. Either its completion is in the
//! queue then (an error, or how far it came), or it has succeeded.
//!
//! ```text
//!            start                taken, and no completion is unread
//!   (slot) ────────▶ quiet ───────────────────────────────────────────▶ done
//!                      │ a completion: the socket is full, or an error
//!                      ▼
//!                    asked again, as a send that waits and answers
//! ```
//!
//! Silence is not believed while completions are unread, or when the kernel has dropped some.

use super::{
    super::{
        descriptor::{Descriptor, Gate},
        ops::Vtable,
        slot::{NONE, Slot, SlotId, State},
    },
    Inner, Settled,
};
use crate::{
    op::{Plain, Side, Span, Traits},
    sys::{Backend, Silence, Started},
};
use std::ptr::NonNull;

impl Inner {
    /// Notes a send that was just handed to the backend and will say nothing of its success.
    pub(super) fn keep_quiet(&mut self, id: SlotId) {
        self.quiet.push_back((id, self.backend.position()));
    }

    /// Somebody waits for what a quiet send holds: its gate, its slot or its buffer.
    pub(in crate::driver) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// The same for somebody at a gate.
    pub(super) fn hurry_holder(&mut self, gate: &Gate) {
        let holder = gate.holder.get();
        if holder != NONE && self.slots.head(holder).marks.quiet {
            self.hurry();
        }
    }

    /// A queued send cannot go on at once, and nobody has the stream any more: what is queued behind
    /// it is given up with it, for there would be a gap.
    pub(super) fn gives_up(node: NonNull<Descriptor>) -> bool {
        // SAFETY: the operation in the slot uses the descriptor.
        let fd = unsafe { node.as_ref() };
        if !fd.is_abandoned() {
            return false;
        }
        fd.end_writes();
        true
    }

    /// A turn must not wait: nothing would tell it that somebody can go on.
    #[inline]
    pub(super) fn may_not_wait(&self) -> bool {
        Backend::IS_SILENT
            && !self.quiet.is_empty()
            && (self.hurried || self.waiting_futures > 0 || self.ending)
    }

    /// Hands a send, whose gate is open, to the backend, and leaves it to itself. It must be placed in the
    /// slot before anything else. With an id: it is over already. `None`: there is no slot.
    ///
    /// # Safety
    /// As for [`launch_plain`](Inner::launch_plain).
    #[inline(always)]
    pub(in crate::driver) unsafe fn launch_quiet(
        &mut self,
        span: Span<'_>,
        traits: &'static Traits,
        vtable: &'static Vtable,
    ) -> Option<(NonNull<Slot>, Option<SlotId>)> {
        let slot = self.slots.reserve(traits, vtable, vtable.left)?;
        let head = self.slots.head_at(slot);
        head.fd = Some(span.fd.node());
        head.asked = span.len as u32;
        head.enough = i32::MAX;
        let id = head.id;
        span.fd.add_orphan();
        span.fd.gate(Side::Write).holder.set(id.index());
        // SAFETY: the caller's word. The descriptor is looked at before this returns.
        let mut request = unsafe { Plain::Send { wait_all: true }.request(span) };
        request.set_quiet(true);
        match self.backend.start(id, request) {
            Started::Queued => {
                self.started += 1;
                self.keep_quiet(id);
                Some((slot, None))
            }
            Started::Done(result) => {
                self.slots.head_at(slot).marks.quiet = false;
                let _ = self.answer(slot, result);
                Some((slot, Some(id)))
            }
            Started::Full => {
                self.slots.head_at(slot).marks.quiet = false;
                let _ = self.put_off(slot);
                Some((slot, None))
            }
        }
    }

    /// A quiet send that is over.
    #[inline]
    pub(in crate::driver) fn next_settled(&mut self) -> Option<Settled> {
        while let Some(&(id, position)) = self.quiet.front() {
            // If it has spoken, it is over, or asked again as any other.
            let Some(slot) = self.slots.find(id) else {
                self.quiet.pop_front();
                continue;
            };
            if !self.slots.head_at(slot).marks.quiet {
                self.quiet.pop_front();
                continue;
            }
            let silence = self.backend.silence(position);
            if silence == Silence::Undecided {
                return None;
            }
            self.quiet.pop_front();
            self.ended += 1;
            let head = self.slots.head_at(slot);
            head.marks.quiet = false;
            head.marks.state = State::Done;
            if silence != Silence::Success {
                head.result = -libc::EIO;
                return Some(Settled::Closely(id));
            }
            head.result = head.asked.min(i32::MAX as u32) as i32;
            self.queued_sends += 1;
            return Some(self.let_go(slot, id));
        }
        self.hurried = false;
        None
    }

    /// Nobody waits for what a send had, mostly: then its gate and its slot are free at once.
    #[inline]
    fn let_go(&mut self, slot: NonNull<Slot>, id: SlotId) -> Settled {
        let head = self.slots.head_at(slot);
        let (Some(node), false) = (head.fd, self.waiting_futures > 0 || self.ending) else {
            return Settled::Closely(id);
        };
        // SAFETY: the operation in the slot uses the descriptor.
        let fd = unsafe { node.as_ref() };
        if fd.write.first.get() != NONE || !head.marks.orphan {
            return Settled::Closely(id);
        }
        debug_assert_eq!(fd.write.holder.get(), id.index(), "it has its gate");
        let discard = head.vtable.discard;
        fd.write.holder.set(NONE);
        fd.end_orphan();
        self.slots.release(slot, false);
        Settled::Over(discard, Slot::body(slot))
    }
}
