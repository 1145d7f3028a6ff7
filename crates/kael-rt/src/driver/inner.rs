//! What the driver knows, and its decisions. Nothing in here runs user code.

mod carry;
mod ends;
mod items;
mod waiting;

use super::{
    Completion, DriverConfig, DriverCounters, Wait,
    descriptor::{Descriptor, Fd, Gate},
    key::Look,
    ops::Vtable,
    slot::{Body, NONE, Slot, SlotId, Slots, State},
    steps::Stepping,
};
use crate::{
    error::Fault,
    op::{Gives, Plain, RecvFlags, Request, SendFlags, Side, Span, Traits},
    sys::{Backend, Region, Started},
};
use std::{
    any::Any,
    collections::VecDeque,
    io,
    ptr::{self, NonNull},
    slice,
    task::Waker,
};

/// Completions of one multishot that may wait for its future; at the bound it is stopped.
pub(super) const MAX_ITEMS: u8 = 64;
/// The longest time between two attempts, in milliseconds.
const MAX_DELAY_MS: u32 = 50;

/// How long a turn waits at most while something waits for room in the submission queue.
const NO_ROOM_NS: u64 = 1_000_000;

pub(super) struct Inner {
    /// Tells this driver from others. Null once it is ending, so that one look finds both.
    tag: *const (),
    pub(super) slots: Slots,
    pub(super) backend: Backend,
    /// Requests that the backend has taken, and those that it has let go of.
    started: u64,
    ended: u64,
    /// Slots that asked for room in the submission queue in vain, and those whose delay is over.
    backlog: List,
    /// Slots whose operation shall be cancelled.
    cancels: Vec<u32>,
    delayed: Vec<(u64, SlotId)>,
    /// Futures that wait for a slot: [prompt, waiting for a peer].
    waiters: [VecDeque<(u64, Waker)>; 2],
    waiting_futures: usize,
    next_ticket: u64,
    items: Vec<Item>,
    free_item: u32,
    items_seen: u64,
    pub(super) carries: u32,
    /// Carries that were read to their end; their operations are to be dropped.
    pub(super) spent: Vec<SlotId>,
    stale: u64,
    starved: u64,
    pub(super) ending: bool,
    /// Panics in operations' own code, until their futures take them.
    panics: Vec<(SlotId, Panic)>,
}

/// What a panic carries.
pub(super) type Panic = Box<dyn Any + Send>;

/// What is to be done about a completion, with nothing borrowed.
pub(super) enum Act {
    Nothing,
    Wake(Waker),
    /// Its future is woken, and the next writer may go.
    Pump(Waker, NonNull<Descriptor>),
    /// The operation's own code, or the end of an orphan.
    Follow(SlotId),
}

/// What a turn has to do next.
pub(super) enum Turn {
    /// A slot that had to wait is to be started first.
    Start(SlotId),
    Over(io::Result<()>),
}

/// An answer on its way to its future.
pub(super) struct Taken {
    pub(super) done: super::Done,
    pub(super) pump: Option<(NonNull<Descriptor>, Side)>,
    pub(super) waker: Option<Waker>,
    /// Somebody who waits for a slot, if one was freed.
    pub(super) freed: Option<Waker>,
}

/// Whether an operation is with somebody else now, or has its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Launch {
    Pending,
    Now,
}

/// A first-in, first-out list of slots, linked through their heads.
#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

/// A completion of a multishot that its future has not seen yet.
struct Item {
    result: i32,
    flags: u32,
    next: u32,
}

impl Inner {
    pub(super) fn new(backend: Backend, config: &DriverConfig, tag: *const ()) -> Inner {
        Inner {
            tag,
            slots: Slots::new(config.max_in_flight),
            backend,
            started: 0,
            ended: 0,
            backlog: List { first: NONE, last: NONE },
            cancels: Vec::with_capacity(64),
            delayed: Vec::with_capacity(4),
            waiters: [VecDeque::new(), VecDeque::new()],
            waiting_futures: 0,
            next_ticket: 1,
            items: Vec::new(),
            free_item: NONE,
            items_seen: 0,
            carries: 0,
            spent: Vec::with_capacity(4),
            stale: 0,
            starved: 0,
            ending: false,
            panics: Vec::new(),
        }
    }

    /// Takes a slot for an operation that `waker` waits for; gives the waker back at the bound.
    pub(super) fn reserve(
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
    pub(super) unsafe fn launch_plain(
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
        let launch = match self.backend.start(id, request) {
            Started::Queued => {
                self.started += 1;
                Launch::Pending
            }
            Started::Done(result) => self.answer(slot, result),
            Started::Full => self.put_off(slot),
        };
        Ok((slot, id, launch))
    }

    /// Decides where a lowered request goes: to the kernel, to the end of its gate's queue, or
    /// nowhere because the answer is known. `in_turn`: it was the first of the queue.
    pub(super) fn launch(
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
    fn refuse(&mut self, slot: NonNull<Slot>, fd: &Fd) -> Launch {
        let fault = if self.ending {
            Fault::Ended
        } else if fd.number() < 0 {
            Fault::Closed
        } else {
            Fault::OtherRuntime
        };
        self.answer(slot, fault.code())
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
            self.enqueue(index, gate);
            return Some(Launch::Pending);
        }
        let passes = matches!(request, Request::Pass { .. });
        if side == Side::Read && gate.carry.get() != NONE && !passes {
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
    fn note(&mut self, slot: NonNull<Slot>, request: &Request<'_>) {
        let region = Region::of(request);
        let head = self.slots.head_at(slot);
        head.marks.gives = request.gives();
        head.marks.seen = false;
        head.marks.vectors = region.vectors;
        head.region = region.at;
        head.region_len = region.len;
        head.asked = region.asked;
    }

    /// Hands a request to the backend.
    #[inline(always)]
    pub(super) fn start(&mut self, slot: NonNull<Slot>, request: Request<'static>) -> Launch {
        self.note(slot, &request);
        let head = self.slots.head_at(slot);
        head.enough = i32::MAX;
        match self.backend.start(head.id, request) {
            Started::Queued => {
                self.started += 1;
                self.slots.head_at(slot).marks.state = State::InFlight;
                Launch::Pending
            }
            Started::Done(result) => self.answer(slot, result),
            Started::Full => self.put_off(slot),
        }
    }

    /// Starts a chain of two. False: there is no room for it.
    #[cfg(test)]
    pub(super) fn start_pair(
        &mut self,
        first: (NonNull<Slot>, Request<'static>),
        second: (NonNull<Slot>, Request<'static>),
    ) -> bool {
        let slots = [first.0, second.0];
        let [a, b] = [first, second].map(|(slot, request)| {
            self.note(slot, &request);
            (self.slots.head_at(slot).id, request)
        });
        if !self.backend.start_linked(a, b) {
            return false;
        }
        for slot in slots {
            self.started += 1;
            self.slots.head_at(slot).marks.state = State::InFlight;
        }
        true
    }

    #[cold]
    fn answer(&mut self, slot: NonNull<Slot>, result: i32) -> Launch {
        let head = self.slots.head_at(slot);
        head.result = result;
        head.marks.state = State::Done;
        Launch::Now
    }

    /// Makes the answer an error.
    pub(super) fn fail(&mut self, id: SlotId, result: i32) {
        if let Some(head) = self.slots.current(id) {
            head.result = result;
            head.marks.state = State::Done;
        }
    }

    /// An operation's own code has panicked. Gives the panic back if there is no such operation.
    pub(super) fn panicked(&mut self, id: SlotId, panic: Panic) -> Option<Panic> {
        if self.slots.current(id).is_none() {
            return Some(panic);
        }
        self.fail(id, Fault::Panicked.code());
        self.panics.push((id, panic));
        None
    }

    /// The driver ends: nothing new begins.
    pub(super) fn begin_to_end(&mut self) {
        self.ending = true;
        self.tag = ptr::null();
        for index in 0..self.slots.len() {
            // From here on everything is looked at closely, see `Key`.
            let head = self.slots.head(index);
            head.ready = SlotId::NEVER;
            head.enough = i32::MAX;
        }
    }

    /// How many slots have a future.
    pub(super) fn keys(&mut self) -> usize {
        let slots = 0..self.slots.len();
        let mut has_key = |index: &u32| {
            let head = self.slots.head(*index);
            !head.marks.orphan && head.marks.state != State::Free
        };
        slots.filter(|index| has_key(index)).count()
    }

    pub(super) fn panic_of(&mut self, id: SlotId) -> Option<Panic> {
        let i = self.panics.iter().position(|(of, _)| *of == id)?;
        Some(self.panics.swap_remove(i).1)
    }

    #[inline]
    pub(super) fn set_waker(&mut self, id: SlotId, waker: Waker) -> Option<Waker> {
        match self.slots.current(id) {
            Some(head) => head.waker.replace(waker),
            None => Some(waker),
        }
    }

    /// The answer of a plain transfer that went as most do: it got what it wanted, and nobody waits
    /// for its gate or its slot. The slot is free then, and the operation must be moved out of it
    /// before anything else. `None`: [`look`](Self::look) closer.
    #[inline(always)]
    pub(super) fn take_plain(
        &mut self,
        slot: NonNull<Slot>,
        id: SlotId,
        traits: &Traits,
    ) -> Option<Completion<'static>> {
        let head = self.slots.head_at(slot);
        if head.ready != id || self.waiting_futures > 0 {
            return None;
        }
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
    pub(super) fn look(&mut self, id: SlotId, waker: &Waker, kept: bool) -> Look {
        let head = self.slots.current(id).expect("a key's slot is in use");
        match head.marks.state {
            State::Done => Look::Done(self.taken(id, kept)),
            State::CarryReady => Look::FromCarry,
            _ if head.waker.as_ref().is_some_and(|own| own.will_wake(waker)) => Look::Pending,
            _ => Look::NewWaker,
        }
    }

    /// The future takes its answer.
    pub(super) fn taken(&mut self, id: SlotId, kept: bool) -> Taken {
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

    pub(super) fn done(&mut self, index: u32) -> super::Done {
        let body = self.slots.body(index);
        let head = self.slots.head(index);
        let region = (head.region, head.region_len, head.marks.vectors);
        super::Done {
            body,
            result: head.result,
            flags: head.marks.flags,
            gives: head.marks.gives,
            region,
        }
    }

    /// The operation's own code, if it wants to see its completion.
    pub(super) fn step_of(&mut self, id: SlotId) -> Option<Stepping> {
        let head = self.slots.current(id)?;
        let whole = head.result >= 0 && head.result as u32 >= head.asked;
        if !head.vtable.traits.steps
            || whole
            || (head.marks.orphan && head.marks.side == Some(Side::Read))
        {
            return None;
        }
        head.marks.seen = true;
        head.marks.begun = true;
        head.marks.repeats = 0;
        let (vtable, orphan, stop) = (head.vtable, head.marks.orphan, head.marks.stop);
        Some(Stepping { vtable, done: self.done(id.index()), orphan, stop })
    }

    pub(super) fn again(&mut self, id: SlotId) -> Option<(&'static Vtable, NonNull<Slot>)> {
        if self.ending {
            self.fail(id, Fault::Ended.code());
            return None;
        }
        let slot = self.slots.find(id)?;
        let head = self.slots.head_at(slot);
        head.marks.state = State::Reserved;
        Some((head.vtable, slot))
    }

    #[inline]
    pub(super) fn turn(&mut self, mut wait: Wait) -> Turn {
        if (self.backlog.first != NONE || !self.delayed.is_empty())
            && let Some(id) = self.next_waiting()
        {
            return Turn::Start(id);
        }
        while let Some(index) = self.cancels.pop() {
            let head = self.slots.head(index);
            if head.marks.cancelled && head.marks.state == State::InFlight {
                let id = head.id;
                if self.backend.cancel(id).is_err() {
                    self.cancels.push(index);
                    break;
                }
            }
        }
        // What there was no room for must not wait for a completion that may never come.
        if let Wait::Until(until) = wait
            && (!self.cancels.is_empty() || self.backlog.first != NONE)
        {
            let soon = self.backend.now_ns() + NO_ROOM_NS;
            wait = Wait::Until(Some(until.map_or(soon, |until| until.min(soon))));
        }
        Turn::Over(self.backend.turn(wait))
    }

    pub(super) fn flush(&mut self) {
        self.backend.flush();
    }

    #[inline]
    pub(super) fn has_work(&self) -> bool {
        self.backend.has_work() || !self.cancels.is_empty() || self.backlog.first != NONE
    }

    pub(super) fn in_flight(&self) -> u32 {
        (self.started - self.ended) as u32
    }

    pub(super) fn release(&mut self, index: u32) -> Option<Waker> {
        let slot = self.slots.at(index);
        let waits_for_peer = self.slots.head_at(slot).vtable.traits.waits_for_peer;
        self.slots.release(slot, waits_for_peer);
        if self.waiting_futures == 0 {
            return None;
        }
        self.next_waiter(true)
    }

    pub(super) fn discarded(
        &mut self,
        id: SlotId,
    ) -> Option<(&'static Vtable, NonNull<Body>, Option<Waker>)> {
        let head = self.slots.current(id)?;
        head.marks.state = State::Reserved;
        let (vtable, waker) = (head.vtable, head.waker.take());
        Some((vtable, self.slots.body(id.index()), waker))
    }

    pub(super) fn counters(&self) -> DriverCounters {
        DriverCounters {
            syscalls: self.backend.syscalls(),
            submitted: self.backend.submitted(),
            completed: self.ended + self.items_seen,
            in_flight: self.started - self.ended,
            slots: u64::from(self.slots.used()),
            carries: u64::from(self.carries),
            stale: self.stale,
            starved: self.starved,
        }
    }
}

impl Plain {
    /// The request for a span.
    ///
    /// # Safety
    /// As for [`Inner::launch_plain`]; and the span's descriptor is used only while the span is.
    #[inline(always)]
    unsafe fn request(self, span: Span<'_>) -> Request<'static> {
        let Span { fd, at, len, offset: at_offset } = span;
        // SAFETY: the caller's word: the reference is not used for longer.
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
                    flags: SendFlags { wait_all },
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

/// What a request's memory is, for requests that receive.
impl Gives {
    pub(super) fn may_be_lost(self) -> bool {
        matches!(self, Gives::Received | Gives::Handle | Gives::DirectHandle)
    }
}
