//! Slots: where operations rest while the kernel works.
//!
//! A slot is a *head* (what we know) and a *body* (what the kernel may touch: the operation and
//! its scratch). Slots lie in chunks that never move and are freed only by [`Slots::free_all`].
//! A slot id carries a generation, so that an answer that comes late never reaches another
//! operation.

use super::{descriptor::Descriptor, ops::Vtable};
use crate::{
    error::Fault,
    op::{Gives, Side, Traits},
    sys::{Packet, Scratch, prefetch},
};
use std::{mem::MaybeUninit, ptr::NonNull, task::Waker};

/// Room for an operation in its slot, in bytes.
pub(crate) const ROOM: usize = 256;
/// Slots made at once.
const CHUNK: usize = 64;
/// No slot.
/// Of a slot whose operation is in a chain that the system carries out.
pub(crate) const IN_CHAIN: u32 = NONE - 1;
pub(crate) const NONE: u32 = u32::MAX;

/// A slot and the generation of its use: `generation << 32 | index`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotId(pub(crate) u64);

impl SlotId {
    /// No slot's: no index is so large.
    #[allow(dead_code, reason = "only readiness keeps ids of its own")]
    pub(crate) const NEVER: SlotId = SlotId(u64::MAX);

    #[inline]
    pub(crate) fn new(index: u32, generation: u32) -> SlotId {
        SlotId(u64::from(generation) << 32 | u64::from(index))
    }
    #[inline]
    pub(crate) fn index(self) -> u32 {
        self.0 as u32
    }
    #[cfg(test)]
    pub(crate) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
    /// The same slot in its next use.
    #[inline]
    fn next(self) -> SlotId {
        SlotId(self.0.wrapping_add(1 << 32))
    }
}

/// The life of a slot. `orphan` in the head says whether the future is gone.
///
/// ```text
///            reserve            launch                      terminal completion
///   Free ───────────▶ Reserved ────────▶ InFlight ──────────────────────────────▶ Done
///    ▲                  │ gate busy ▲      │  ▲ Later: due      │ orphan with data   │
///    │                  ▼           │      ▼  │                ▼                    │
///    │                Queued ───────┘    Delayed             Carry                  │
///    │                                                         │ read empty         │
///    └─────────────────────────── release ◀─────────────────────┴────── taken ◀──────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Free,
    /// The operation is being placed or looked at by its own code; the kernel has nothing.
    Reserved,
    /// Waits at its descriptor's gate, or for room in the submission queue.
    Queued,
    Backlog,
    /// The kernel may touch the body.
    InFlight,
    /// Will be asked again at a given time.
    Delayed,
    /// The answer waits for the future.
    Done,
    /// The future may read what an earlier one left behind; its slot has the gate.
    CarryReady,
    /// The future was dropped, and what was received waits for the next one.
    Carry,
}

/// Each transfer goes through here, and between two turns the kernel moves so much through the cache that what is looked at
/// has to be fetched again, by its lines of 64 bytes. So a completion looks at the first line, and a transfer at no other
/// than that and the next, which its operation shares if it is small.
#[repr(C)]
pub(crate) struct Head {
    /// Which slot it is, and the generation of its use.
    pub(crate) id: SlotId,
    pub(crate) waker: Option<Waker>,
    pub(crate) vtable: &'static Vtable,
    pub(crate) fd: Option<NonNull<Descriptor>>,
    pub(crate) marks: Marks,
    /// A result of at least that needs no closer look before the future is woken. [`i32::MAX`]:
    /// every result needs one.
    pub(crate) enough: i32,
    pub(crate) result: i32,

    /// The memory that the last request named.
    pub(crate) region: NonNull<u8>,
    pub(crate) region_len: u32,
    /// How much the last request asked for: a result of that many is all of it.
    pub(crate) asked: u32,
    /// In a carry: how much it holds in all. In a pooled receive before that: see `inner/items.rs`.
    pub(crate) held: u32,
    /// The next of its chain, if the driver carries that out; [`IN_CHAIN`]: the system does; [`NONE`]: it is in none.
    pub(crate) chain: u32,
    /// The next free slot.
    next_free: Option<NonNull<Slot>>,
}

/// What is known of few operations.
pub(crate) struct Rest {
    /// Links of the list that the slot is in: gate, backlog.
    pub(crate) next: u32,
    pub(crate) prev: u32,
    /// How many items of a multishot wait for its future, and their list.
    pub(crate) items: u32,
    pub(crate) items_first: u32,
    pub(crate) items_last: u32,
    /// In a carry: how much of it has been read.
    pub(crate) offset: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::offset_of!(Head, region) == 64 && size_of::<Head>() == 96);

/// What is noted of an operation on its way. How they begin is known for each kind of operation, so
/// they are copied as a whole.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Marks {
    pub(crate) state: State,
    /// (Beside the state, so that both are written at once.)
    pub(crate) answer: Answer,
    pub(crate) orphan: bool,
    /// Why it was asked to stop, if its future waits to hear that.
    pub(crate) stop: Option<Fault>,
    pub(crate) cancelled: bool,
    /// The kernel had it before, so it is not undone by dropping its future.
    pub(crate) begun: bool,
    /// How often in a row the kernel has said "again".
    pub(crate) repeats: u8,
    pub(crate) side: Option<Side>,
    pub(crate) gives: Gives,

    /// The operation's own code has seen the last completion.
    pub(crate) seen: bool,
    /// How many vectors of the scratch the region stands for; 0: the region is plain.
    pub(crate) vectors: u8,
    /// Nobody waits to hear of it, see `inner/quiet.rs`.
    pub(crate) quiet: bool,
    pub(crate) flags: u32,
}

const _: () = assert!(size_of::<Marks>() == 16);

impl Marks {
    /// Of an operation of which nothing is known but how it begins.
    pub(crate) const fn new(state: State, side: Option<Side>, gives: Gives) -> Marks {
        Marks {
            state,
            answer: Answer::Nothing,
            orphan: false,
            stop: None,
            cancelled: false,
            begun: false,
            repeats: 0,
            side,
            gives,
            seen: false,
            vectors: 0,
            quiet: false,
            flags: 0,
        }
    }

    /// Its future is to look closely at what there is.
    pub(crate) fn look_closely(&mut self) {
        if self.answer == Answer::Plain {
            self.answer = Answer::Nothing;
        }
    }
}

/// What there is for the future of an operation, beside the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// What the state says.
    Nothing,
    /// It is `Done`, by a plain answer that may be taken without a closer look; see `Inner::take_plain`.
    Plain,
    /// Nothing more: the future of a multishot has taken all there was, and not looked again. So it is not told of the next.
    Taken,
    /// One item of a multishot, which is the result and the flags in the head.
    Item,
    /// Items of a multishot, in a list; see `inner/items.rs`. What is in the head comes after them, if it is `Done`.
    Items,
}

impl Head {
    /// The future is gone: somebody else looks at the answer.
    pub(crate) fn make_orphan(&mut self) {
        self.marks.orphan = true;
        self.enough = i32::MAX;
    }

    /// It was asked to stop. The first reason counts.
    pub(crate) fn stop_for(&mut self, fault: Fault) {
        self.marks.stop.get_or_insert(fault);
        self.enough = i32::MAX;
    }

    /// Keeps the waker of a slot that was just reserved, and so has none.
    #[inline(always)]
    pub(crate) fn keep_first(&mut self, waker: Waker) {
        debug_assert!(self.waker.is_none());
        // SAFETY: a write over our own field. It spares a look at what was there: nothing, and a
        // waker that is wrongly there would be leaked.
        unsafe { (&raw mut self.waker).write(Some(waker)) };
    }
}

/// What the kernel may touch. Only raw pointers lead here while a request is out.
#[repr(C, align(32))]
pub(crate) struct Body {
    /// What the system wants at an address of its own for each request that it has.
    pub(crate) packet: Packet,
    pub(crate) room: MaybeUninit<[u8; ROOM]>,
    pub(crate) scratch: Scratch,
}

#[repr(C, align(64))]
pub(crate) struct Slot {
    pub(crate) head: Head,
    pub(crate) body: Body,
    rest: Rest,
}

impl Slot {
    /// The body of a slot, without a reference to it.
    #[inline(always)]
    pub(crate) fn body(slot: NonNull<Slot>) -> NonNull<Body> {
        // SAFETY: the offset of a field inside the allocation that the pointer comes from.
        unsafe { slot.byte_add(std::mem::offset_of!(Slot, body)).cast() }
    }

    /// The packet of a slot, likewise.
    #[inline(always)]
    pub(crate) fn packet(slot: NonNull<Slot>) -> NonNull<Packet> {
        // SAFETY: as in `body`.
        unsafe { Slot::body(slot).byte_add(std::mem::offset_of!(Body, packet)).cast() }
    }
}

pub(crate) struct Slots {
    chunks: Vec<NonNull<Slot>>,
    len: u32,
    free: Option<NonNull<Slot>>,
    used: u32,
    /// How many more operations that wait for a peer may have a slot.
    peers_left: u32,
    max: u32,
}

impl Slots {
    pub(crate) fn new(max: u32) -> Slots {
        // Three quarters at most go to operations that wait for a peer: else idle reads could hold
        // every slot, and the writes that would end them would never start.
        let peers_left = max - max / 4;
        Slots { chunks: Vec::new(), len: 0, free: None, used: 0, peers_left, max }
    }

    /// Takes a free slot, whose marks are those then; `None` at the bound.
    #[inline(always)]
    pub(crate) fn reserve(
        &mut self,
        traits: &Traits,
        vtable: &'static Vtable,
        marks: Marks,
    ) -> Option<NonNull<Slot>> {
        if traits.waits_for_peer && self.peers_left == 0 {
            return None;
        }
        let slot = match self.free {
            Some(slot) => slot,
            None => self.grow()?,
        };
        // SAFETY: free slots are in chunks that stay, and nobody else has a reference to one.
        let head = unsafe { &mut (*slot.as_ptr()).head };
        debug_assert_eq!(head.marks.state, State::Free);
        self.free = head.next_free;
        self.used += 1;
        self.peers_left -= u32::from(traits.waits_for_peer);
        head.vtable = vtable;
        head.fd = None;
        head.marks = marks;
        Some(slot)
    }

    /// Gives a slot back. The next use has another generation.
    #[inline(always)]
    pub(crate) fn release(&mut self, slot: NonNull<Slot>, waits_for_peer: bool) {
        // SAFETY: a slot in use is in a chunk that stays, and its user gives it up.
        let head = unsafe { &mut (*slot.as_ptr()).head };
        debug_assert!(head.marks.state != State::Free && head.waker.is_none());
        debug_assert_eq!(head.chain, NONE);
        head.marks.state = State::Free;
        head.marks.answer = Answer::Nothing;
        head.id = head.id.next();
        head.next_free = self.free;
        self.free = Some(slot);
        self.used -= 1;
        debug_assert_eq!(head.vtable.traits.waits_for_peer, waits_for_peer);
        self.peers_left += u32::from(waits_for_peer);
    }

    /// Makes a chunk of free slots, and returns the first. `None` at the bound.
    #[cold]
    fn grow(&mut self) -> Option<NonNull<Slot>> {
        let from = self.len;
        let n = (CHUNK as u32).min(self.max - from);
        if n == 0 {
            return None;
        }
        let chunk: Box<[Slot]> = (0..CHUNK as u32).map(|i| Slot::new(from + i)).collect();
        let chunk: NonNull<Slot> = NonNull::from(Box::leak(chunk)).cast();
        self.chunks.push(chunk);
        self.len += n;
        for index in (from..from + n).rev() {
            let slot = self.at(index);
            // SAFETY: just made.
            unsafe { (*slot.as_ptr()).head.next_free = self.free };
            self.free = Some(slot);
        }
        self.free
    }

    #[inline(always)]
    pub(crate) fn at(&self, index: u32) -> NonNull<Slot> {
        debug_assert!(index < self.len);
        // SAFETY: indices come from `reserve`, from the links of heads, or from ids that `find` has
        // checked; there is a chunk for each, and each holds CHUNK slots.
        unsafe { self.chunks.get_unchecked(index as usize / CHUNK).add(index as usize % CHUNK) }
    }

    #[inline(always)]
    pub(crate) fn head(&mut self, index: u32) -> &mut Head {
        // SAFETY: the slot is there (see `at`), and heads are reached only through `self`.
        unsafe { &mut (*self.at(index).as_ptr()).head }
    }

    /// The head of a slot that `reserve` has given out.
    #[inline(always)]
    pub(crate) fn head_at(&mut self, slot: NonNull<Slot>) -> &mut Head {
        // SAFETY: slots stay as long as `self`, and heads are reached only through it.
        unsafe { &mut (*slot.as_ptr()).head }
    }

    #[inline]
    pub(crate) fn rest(&mut self, index: u32) -> &mut Rest {
        // SAFETY: as in `head`; and what the kernel may touch is beside it.
        unsafe { &mut (*self.at(index).as_ptr()).rest }
    }

    /// The head of a slot, if it is one, will be looked at soon.
    #[inline(always)]
    pub(crate) fn expect(&self, index: u32) {
        if index < self.len {
            let head = self.at(index).cast::<[u8; 64]>();
            prefetch(head.as_ptr());
            prefetch(head.as_ptr().wrapping_add(1));
        }
    }

    /// And the task that its operation's future belongs to, or, if nobody waits, its descriptor.
    #[inline(always)]
    pub(crate) fn expect_owner(&mut self, index: u32) {
        if index >= self.len {
            return;
        }
        let head = self.head(index);
        match (&head.waker, head.fd) {
            (Some(waker), _) => prefetch(waker.data()),
            (None, Some(fd)) => prefetch(fd.as_ptr()),
            (None, None) => {}
        }
    }

    /// The slot that is still in the use that `id` names, if the kernel has it.
    #[inline(always)]
    pub(crate) fn find_out(&mut self, id: SlotId) -> Option<NonNull<Slot>> {
        if id.index() >= self.len {
            return None;
        }
        let slot = self.at(id.index());
        let head = self.head_at(slot);
        (head.id == id && head.marks.state.is_out()).then_some(slot)
    }

    /// The slot that is still in the use that `id` names.
    #[inline(always)]
    pub(crate) fn find(&mut self, id: SlotId) -> Option<NonNull<Slot>> {
        if id.index() >= self.len {
            return None;
        }
        let slot = self.at(id.index());
        let head = self.head_at(slot);
        (head.id == id && head.marks.state != State::Free).then_some(slot)
    }

    /// The head of a slot that is still in the use that `id` names.
    #[inline(always)]
    pub(crate) fn current(&mut self, id: SlotId) -> Option<&mut Head> {
        let slot = self.find(id)?;
        Some(self.head_at(slot))
    }

    #[inline(always)]
    pub(crate) fn body(&self, index: u32) -> NonNull<Body> {
        Slot::body(self.at(index))
    }

    /// An operation that waits for a peer could have a slot now.
    pub(crate) fn has_room_for_peer(&self) -> bool {
        self.used < self.max && self.peers_left > 0
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }
    pub(crate) fn used(&self) -> u32 {
        self.used
    }
    pub(crate) fn max(&self) -> u32 {
        self.max
    }

    /// Frees the slots.
    ///
    /// # Safety
    /// The kernel holds nothing that points into them, no operation is in them, and no pointer to
    /// one is used afterwards.
    pub(crate) unsafe fn free_all(&mut self) {
        self.free = None;
        self.len = 0;
        for chunk in self.chunks.drain(..) {
            let chunk = std::ptr::slice_from_raw_parts_mut(chunk.as_ptr(), CHUNK);
            // SAFETY: made by `grow` with that length; the caller says that nobody uses it.
            drop(unsafe { Box::from_raw(chunk) });
        }
    }
}

impl Slot {
    fn new(index: u32) -> Slot {
        let head = Head {
            id: SlotId::new(index, 0),
            waker: None,
            vtable: Vtable::none(),
            fd: None,
            marks: Marks::new(State::Free, None, Gives::Count),
            region: NonNull::dangling(),
            region_len: 0,
            asked: 0,
            chain: NONE,
            enough: i32::MAX,
            result: 0,
            held: 0,
            next_free: None,
        };
        let rest = Rest {
            next: NONE,
            prev: NONE,
            items: 0,
            items_first: NONE,
            items_last: NONE,
            offset: 0,
        };
        let body =
            Body { packet: Packet::new(), room: MaybeUninit::uninit(), scratch: Scratch::new() };
        Slot { head, body, rest }
    }
}
