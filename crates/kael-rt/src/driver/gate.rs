//! The drop protocol of sockets: gates, orphans, and what they leave behind.
//!
//! One operation at a time has each side of a socket; the others wait in the order of their first
//! poll. The side is given up when the answer is *taken*, not when it comes: else a later read
//! could overtake one whose future is dropped before it looked.
//!
//! ```text
//!              first poll                terminal completion           taken
//!   (future) ────────────▶ holder ─────────────────────────────▶ Done ───────▶ next waiter
//!                 │ busy     │ future dropped                      │ future dropped
//!                 ▼          ▼                                     ▼
//!               Queued     orphan ── n > 0 ──▶ Carry ◀── n > 0 ────┤
//!                            │                   │ read by the next │ n <= 0
//!                            │ n <= 0            ▼                  ▼
//!                            └──▶ sticky errno, operation dropped, next waiter
//! ```
//!
//! What an orphaned receive brought is a *carry*: the slot stays, and the next receive copies from
//! it and submits nothing. For a listener the carry is a connection. A write is not cancelled when
//! it is dropped: it holds the gate until it is finished, and its error stays.

use super::{
    Driver,
    descriptor::{Descriptor, Gate, Kind},
    inner::Inner,
    inner::Launch,
    ops::Vtable,
    slot::{IN_CHAIN, NONE, Slot, SlotId, State},
};
use crate::{
    error::Fault,
    op::{Gives, Side},
    sys::errno,
};
use std::{
    ptr::{self, NonNull},
    task::Waker,
};

impl Driver {
    /// The future is gone. What happens to its operation depends on how far it is.
    pub(super) fn orphan(&self, id: SlotId) {
        let Some(fate) = self.with(|inner| inner.orphan(id)) else { return };
        match fate {
            Fate::Nothing => {}
            Fate::Discard(pump) => {
                if let Some((node, side)) = pump {
                    self.pump(node, side);
                }
                self.discard(id);
            }
            Fate::Keeps(waker, abandoned) => {
                drop(waker);
                if let Some(node) = abandoned {
                    self.abandon(node);
                }
            }
            Fate::Conclude(waker) => {
                drop(waker);
                self.conclude(id);
            }
        }
    }

    /// An operation has its last completion: wakes its future, or ends it if that is gone.
    pub(super) fn conclude(&self, id: SlotId) {
        let Some(Some(end)) = self.with(|inner| inner.conclude(id)) else { return };
        match end {
            End::Wake(waker, pump) => {
                if let Some((node, side)) = pump {
                    self.pump(node, side);
                }
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            End::Carry(node, abandoned) => {
                if abandoned {
                    self.abandon(node);
                } else {
                    self.pump(node, Side::Read);
                }
            }
            End::Finish(pump) => {
                if let Some((node, side)) = pump {
                    self.pump(node, side);
                }
                self.finish(id);
            }
        }
    }

    /// Answers an orphan and drops the output, with nothing borrowed.
    pub(super) fn finish(&self, id: SlotId) {
        let Some((vtable, done, waker)) = self.with(|inner| inner.finishing(id)) else { return };
        let release = super::Release { driver: self, index: id.index() };
        drop(waker);
        // SAFETY: the kernel has let go, the future is gone, and the slot is released only after.
        unsafe {
            let scratch = &mut (*done.body.as_ptr()).scratch;
            (vtable.finish)(done.body, done.completion(self, Some(scratch)));
        }
        drop(release);
    }

    /// Lets the next waiters at a gate go. The caller knows somebody who uses the descriptor.
    pub(super) fn pump(&self, node: NonNull<Descriptor>, side: Side) {
        while let Some((id, vtable, slot)) = self.with(|inner| inner.dequeue(node, side)).flatten()
        {
            let body = Slot::body(slot);
            // SAFETY: the operation is in its body and the kernel has nothing of it.
            let Some(request) = self.guarded(id, || unsafe { (vtable.request)(body) }) else {
                self.conclude(id);
                continue;
            };
            let traits = &vtable.traits;
            let Some(launch) = self.with(|inner| inner.launch(slot, request, traits, true)) else {
                return;
            };
            if launch == Launch::Now && self.follow_waiter(id) == Launch::Now {
                self.conclude(id);
            }
        }
    }

    /// As `follow`, but what was left behind is read only when the future takes its answer.
    fn follow_waiter(&self, id: SlotId) -> Launch {
        match self.with(|inner| inner.slots.head(id.index()).marks.state) {
            Some(State::CarryReady) => {
                if let Some(Some(waker)) =
                    self.with(|inner| inner.slots.head(id.index()).waker.take())
                {
                    waker.wake();
                }
                Launch::Pending
            }
            _ => self.follow(id, Launch::Now),
        }
    }

    /// The future whose turn it is reads what was left behind.
    pub(super) fn serve_taker(&self, id: SlotId) {
        self.with(|inner| inner.serve(id.index()));
        self.drop_spent_carries();
    }

    /// Drops the operations of carries that were read to their end.
    pub(super) fn drop_spent_carries(&self) {
        while let Some(id) = self.with(|inner| inner.spent.pop()).flatten() {
            self.discard(id);
        }
    }

    /// Only orphans use the descriptor: ends what they do and drops what they left.
    pub(super) fn abandon(&self, node: NonNull<Descriptor>) {
        let Some((carry, stopped)) = self.with(|inner| inner.abandon(node)) else { return };
        // The last use of the node may end in here: it is not touched any more.
        if let Some(carry) = carry {
            self.finish(carry);
        }
        if let Some(stopped) = stopped {
            self.conclude(stopped);
        }
    }

    /// Nobody shall use a stream any more: what is asked of it from now on is refused, and its reads
    /// end. The kernel has let go of them when a request that passes the reading side is answered.
    pub(crate) fn end_use(&self, fd: &super::Fd) {
        while let Some(id) = self.with(|inner| inner.end_read(fd)).flatten() {
            self.conclude(id);
        }
    }

    /// Unread bytes of a quiet stream, taken out.
    pub(crate) fn unread(&self, fd: &super::Fd) -> Vec<u8> {
        let bytes = self.with(|inner| inner.unread(fd)).unwrap_or_default();
        self.drop_spent_carries();
        bytes
    }
}

type Pump = Option<(NonNull<Descriptor>, Side)>;

pub(super) enum Fate {
    Nothing,
    Discard(Pump),
    /// The kernel has it still. The descriptor may have only orphans now.
    Keeps(Option<Waker>, Option<NonNull<Descriptor>>),
    Conclude(Option<Waker>),
}

pub(super) enum End {
    Wake(Option<Waker>, Pump),
    /// What was received stays in the slot. True: the descriptor has only orphans.
    Carry(NonNull<Descriptor>, bool),
    Finish(Pump),
}

impl Inner {
    pub(super) fn enqueue(&mut self, index: u32, gate: &Gate) {
        let last = gate.last.replace(index);
        self.slots.head(index).marks.state = State::Queued;
        let rest = self.slots.rest(index);
        (rest.prev, rest.next) = (last, NONE);
        match last {
            NONE => gate.first.set(index),
            last => self.slots.rest(last).next = index,
        }
    }

    /// The first waiter of a gate that is free.
    fn dequeue(
        &mut self,
        node: NonNull<Descriptor>,
        side: Side,
    ) -> Option<(SlotId, &'static Vtable, NonNull<Slot>)> {
        // SAFETY: whoever pumps knows a user of the node.
        let gate = unsafe { node.as_ref() }.gate(side);
        let index = gate.first.get();
        if gate.holder.get() != NONE || index == NONE {
            return None;
        }
        let head = self.slots.head(index);
        let id = head.id;
        self.unlink(id);
        let head = self.slots.head(index);
        head.marks.state = State::Reserved;
        Some((id, head.vtable, self.slots.at(index)))
    }

    /// Gives a gate up. True: somebody waits for it.
    #[inline]
    pub(super) fn leave_gate(&mut self, index: u32, node: NonNull<Descriptor>, side: Side) -> bool {
        // SAFETY: the operation in the slot, or the caller, still uses the descriptor.
        let gate = unsafe { node.as_ref() }.gate(side);
        if gate.holder.get() != index {
            return false;
        }
        gate.holder.set(NONE);
        gate.first.get() != NONE
    }

    fn leave(&mut self, index: u32) -> Pump {
        let head = self.slots.head(index);
        let (node, side) = (head.fd?, head.marks.side?);
        self.leave_gate(index, node, side).then_some((node, side))
    }

    pub(super) fn orphan(&mut self, id: SlotId) -> Fate {
        let Some(head) = self.slots.current(id) else { return Fate::Nothing };
        let waker = head.waker.take();
        if head.chain != IN_CHAIN {
            // What is behind it in its chain goes with it: they are one future's.
            head.chain = NONE;
        }
        match head.marks.state {
            // Between two of its steps: what it has begun is finished, what it has is not lost.
            State::Backlog | State::Delayed
                if head.marks.begun && !head.vtable.traits.cancel_on_drop =>
            {
                head.make_orphan();
                let fd = head.fd;
                Fate::Keeps(waker, fd.filter(|&node| Self::add_orphan(node)))
            }
            State::Backlog | State::Delayed if head.marks.begun && head.marks.side.is_some() => {
                self.unlink(id);
                self.fail(id, -errno::ECANCELED);
                self.make_orphan(id.index());
                Fate::Conclude(waker)
            }
            // Its bytes were taken out of a stream already.
            State::Queued | State::Backlog | State::Delayed if head.vtable.traits.owed => {
                head.make_orphan();
                let fd = head.fd;
                Fate::Keeps(waker, fd.filter(|&node| Self::add_orphan(node)))
            }
            State::Queued
            | State::Backlog
            | State::Delayed
            | State::CarryReady
            | State::Reserved => {
                head.waker = waker;
                self.unlink(id);
                Fate::Discard(self.leave(id.index()))
            }
            State::InFlight => {
                head.make_orphan();
                let (cancel, fd) = (head.vtable.traits.cancel_on_drop, head.fd);
                if cancel {
                    self.cancel(id.index());
                }
                Fate::Keeps(waker, fd.filter(|&node| Self::add_orphan(node)))
            }
            State::Done => {
                head.make_orphan();
                if let Some(node) = head.fd {
                    Self::add_orphan(node);
                }
                Fate::Conclude(waker)
            }
            State::Free | State::Carry => {
                unreachable!("a future's slot is neither free nor left behind")
            }
        }
    }

    /// The future of a pending operation goes, but the operation stays where it is.
    pub(super) fn leave_alone(&mut self, id: SlotId) -> Option<Waker> {
        let head = self.slots.current(id)?;
        head.make_orphan();
        let (waker, fd) = (head.waker.take(), head.fd);
        if let Some(node) = fd {
            Self::add_orphan(node);
        }
        waker
    }

    /// Counts an orphan. True: the descriptor has no other user.
    fn add_orphan(node: NonNull<Descriptor>) -> bool {
        // SAFETY: the orphaned operation uses the descriptor.
        let fd = unsafe { node.as_ref() };
        fd.add_orphan();
        fd.is_abandoned()
    }

    pub(super) fn conclude(&mut self, id: SlotId) -> Option<End> {
        let index = id.index();
        let head = self.slots.current(id)?;
        if !head.marks.orphan {
            let waker = head.waker.take();
            let pump = match (head.marks.side, head.fd) {
                (Some(Side::Write), _) => self.leave(index),
                // A stream that is being closed waits for the kernel, and not for who reads.
                // SAFETY: the operation in the slot uses the descriptor.
                (Some(Side::Read), Some(fd)) if unsafe { fd.as_ref() }.read.dead.get() => {
                    self.leave(index)
                }
                _ => None,
            };
            return Some(End::Wake(waker, pump));
        }
        let (result, fd, side, gives) = (head.result, head.fd, head.marks.side, head.marks.gives);
        let (Some(node), Some(side)) = (fd, side) else { return Some(End::Finish(None)) };
        // SAFETY: the orphan in the slot uses the descriptor.
        let fd = unsafe { node.as_ref() };
        if side == Side::Read && gives.may_be_lost() && !fd.read.dead.get() && !self.ending {
            let held = self.held(index);
            // An empty datagram is one, too; of a stream, nothing is the end, which stays.
            let whole = gives != Gives::Received || fd.kind() == Kind::Datagram;
            if held > 0 || (result >= 0 && whole) {
                // A listener and a datagram socket have no end that could tell of a loss, so theirs
                // may be more; a part of the slots must be left for those who read what was left.
                let share = if fd.is_stream() { 8 } else { 2 };
                if self.carries < self.slots.max() / share {
                    self.leave_carry(index, node, held);
                    return Some(End::Carry(node, fd.is_abandoned()));
                }
                // Bytes are never skipped in silence: the stream is over.
                if fd.is_stream() {
                    fd.read.sticky.set(Fault::CarryFull.code());
                    fd.read.dead.set(true);
                    self.backend.shut_down(fd);
                }
            }
        }
        let gate = fd.gate(side);
        if is_the_sockets(result) && gate.sticky.get() == 0 {
            gate.sticky.set(result);
            gate.dead.set(side == Side::Write);
        }
        Some(End::Finish(self.leave(index)))
    }

    /// An orphan is about to be dropped: it no longer counts as one.
    pub(super) fn end_orphan(&mut self, index: u32) {
        let head = self.slots.head(index);
        head.marks.orphan = false;
        if let Some(node) = head.fd {
            // SAFETY: the orphan in the slot uses the descriptor.
            unsafe { node.as_ref() }.end_orphan();
        }
    }

    fn finishing(&mut self, id: SlotId) -> (&'static Vtable, super::Done, Option<Waker>) {
        let index = id.index();
        self.drop_unread(index);
        self.end_orphan(index);
        let done = self.done(index);
        let head = self.slots.head(index);
        head.marks.state = State::Reserved;
        // The end of the driver makes orphans of operations whose futures are not gone.
        (head.vtable, done, head.waker.take())
    }

    /// Cancels the orphans of a descriptor, and hands out its carry, and a write that was to be
    /// asked again and now is over. (A read is never an orphan in that state.)
    fn abandon(&mut self, node: NonNull<Descriptor>) -> (Option<SlotId>, Option<SlotId>) {
        // SAFETY: the orphans use the descriptor, and nothing here drops them.
        let fd = unsafe { node.as_ref() };
        let mut stopped = None;
        for gate in [&fd.read, &fd.write] {
            let holder = gate.holder.get();
            if holder == NONE {
                continue;
            }
            let head = self.slots.head(holder);
            let id = head.id;
            match head.marks.state {
                // What is decided by the time the kernel takes it needs no cancel.
                State::InFlight if head.marks.quiet => continue,
                State::InFlight => {
                    head.stop_for(Fault::Closed);
                    self.cancel(holder);
                }
                State::Backlog | State::Delayed => {
                    self.unlink(id);
                    self.fail(id, Fault::Closed.code());
                    stopped = Some(id);
                }
                _ => continue,
            }
            if ptr::eq(gate, &fd.write) {
                // What is queued behind it must not leave a gap.
                fd.end_writes();
            }
        }
        let carry = fd.read.carry.replace(NONE);
        let carry = (carry != NONE).then(|| {
            self.carries -= 1;
            self.slots.head(carry).id
        });
        (carry, stopped)
    }

    /// Refuses further use of a stream and ends one of its reads. `Some`: that one had not begun; it
    /// is done, and there may be more.
    fn end_read(&mut self, fd: &Descriptor) -> Option<SlotId> {
        for gate in [&fd.read, &fd.write] {
            gate.sticky.set(Fault::Closed.code());
            gate.dead.set(true);
        }
        let (first, holder) = (fd.read.first.get(), fd.read.holder.get());
        let index = if first == NONE { holder } else { first };
        if index == NONE {
            return None;
        }
        let head = self.slots.head(index);
        let (id, state) = (head.id, head.marks.state);
        if state == State::Queued {
            return self.cancel_for(id, Fault::Closed).map(|()| id);
        }
        match state {
            State::InFlight => {
                head.stop_for(Fault::Closed);
                self.cancel(index);
                None
            }
            State::Done => {
                // It has its answer, whenever its future looks, but the gate no longer.
                head.marks.look_closely();
                fd.read.holder.set(NONE);
                None
            }
            _ => {
                self.unlink(id);
                fd.read.holder.set(NONE);
                self.fail(id, Fault::Closed.code());
                Some(id)
            }
        }
    }

    /// At the end: gives up the gate without letting anybody else go.
    pub(super) fn leave_quietly(&mut self, index: u32) {
        let _ = self.leave(index);
    }

    /// At the end: the future of a slot is gone or will not be asked.
    pub(super) fn make_orphan(&mut self, index: u32) {
        let head = self.slots.head(index);
        if !head.marks.orphan {
            head.make_orphan();
            if let Some(node) = head.fd {
                Self::add_orphan(node);
            }
        }
    }
}

/// An error of the socket, which the kernel tells once. That an operation was stopped, by the kernel
/// or for a reason of ours, or that it found no buffer, concerns nobody else.
pub(super) fn is_the_sockets(result: i32) -> bool {
    let nothing =
        [errno::ECANCELED, errno::EINTR, errno::EAGAIN, errno::ENOBUFS].contains(&-result);
    result < 0 && !nothing && !Fault::is(result)
}
