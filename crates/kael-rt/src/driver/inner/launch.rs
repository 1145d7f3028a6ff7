//! How operations begin: a slot, a gate, and the backend.

use super::{
    super::{
        aligned::Alignment,
        descriptor::{Descriptor, Gate},
        ops::Vtable,
        slot::{NONE, Slot, SlotId, State},
    },
    Inner, Launch,
    items::pooled_note,
};
use crate::{
    error::Fault,
    op::{Gives, Plain, RecvFlags, Request, SendFlags, Side, Span, Traits},
    sys::{Event, Region, Started},
};
use std::{
    mem,
    ptr::{self, NonNull},
    slice,
    task::Waker,
};

impl Inner {
    /// Takes a slot for an operation that `waker` waits for; gives the waker back at the bound.
    pub(in crate::driver) fn reserve(
        &mut self,
        traits: &Traits,
        vtable: &'static Vtable,
        waker: Waker,
    ) -> Result<(NonNull<Slot>, SlotId), Waker> {
        let Some(slot) = self.slots.reserve(traits, vtable, vtable.reserved) else {
            return Err(waker);
        };
        let head = self.slots.head_at(slot);
        head.keep_first(waker);
        Ok((slot, head.id))
    }

    /// Gives a plain transfer, whose gate is open, a slot and hands it to the backend. The operation
    /// must be placed in the slot before anything else. At the bound the waker comes back.
    ///
    /// # Safety
    /// The span's memory is the operation's as its traits say, and is not touched by anybody before
    /// the backend has let go of it.
    #[inline(always)]
    pub(in crate::driver) unsafe fn launch_plain(
        &mut self,
        span: Span<'_>,
        plain: Plain,
        traits: &'static Traits,
        vtable: &'static Vtable,
        waker: Waker,
    ) -> Result<(NonNull<Slot>, SlotId, Launch), Waker> {
        let Some(slot) = self.slots.reserve(traits, vtable, vtable.launched) else {
            return Err(waker);
        };
        let head = self.slots.head_at(slot);
        head.keep_first(waker);
        head.fd = Some(span.fd.node());
        if let Plain::Recv { .. } | Plain::Read = plain {
            (head.region, head.region_len) = (span.at, span.len as u32);
        }
        // Nothing was done yet, so nothing is known that would make its answer more than plain.
        if traits.steps {
            (head.asked, head.enough) = (span.len as u32, span.len as i32);
        } else {
            head.enough = 0;
        }
        let id = head.id;
        if let Some(side) = traits.side {
            span.fd.gate(side).holder.set(id.index());
        }
        // SAFETY: the caller's word. The descriptor is looked at before this returns.
        let request = unsafe { plain.request(span) };
        let launch = match self.backend.start_plain(id, Slot::packet(slot), request) {
            Started::Queued => {
                self.started += 1;
                Launch::Pending
            }
            Started::Done(result) => self.answer_at_once(slot, result),
            Started::Filled(..) => unreachable!("a plain transfer has its buffer"),
            Started::Full => self.put_off(slot),
        };
        Ok((slot, id, launch))
    }

    /// Reads what is in memory, if the backend finds that cheaper than a request: all that was asked for, or nothing at the
    /// end of the file. `None`: nothing has happened.
    #[inline(always)]
    pub(in crate::driver) fn read_at_once(&mut self, span: &Span<'_>) -> Option<i32> {
        // SAFETY: the memory is the operation's, which is borrowed for the call.
        let result = unsafe { self.backend.read_at_once(span.fd, span.at, span.len, span.offset) }?;
        self.started += 1;
        self.ended += 1;
        Some(result)
    }

    /// Decides where a lowered request goes: to the kernel, to the end of its gate's queue, or
    /// nowhere because the answer is known. `in_turn`: it was the first of the queue.
    pub(in crate::driver) fn launch(
        &mut self,
        slot: NonNull<Slot>,
        request: Request<'static>,
        traits: &Traits,
        in_turn: bool,
    ) -> Launch {
        if let Some(fd) = request.fd() {
            if !fd.belongs_to_tag(self.tag) || fd.number() < 0 {
                return self.refuse(slot, fd);
            }
            let alignment = fd.alignment.get();
            if alignment != Alignment::ANY
                && let Some(code) = alignment.refuses(&request)
            {
                return self.answer(slot, code);
            }
            let head = self.slots.head_at(slot);
            head.fd = Some(fd.node());
            let index = head.id.index();
            if let Some(side) = traits.side {
                if !fd.is_gated(side) || request.skips_gate() {
                    head.marks.side = None;
                    // A close may be on its way, and the number free before it is answered.
                    if request.skips_gate() && fd.write.sticky.get() == Fault::Closed.code() {
                        return self.answer(slot, Fault::Closed.code());
                    }
                } else {
                    let gate = fd.gate(side);
                    if let Some(known) = self.wait_at_gate(slot, gate, side, &request, in_turn) {
                        return known;
                    }
                    gate.holder.set(index);
                }
            }
        } else {
            self.slots.head_at(slot).marks.side = None;
            if self.ending {
                return self.answer(slot, Fault::Ended.code());
            }
        }
        self.start(slot, request)
    }

    /// A request for a descriptor that cannot be used, or not here.
    #[cold]
    fn refuse(&mut self, slot: NonNull<Slot>, fd: &Descriptor) -> Launch {
        let fault = self.fault_of(fd);
        self.answer(slot, fault.code())
    }

    /// Why a descriptor cannot be used, or not here.
    pub(super) fn fault_of(&self, fd: &Descriptor) -> Fault {
        if self.ending {
            Fault::Ended
        } else if fd.number() < 0 {
            Fault::Closed
        } else {
            Fault::OtherRuntime
        }
    }

    /// Somebody is at the gate, or left something there. `None`: the request may pass.
    fn wait_at_gate(
        &mut self,
        slot: NonNull<Slot>,
        gate: &Gate,
        side: Side,
        request: &Request<'static>,
        in_turn: bool,
    ) -> Option<Launch> {
        let index = self.slots.head_at(slot).id.index();
        let free = gate.holder.get() == NONE && (in_turn || gate.first.get() == NONE);
        if !free {
            self.hurry_holder(gate);
            self.enqueue(index, gate);
            return Some(Launch::Pending);
        }
        let passes = matches!(request, Request::Pass { .. });
        if side == Side::Read && gate.carry.get() != NONE && !passes {
            if let Request::RecvPooled { .. }
            | Request::RecvMessages { .. }
            | Request::Ready { .. } = request
            {
                // What was left lies neither in its pool nor in the socket. It takes a buffer, and reads it as others do.
                return Some(self.answer(slot, Fault::CarryFirst.code()));
            }
            gate.holder.set(index);
            self.note(slot, request);
            if in_turn {
                // The future reads what was left when it takes its answer, so that nothing is lost
                // if it is dropped before.
                self.slots.head_at(slot).marks.state = State::CarryReady;
                return Some(Launch::Now);
            }
            return Some(self.serve(index));
        }
        let sticky = gate.sticky.get();
        if sticky != 0 && !(passes && side == Side::Read) {
            if !gate.dead.get() {
                gate.sticky.set(0);
            }
            gate.holder.set(index);
            return Some(self.answer(slot, sticky));
        }
        None
    }

    /// Notes what the answer will be about.
    #[inline(always)]
    pub(super) fn note(&mut self, slot: NonNull<Slot>, request: &Request<'_>) {
        let region = Region::of(request);
        let head = self.slots.head_at(slot);
        head.marks.gives = request.gives();
        head.marks.seen = false;
        head.marks.vectors = region.vectors;
        head.region = region.at;
        head.region_len = region.len;
        head.asked = region.asked;
        if let Request::RecvPooled { group, bound, .. }
        | Request::RecvMessages { group, bound, .. } = request
        {
            head.held = pooled_note(*group, *bound);
        }
    }

    /// Hands a request to the backend.
    #[inline(always)]
    pub(in crate::driver) fn start(
        &mut self,
        slot: NonNull<Slot>,
        mut request: Request<'static>,
    ) -> Launch {
        self.note(slot, &request);
        if self.slots.head_at(slot).marks.gives == Gives::DirectHandle {
            self.choose_table(slot, &mut request);
        }
        let head = self.slots.head_at(slot);
        head.enough = i32::MAX;
        let (id, is_quiet) = (head.id, request.is_quiet());
        let is_zero_copy = request.is_zero_copy();
        if is_quiet {
            if head.marks.begun && head.fd.is_some_and(Self::gives_up) {
                return self.answer(slot, Fault::Closed.code());
            }
            let head = self.slots.head_at(slot);
            if let Request::SendMessage { message, .. } = &request {
                // It is all that there is to be sent, or it would not be quiet.
                head.asked = Region::asked(message.total());
            }
            let (head_fd, marks) = (head.fd, &mut head.marks);
            marks.quiet = !marks.begun;
            // SAFETY: the operation in the slot uses the descriptor.
            let fd = head_fd.map(|fd| unsafe { fd.as_ref() });
            request.set_quiet(marks.quiet, fd.is_some_and(Inner::hears_next));
        }
        match self.backend.start_by_kind(id, Slot::packet(slot), request) {
            Started::Queued => {
                self.started += 1;
                let marks = &mut self.slots.head_at(slot).marks;
                marks.state = State::InFlight;
                self.quiet += u32::from(is_quiet && marks.quiet);
                Launch::Pending
            }
            Started::Done(result) => {
                if is_zero_copy && result >= 0 {
                    // The buffer is free already, so the bytes were copied.
                    self.zero_copy_sends += 1;
                    self.zero_copy_copied += 1;
                }
                self.answer_at_once(slot, result)
            }
            Started::Filled(result, flags) => {
                let mut event = Event { user: id.0, result, flags };
                self.take_buffer(slot, &mut event);
                self.slots.head_at(slot).marks.flags = event.flags;
                self.answer_at_once(slot, event.result)
            }
            Started::Full => {
                self.give_place_back(slot);
                self.put_off(slot)
            }
        }
    }

    /// The descriptor that a request asks for goes to the ring's table if there is a place, which is kept for it: the
    /// kernel would find out that there is none when it has taken a connection, and end it. Else it gets a number.
    #[cold]
    fn choose_table(&mut self, slot: NonNull<Slot>, request: &mut Request<'static>) {
        let asked = request.fd().map_or(-1, Descriptor::number);
        if !self.backend.reserve_direct(asked) {
            request.set_ordinary();
            self.slots.head_at(slot).marks.gives = request.gives();
        }
    }

    /// An operation that asked for a direct descriptor has got none.
    pub(super) fn give_place_back(&mut self, slot: NonNull<Slot>) {
        if self.slots.head_at(slot).marks.gives == Gives::DirectHandle {
            self.backend.unreserve_direct();
        }
    }

    /// The backend had the answer when it was asked: it began and it ended.
    pub(super) fn answer_at_once(&mut self, slot: NonNull<Slot>, result: i32) -> Launch {
        self.started += 1;
        self.ended += 1;
        let head = self.slots.head_at(slot);
        let is_sent = result >= 0 && result as u32 == head.asked;
        self.queued_sends += u64::from(mem::take(&mut head.marks.quiet) && is_sent);
        self.answer(slot, result)
    }

    #[cold]
    pub(super) fn answer(&mut self, slot: NonNull<Slot>, result: i32) -> Launch {
        let head = self.slots.head_at(slot);
        head.result = result;
        head.marks.state = State::Done;
        if head.chain != NONE {
            self.go_on(slot);
        }
        Launch::Now
    }
}

impl Plain {
    /// The request for a span.
    ///
    /// # Safety
    /// As for [`Inner::launch_plain`].
    #[inline(always)]
    pub(super) unsafe fn request(self, span: Span<'_>) -> Request<'static> {
        let Span { fd, at, len, offset: at_offset } = span;
        // SAFETY: the operation holds its descriptor, and descriptors in use stay where they are.
        let fd = unsafe { &*ptr::from_ref(fd) };
        // SAFETY: the bytes are the operation's, which rests until the backend has let go of them.
        unsafe {
            match self {
                Plain::Recv { wait_all } => Request::Recv {
                    fd,
                    into: slice::from_raw_parts_mut(at.as_ptr().cast(), len),
                    flags: RecvFlags { peek: false, wait_all },
                },
                Plain::Send { wait_all } => Request::Send {
                    fd,
                    from: slice::from_raw_parts(at.as_ptr(), len),
                    flags: SendFlags { wait_all, ..SendFlags::default() },
                },
                Plain::Read => Request::Read {
                    fd,
                    into: slice::from_raw_parts_mut(at.as_ptr().cast(), len),
                    at: at_offset,
                },
                Plain::Write => Request::Write {
                    fd,
                    from: slice::from_raw_parts(at.as_ptr(), len),
                    at: at_offset,
                },
            }
        }
    }
}
