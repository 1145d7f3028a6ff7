//! Sends of which nobody waits to hear.
//!
//! A queued send concerns nobody while it works, so it shall not end a wait either. It may not wait in
//! the kernel (MSG_DONTWAIT) and wants all or an error (MSG_WAITALL): its answer is there when the call
//! that took its submission begins to wait. So a wait is for one answer more than there are such sends.
//!
//! Not all of them are sent, though: a socket may be full, and then the answer that says so is not heard before another comes.
//! Such a wait has a limit (the backend's), and the stream's next sends are heard, until many have found room.
//!
//! ```text
//!            start            answered: all of it
//!   (slot) ────────▶ quiet ───────────────────────▶ over; the gate, the slot and the buffer are free
//!                      │ answered: the socket is full, or an error
//!                      ▼
//!                    asked again, as a send that waits in the kernel
//! ```
//!
//! Their completions could be spared (IOSQE_CQE_SKIP_SUCCESS), and silence be taken for success. But each
//! submission with that flag writes to memory of the ring that other processors read when they wake us, and that
//! costs more than a completion.

use super::{
    super::{
        descriptor::{Descriptor, Gate},
        ops::Vtable,
        slot::{NONE, Slot, SlotId, State},
    },
    Act, Inner,
};
use crate::{
    op::{Plain, Side, Span, Traits},
    sys::Started,
};
use std::ptr::NonNull;

/// After a send that found its socket full, so many more of the stream are heard.
const PRESSED: u16 = 1024;

impl Inner {
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

    /// Whether the next queued send of this stream is heard, because it may find the socket full. It is counted.
    #[inline(always)]
    pub(super) fn hears_next(fd: &Descriptor) -> bool {
        let left = fd.pressed.get();
        if left > 0 {
            fd.pressed.set(left - 1);
        }
        left > 0
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

    /// Nobody waits for what a quiet send holds: its answer need not end a wait.
    #[inline]
    pub(super) fn is_patient(&self) -> bool {
        !self.hurried && self.waiting_futures == 0 && !self.ending
    }

    /// Sends what there is room for, if the backend can tell at once.
    #[inline(always)]
    pub(in crate::driver) fn send_at_once(&mut self, span: &Span<'_>) -> Option<i32> {
        // What is not sent needs a slot.
        if self.slots.used() == self.slots.max() {
            return None;
        }
        // SAFETY: the bytes are borrowed for the call.
        let result = unsafe { self.backend.send_at_once(span.fd.number(), span.at, span.len) }?;
        if result == span.len as i32 {
            self.started += 1;
            self.ended += 1;
            self.queued_sends += 1;
        }
        Some(result)
    }

    /// Hands a send, whose gate is open, to the backend, and leaves it to itself. It must be placed in the
    /// slot before anything else. With an id: it is over already. `None`: there is no slot. `known`: it was tried, and
    /// that came of it.
    ///
    /// # Safety
    /// As for [`launch_plain`](Inner::launch_plain).
    #[inline(always)]
    pub(in crate::driver) unsafe fn launch_quiet(
        &mut self,
        span: Span<'_>,
        traits: &'static Traits,
        vtable: &'static Vtable,
        known: Option<i32>,
    ) -> Option<(NonNull<Slot>, Option<SlotId>)> {
        let slot = self.slots.reserve(traits, vtable, vtable.left)?;
        let head = self.slots.head_at(slot);
        head.fd = Some(span.fd.node());
        head.asked = span.len as u32;
        head.enough = i32::MAX;
        let id = head.id;
        span.fd.add_orphan();
        span.fd.gate(Side::Write).holder.set(id.index());
        let heard = Inner::hears_next(span.fd);
        // SAFETY: the caller's word. The descriptor is looked at before this returns.
        let mut request = unsafe { Plain::Send { wait_all: true }.request(span) };
        request.set_quiet(true, heard);
        let started = match known {
            Some(result) => Started::Done(result),
            None => self.backend.start_plain(id, Slot::packet(slot), request),
        };
        match started {
            Started::Queued => {
                self.started += 1;
                self.quiet += 1;
                Some((slot, None))
            }
            Started::Done(result) => {
                let _ = self.answer_at_once(slot, result);
                Some((slot, Some(id)))
            }
            Started::Filled(..) => unreachable!("a send fills nothing"),
            Started::Full => {
                self.slots.head_at(slot).marks.quiet = false;
                let _ = self.put_off(slot);
                Some((slot, None))
            }
        }
    }

    /// A quiet send is answered. Mostly it has succeeded, and nobody waits for what it had: then its gate and
    /// its slot are free at once. `None`: it goes on, or ends, as any other.
    #[inline(always)]
    pub(super) fn let_go(&mut self, slot: NonNull<Slot>, result: i32, flags: u32) -> Option<Act> {
        self.quiet -= 1;
        let head = self.slots.head_at(slot);
        head.marks.quiet = false;
        if result < 0 || result as u32 != head.asked || flags != 0 {
            if let Some(fd) = head.fd {
                // SAFETY: the operation in the slot uses the descriptor.
                unsafe { fd.as_ref() }.pressed.set(PRESSED);
            }
            return None;
        }
        self.queued_sends += 1;
        if self.waiting_futures > 0 || self.ending || !head.marks.orphan {
            return None;
        }
        // SAFETY: the operation in the slot uses the descriptor.
        let fd = unsafe { head.fd?.as_ref() };
        if fd.write.first.get() != NONE {
            return None;
        }
        debug_assert_eq!(fd.write.holder.get(), head.id.index(), "it has its gate");
        self.ended += 1;
        let discard = head.vtable.discard;
        head.marks.state = State::Done;
        fd.write.holder.set(NONE);
        fd.end_orphan();
        self.slots.release(slot, false);
        Some(Act::Discard(discard, Slot::body(slot)))
    }
}
