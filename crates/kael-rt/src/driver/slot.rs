//! Slots: where operations rest while the kernel works.
//!
//! A slot is a *head* (what we know) and a *body* (what the kernel may touch: the operation and
//! its scratch). Heads lie in one growing array. Bodies lie in chunks that never move and are
//! freed only by [`Slots::free_all`]. A slot id carries a generation, so that an answer that
//! comes late never reaches another operation.

use super::{descriptor::Descriptor, ops::Vtable};
use crate::{
    error::Fault,
    op::{Gives, Side, Traits},
    sys::Scratch,
};
use std::{mem::MaybeUninit, ptr::NonNull, task::Waker};

/// Room for an operation in its slot, in bytes.
pub(crate) const ROOM: usize = 256;
/// Slots made at once.
const CHUNK: usize = 64;
/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// A slot and the generation of its use: `generation << 32 | index`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotId(pub(crate) u64);

impl SlotId {
    #[inline]
    pub(crate) fn new(index: u32, generation: u32) -> SlotId {
        SlotId(u64::from(generation) << 32 | u64::from(index))
    }
    #[inline]
    pub(crate) fn index(self) -> u32 {
        self.0 as u32
    }
    #[inline]
    pub(crate) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
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

pub(crate) struct Head {
    pub(crate) generation: u32,
    pub(crate) state: State,
    pub(crate) orphan: bool,
    pub(crate) cancelled: bool,
    /// The operation's own code has seen the last completion.
    pub(crate) seen: bool,
    /// It wants to see completions that are shorter than what was asked for.
    pub(crate) steps: bool,
    pub(crate) multishot: bool,
    pub(crate) waits_for_peer: bool,
    /// The kernel had it before, so it is not undone by dropping its future.
    pub(crate) begun: bool,
    /// How often in a row the kernel has said "again".
    pub(crate) repeats: u8,
    /// Why it was asked to stop, if its future waits to hear that.
    pub(crate) stop: Option<Fault>,
    pub(crate) gives: Gives,
    pub(crate) side: Option<Side>,
    /// How many vectors of the scratch the region stands for; 0: the region is plain.
    pub(crate) vectors: u8,
    /// Links of the list that the slot is in: free, gate, backlog, cancels.
    pub(crate) next: u32,
    pub(crate) prev: u32,
    pub(crate) result: i32,
    pub(crate) flags: u32,
    /// The memory that the last request named.
    pub(crate) region: NonNull<u8>,
    pub(crate) region_len: u32,
    /// How much the last request asked for: a result of that many is all of it.
    pub(crate) asked: u32,
    /// In a carry: how much of it has been read.
    pub(crate) offset: u32,
    /// In a carry: how much it holds in all.
    pub(crate) held: u32,
    /// Items of a multishot that wait for the future.
    pub(crate) items_first: u32,
    pub(crate) items_last: u32,
    pub(crate) items: u32,
    pub(crate) fd: Option<NonNull<Descriptor>>,
    pub(crate) vtable: &'static Vtable,
    pub(crate) waker: Option<Waker>,
}

const _: () = assert!(size_of::<Head>() <= 112);

/// What the kernel may touch. Only raw pointers lead here while a request is out.
#[repr(C, align(64))]
pub(crate) struct Body {
    pub(crate) room: MaybeUninit<[u8; ROOM]>,
    pub(crate) scratch: Scratch,
}

pub(crate) struct Slots {
    heads: Vec<Head>,
    bodies: Vec<NonNull<Body>>,
    free: u32,
    used: u32,
    /// Used by operations that wait for a peer.
    peers: u32,
    max: u32,
}

impl Slots {
    pub(crate) fn new(max: u32) -> Slots {
        Slots { heads: Vec::new(), bodies: Vec::new(), free: NONE, used: 0, peers: 0, max }
    }

    /// Takes a free slot; `None` at the bound. Three quarters at most go to operations that wait
    /// for a peer: else idle reads could hold every slot, and the writes that would end them
    /// would never start.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, traits: Traits, vtable: &'static Vtable) -> Option<SlotId> {
        if traits.waits_for_peer {
            if self.peers >= self.max - self.max / 4 {
                return None;
            }
            self.peers += 1;
        }
        if self.free == NONE && !self.grow() {
            if traits.waits_for_peer {
                self.peers -= 1;
            }
            return None;
        }
        let index = self.free;
        // SAFETY: the list of free slots links heads that exist.
        let head = unsafe { self.heads.get_unchecked_mut(index as usize) };
        debug_assert_eq!(head.state, State::Free);
        self.free = head.next;
        self.used += 1;
        head.state = State::Reserved;
        head.orphan = false;
        head.cancelled = false;
        head.seen = false;
        head.begun = false;
        // An operation that is stopped before it has asked for anything must not look like the last.
        head.gives = Gives::Count;
        head.repeats = 0;
        head.steps = traits.steps;
        head.multishot = traits.multishot;
        head.waits_for_peer = traits.waits_for_peer;
        head.stop = None;
        head.side = traits.side;
        head.vtable = vtable;
        head.fd = None;
        head.flags = 0;
        head.offset = 0;
        Some(SlotId::new(index, head.generation))
    }

    /// Gives a slot back. The next use has another generation.
    #[inline]
    pub(crate) fn release(&mut self, index: u32) {
        let free = self.free;
        let head = self.head(index);
        debug_assert!(head.state != State::Free && head.waker.is_none() && head.items == 0);
        head.state = State::Free;
        head.generation = head.generation.wrapping_add(1);
        head.next = free;
        let peer = head.waits_for_peer;
        self.peers -= u32::from(peer);
        self.free = index;
        self.used -= 1;
    }

    #[cold]
    fn grow(&mut self) -> bool {
        let from = self.heads.len() as u32;
        let n = (CHUNK as u32).min(self.max - from);
        if n == 0 {
            return false;
        }
        let chunk: Box<[Body]> = (0..CHUNK)
            .map(|_| Body { room: MaybeUninit::uninit(), scratch: Scratch::new() })
            .collect();
        self.bodies.push(NonNull::from(Box::leak(chunk)).cast());
        for index in from..from + n {
            self.heads.push(Head {
                generation: 0,
                state: State::Free,
                orphan: false,
                cancelled: false,
                seen: false,
                begun: false,
                repeats: 0,
                steps: false,
                multishot: false,
                stop: None,
                waits_for_peer: false,
                gives: Gives::Count,
                side: None,
                vectors: 0,
                next: if index + 1 < from + n { index + 1 } else { self.free },
                prev: NONE,
                result: 0,
                flags: 0,
                region: NonNull::dangling(),
                region_len: 0,
                asked: 0,
                offset: 0,
                held: 0,
                items_first: NONE,
                items_last: NONE,
                items: 0,
                fd: None,
                vtable: Vtable::none(),
                waker: None,
            });
        }
        self.free = from;
        true
    }

    #[inline(always)]
    pub(crate) fn head(&mut self, index: u32) -> &mut Head {
        debug_assert!((index as usize) < self.heads.len());
        // SAFETY: indices come from `reserve`, from the links of heads, or from ids that `current`
        // has checked; heads are only ever added while the driver lives.
        unsafe { self.heads.get_unchecked_mut(index as usize) }
    }

    /// The head of a slot that is still in the use that `id` names.
    #[inline(always)]
    pub(crate) fn current(&mut self, id: SlotId) -> Option<&mut Head> {
        let head = self.heads.get_mut(id.index() as usize)?;
        (head.generation == id.generation() && head.state != State::Free).then_some(head)
    }

    #[inline(always)]
    pub(crate) fn body(&self, index: u32) -> NonNull<Body> {
        debug_assert!((index as usize) < self.heads.len());
        // SAFETY: as in `head`: there is a chunk for every head, and each holds CHUNK bodies.
        unsafe { self.bodies.get_unchecked(index as usize / CHUNK).add(index as usize % CHUNK) }
    }

    /// An operation that waits for a peer could have a slot now.
    pub(crate) fn has_room_for_peer(&self) -> bool {
        self.used < self.max && self.peers < self.max - self.max / 4
    }

    pub(crate) fn len(&self) -> u32 {
        self.heads.len() as u32
    }
    pub(crate) fn used(&self) -> u32 {
        self.used
    }
    pub(crate) fn max(&self) -> u32 {
        self.max
    }

    /// Frees the bodies.
    ///
    /// # Safety
    /// The kernel holds nothing that points into them, no operation is in them, and no pointer
    /// from [`body`](Self::body) is used afterwards.
    pub(crate) unsafe fn free_all(&mut self) {
        self.heads.clear();
        for chunk in self.bodies.drain(..) {
            let chunk = std::ptr::slice_from_raw_parts_mut(chunk.as_ptr(), CHUNK);
            // SAFETY: made by `grow` with that length; the caller says that nobody uses it.
            drop(unsafe { Box::from_raw(chunk) });
        }
    }
}
