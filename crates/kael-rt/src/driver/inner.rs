//! What the driver knows, and its decisions. Nothing in here runs user code.

use super::{
    DriverConfig, DriverCounters, Look, Stepping, Wait,
    descriptor::Descriptor,
    ops::Vtable,
    slot::{Body, Head, NONE, SlotId, Slots, State},
};
use crate::{
    error::Fault,
    op::{Gives, Request, Side, Traits},
    sys::{Backend, Batch, Event, MORE, NOTIFICATION, Region, Started, buffer_of},
    task::context,
};
use std::{collections::VecDeque, io, mem, ptr::NonNull, task::Waker};

/// Completions of one multishot that may wait for its future; at the bound it is stopped.
pub(super) const MAX_ITEMS: u32 = 64;
/// The longest time between two attempts, in milliseconds.
const MAX_DELAY_MS: u32 = 50;

/// How long a turn waits at most while something waits for room in the submission queue.
const NO_ROOM_NS: u64 = 1_000_000;

pub(super) struct Inner {
    /// Tells this driver from others.
    tag: *const (),
    pub(super) slots: Slots,
    pub(super) backend: Backend,
    in_flight: u32,
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
    pub(super) carries: u32,
    /// Carries that were read to their end; their operations are to be dropped.
    pub(super) spent: Vec<SlotId>,
    completed: u64,
    stale: u64,
    starved: u64,
    pub(super) ending: bool,
}

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
            in_flight: 0,
            backlog: List { first: NONE, last: NONE },
            cancels: Vec::with_capacity(64),
            delayed: Vec::with_capacity(4),
            waiters: [VecDeque::new(), VecDeque::new()],
            waiting_futures: 0,
            next_ticket: 1,
            items: Vec::new(),
            free_item: NONE,
            carries: 0,
            spent: Vec::with_capacity(4),
            completed: 0,
            stale: 0,
            starved: 0,
            ending: false,
        }
    }

    #[inline(always)]
    pub(super) fn reserve(
        &mut self,
        traits: Traits,
        vtable: &'static Vtable,
    ) -> Option<(SlotId, NonNull<Body>)> {
        let id = self.slots.reserve(traits, vtable)?;
        Some((id, self.slots.body(id.index())))
    }

    /// Decides where a lowered request goes: to the kernel, to the end of its gate's queue, or
    /// nowhere because the answer is known. `in_turn`: it was the first of the queue.
    #[inline(always)]
    pub(super) fn launch(
        &mut self,
        id: SlotId,
        request: Request<'static>,
        in_turn: bool,
    ) -> Launch {
        if self.ending {
            return self.answer(id, Fault::Ended.code());
        }
        if let Some(fd) = request.fd() {
            if !fd.belongs_to_tag(self.tag) {
                return self.answer(id, Fault::OtherRuntime.code());
            }
            if fd.number() < 0 {
                return self.answer(id, Fault::Closed.code());
            }
            let index = id.index();
            let head = self.slots.head(index);
            head.fd = Some(fd.node());
            if let Some(side) = head.side {
                if !fd.is_gated(side) || request.skips_gate() {
                    head.side = None;
                    // A close may be on its way, and the number free before it is answered.
                    if request.skips_gate() && fd.write.sticky.get() == Fault::Closed.code() {
                        return self.answer(id, Fault::Closed.code());
                    }
                } else {
                    let gate = fd.gate(side);
                    let free = gate.holder.get() == NONE
                        && (in_turn || gate.first.get() == NONE);
                    if !free {
                        self.enqueue(index, gate);
                        return Launch::Pending;
                    }
                    let passes = matches!(request, Request::Pass { .. });
                    if side == Side::Read && gate.carry.get() != NONE && !passes {
                        gate.holder.set(index);
                        self.note(index, &request);
                        if in_turn {
                            // The future reads what was left when it takes its answer, so that
                            // nothing is lost if it is dropped before.
                            self.slots.head(index).state = State::CarryReady;
                            return Launch::Now;
                        }
                        return self.serve(index);
                    }
                    let sticky = gate.sticky.get();
                    if sticky != 0 && !(passes && side == Side::Read) {
                        if !gate.dead.get() {
                            gate.sticky.set(0);
                        }
                        gate.holder.set(index);
                        return self.answer(id, sticky);
                    }
                    gate.holder.set(index);
                }
            }
        } else {
            self.slots.head(id.index()).side = None;
        }
        self.start(id, request)
    }

    /// Notes what the answer will be about.
    #[inline(always)]
    fn note(&mut self, index: u32, request: &Request<'_>) {
        let region = Region::of(request);
        let head = self.slots.head(index);
        head.gives = request.gives();
        head.region = region.at;
        head.region_len = region.len;
        head.vectors = region.vectors;
        head.asked = region.asked;
        head.seen = false;
    }

    /// Hands a request to the backend.
    #[inline(always)]
    pub(super) fn start(&mut self, id: SlotId, request: Request<'static>) -> Launch {
        self.note(id.index(), &request);
        match self.backend.start(id, request) {
            Started::Queued => {
                self.in_flight += 1;
                self.slots.head(id.index()).state = State::InFlight;
                Launch::Pending
            }
            Started::Done(result) => self.answer(id, result),
            Started::Full => self.put_off(id.index()),
        }
    }

    #[cold]
    fn put_off(&mut self, index: u32) -> Launch {
        self.slots.head(index).state = State::Backlog;
        self.push_backlog(index);
        Launch::Pending
    }

    /// Starts a chain of two. False: there is no room for it.
    #[cfg(test)]
    pub(super) fn start_pair(
        &mut self,
        first: (SlotId, Request<'static>),
        second: (SlotId, Request<'static>),
    ) -> bool {
        let ids = [first.0, second.0];
        for (id, request) in [&first, &second] {
            self.note(id.index(), request);
        }
        if !self.backend.start_linked(first, second) {
            return false;
        }
        for id in ids {
            self.in_flight += 1;
            self.slots.head(id.index()).state = State::InFlight;
        }
        true
    }

    #[cold]
    fn answer(&mut self, id: SlotId, result: i32) -> Launch {
        let head = self.slots.head(id.index());
        head.result = result;
        head.state = State::Done;
        Launch::Now
    }

    /// Makes the answer an error.
    pub(super) fn fail(&mut self, id: SlotId, result: i32) {
        if let Some(head) = self.slots.current(id) {
            head.result = result;
            head.state = State::Done;
        }
    }

    #[inline]
    pub(super) fn set_waker(&mut self, id: SlotId, waker: Waker) -> Option<Waker> {
        match self.slots.current(id) {
            Some(head) => head.waker.replace(waker),
            None => Some(waker),
        }
    }

    /// What a future finds when it looks. An answer is handed out with it. If the slot is not
    /// `kept` it is free then, and the operation must be moved out of it before anything else.
    #[inline(always)]
    pub(super) fn look(&mut self, id: SlotId, waker: &Waker, kept: bool) -> Look {
        let head = self.slots.current(id).expect("a key's slot is in use");
        match head.state {
            State::Done => Look::Done(self.taken(id, kept)),
            State::CarryReady => Look::FromCarry,
            _ if head.waker.as_ref().is_some_and(|own| own.will_wake(waker)) => Look::Pending,
            _ => Look::NewWaker,
        }
    }

    /// The future takes its answer.
    #[inline(always)]
    pub(super) fn taken(&mut self, id: SlotId, kept: bool) -> Taken {
        let index = id.index();
        let done = self.done(index);
        let head = self.slots.head(index);
        assert!(head.state == State::Done, "an answer is taken once it is there");
        head.state = State::Reserved;
        let waker = head.waker.take();
        let gate = match (head.side.take(), head.fd) {
            (Some(side), Some(node)) => Some((node, side)),
            _ => None,
        };
        let pump = gate.filter(|&(node, side)| self.leave_gate(index, node, side));
        let freed = if kept { None } else { self.release(index) };
        Taken { done, pump, waker, freed }
    }

    #[inline(always)]
    pub(super) fn done(&mut self, index: u32) -> super::Done {
        let body = self.slots.body(index);
        let head = self.slots.head(index);
        let region = (head.region, head.region_len, head.vectors);
        super::Done { body, result: head.result, flags: head.flags, gives: head.gives, region }
    }

    /// The operation's own code, if it wants to see its completion.
    pub(super) fn step_of(&mut self, id: SlotId) -> Option<Stepping> {
        let head = self.slots.current(id)?;
        let whole = head.result >= 0 && head.result as u32 >= head.asked;
        if !head.steps || whole || (head.orphan && head.side == Some(Side::Read)) {
            return None;
        }
        head.seen = true;
        head.begun = true;
        head.repeats = 0;
        let (vtable, orphan, stop) = (head.vtable, head.orphan, head.stop);
        Some(Stepping { vtable, done: self.done(id.index()), orphan, stop })
    }

    pub(super) fn again(&mut self, id: SlotId) -> Option<(&'static Vtable, NonNull<Body>)> {
        if self.ending {
            self.fail(id, Fault::Ended.code());
            return None;
        }
        let head = self.slots.current(id)?;
        head.state = State::Reserved;
        Some((head.vtable, self.slots.body(id.index())))
    }

    pub(super) fn delay(&mut self, id: SlotId, ms: u32) {
        self.starved += 1;
        let due = context::with("a back-off", |core| core.timers.clock().now_ns())
            + u64::from(ms) * 1_000_000;
        self.slots.head(id.index()).state = State::Delayed;
        self.delayed.push((due, id));
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.delayed.iter().map(|(due, _)| *due).min()
    }

    /// A slot that had to wait and may be started now.
    #[cold]
    fn next_waiting(&mut self) -> Option<SlotId> {
        if !self.delayed.is_empty() {
            let now = context::with("a back-off", |core| core.timers.clock().now_ns());
            if let Some(i) = self.delayed.iter().position(|(due, _)| *due <= now) {
                return Some(self.delayed.swap_remove(i).1);
            }
        }
        if self.backlog.first == NONE || !self.backend.has_room() {
            return None;
        }
        let index = self.backlog.first;
        let head = self.slots.head(index);
        let id = SlotId::new(index, head.generation);
        self.backlog.first = head.next;
        match self.backlog.first {
            NONE => self.backlog.last = NONE,
            next => self.slots.head(next).prev = NONE,
        }
        Some(id)
    }

    fn push_backlog(&mut self, index: u32) {
        let last = mem::replace(&mut self.backlog.last, index);
        let head = self.slots.head(index);
        head.prev = last;
        head.next = NONE;
        match last {
            NONE => self.backlog.first = index,
            last => self.slots.head(last).next = index,
        }
    }

    /// Takes a slot out of whatever it waits in, if the kernel does not have it.
    pub(super) fn unlink(&mut self, id: SlotId) {
        let index = id.index();
        let Head { state, prev, next, fd, side, .. } = *self.slots.head(index);
        match state {
            State::Delayed => self.delayed.retain(|(_, other)| *other != id),
            State::Queued | State::Backlog => {
                match prev {
                    NONE => {}
                    prev => self.slots.head(prev).next = next,
                }
                match next {
                    NONE => {}
                    next => self.slots.head(next).prev = prev,
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

    /// Takes note of what the kernel says, and says what is to be done about it.
    #[inline(always)]
    pub(super) fn complete(&mut self, event: Event) -> Act {
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
    fn complete_flagged(&mut self, id: SlotId, event: Event) -> Act {
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
    fn finished(&mut self, id: SlotId) -> Act {
        if self.slots.head(id.index()).result < 0 && self.is_asked_again(id) {
            return Act::Nothing;
        }
        let head = self.slots.head(id.index());
        head.state = State::Done;
        self.in_flight -= 1;
        self.completed += 1;
        let whole = head.result >= 0 && head.result as u32 >= head.asked;
        if head.orphan || (head.steps && !whole) {
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
    fn is_asked_again(&mut self, id: SlotId) -> bool {
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

    fn push_item(&mut self, index: u32, event: Event) {
        let (result, flags) = (event.result, event.flags);
        let item = match self.free_item {
            NONE => {
                self.items.push(Item { result, flags, next: NONE });
                self.items.len() as u32 - 1
            }
            free => {
                let item = mem::replace(&mut self.items[free as usize], Item { result, flags, next: NONE });
                self.free_item = item.next;
                free
            }
        };
        self.completed += 1;
        let head = self.slots.head(index);
        head.items += 1;
        let (last, full) = (mem::replace(&mut head.items_last, item), head.items >= MAX_ITEMS);
        match last {
            NONE => head.items_first = item,
            last => self.items[last as usize].next = item,
        }
        if full {
            self.cancel(index);
        }
    }

    /// The next item of a multishot: (result, flags).
    pub(super) fn pop_item(&mut self, index: u32) -> Option<(i32, u32)> {
        let free = self.free_item;
        let head = self.slots.head(index);
        let first = head.items_first;
        if first == NONE {
            return None;
        }
        let item = &mut self.items[first as usize];
        let next = mem::replace(&mut item.next, free);
        let answer = (item.result, item.flags);
        self.free_item = first;
        let head = self.slots.head(index);
        head.items -= 1;
        head.items_first = next;
        if next == NONE {
            head.items_last = NONE;
        }
        Some(answer)
    }

    /// Drops the items that no future will see.
    pub(super) fn drop_items(&mut self, index: u32) {
        while let Some((_, flags)) = self.pop_item(index) {
            if let Some((group, buffer)) = buffer_of(flags) {
                self.backend.give_back(group, buffer);
            }
        }
    }

    /// Asks the backend to stop an operation, at the next turn.
    pub(super) fn cancel(&mut self, index: u32) {
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
    pub(super) fn cancel_for(&mut self, id: SlotId, fault: Fault) -> Option<()> {
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

    #[inline]
    pub(super) fn turn(&mut self, mut wait: Wait, batch: &mut Batch) -> Turn {
        if (self.backlog.first != NONE || !self.delayed.is_empty())
            && let Some(id) = self.next_waiting()
        {
            return Turn::Start(id);
        }
        while let Some(index) = self.cancels.pop() {
            let head = self.slots.head(index);
            if head.cancelled && head.state == State::InFlight {
                let id = SlotId::new(index, head.generation);
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
        Turn::Over(self.backend.turn(wait, batch))
    }

    pub(super) fn flush(&mut self) {
        self.backend.flush();
    }

    #[inline]
    pub(super) fn has_work(&self) -> bool {
        self.backend.has_work() || !self.cancels.is_empty() || self.backlog.first != NONE
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    #[inline(always)]
    pub(super) fn release(&mut self, index: u32) -> Option<Waker> {
        self.slots.release(index);
        if self.waiting_futures == 0 {
            return None;
        }
        self.next_waiter(true)
    }

    #[cold]
    fn next_waiter(&mut self, slot_free: bool) -> Option<Waker> {
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

    fn count_waiters(&mut self) {
        self.waiting_futures = self.waiters[0].len() + self.waiters[1].len();
    }

    pub(super) fn wait_for_slot(
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

    pub(super) fn leave_queue(&mut self, peer: bool, ticket: u64) -> Option<Waker> {
        let queue = &mut self.waiters[usize::from(peer)];
        let i = queue.binary_search_by_key(&ticket, |(t, _)| *t).ok()?;
        let own = queue.remove(i).map(|(_, waker)| waker);
        self.count_waiters();
        own
    }

    pub(super) fn stop_waiting(&mut self, peer: bool, ticket: u64) -> (Option<Waker>, Option<Waker>) {
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

    pub(super) fn discarded(
        &mut self,
        id: SlotId,
    ) -> Option<(&'static Vtable, NonNull<Body>, Option<Waker>)> {
        let head = self.slots.current(id)?;
        head.state = State::Reserved;
        let (vtable, waker) = (head.vtable, head.waker.take());
        Some((vtable, self.slots.body(id.index()), waker))
    }

    pub(super) fn counters(&self) -> DriverCounters {
        DriverCounters {
            syscalls: self.backend.syscalls(),
            submitted: self.backend.submitted(),
            completed: self.completed,
            in_flight: u64::from(self.in_flight),
            slots: u64::from(self.slots.used()),
            carries: u64::from(self.carries),
            stale: self.stale,
            starved: self.starved,
        }
    }
}

/// What a request's memory is, for requests that receive.
impl Gives {
    pub(super) fn may_be_lost(self) -> bool {
        matches!(self, Gives::Received | Gives::Handle | Gives::DirectHandle)
    }
}
