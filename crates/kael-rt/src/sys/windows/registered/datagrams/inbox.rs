//! What a datagram socket receives into: the state of its slots, without their memory and without the system. Plain data,
//! which any system can test.
//!
//! ```text
//!             half of them are free          the completion               a request was answered
//!    free ───────────────────────▶ posted ───────────────────▶ held ─────────────────────────▶ free
//!                                     │ an error of which nobody is to be told                  ▲
//!                                     └─────────────────────────────────────────────────────────┘
//! ```
//!
//! Receives are posted whether anybody waits or not, from the socket's first receive on. So a datagram belongs to no request until
//! it is copied, and a receive that is dropped loses none. They are posted again when half of them are free, which shares the
//! call; when nobody asks for what is held, the system keeps or drops what comes behind it, as it does for any socket.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

/// Receives that a socket may have with the system at once.
pub(super) const RECEIVES: u32 = 64;
/// Bytes of a slot, besides an address: no datagram has more, so the system cuts none.
pub(super) const ROOM: u32 = 65_536;

const ALL: u64 = u64::MAX;
const _: () = assert!(RECEIVES == u64::BITS);

/// What came: a datagram of so many bytes, or the error that a receive ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) slot: u32,
    pub(super) result: Result<u32, i32>,
}

pub(super) struct Inbox {
    /// A bit for each slot. What is neither free nor posted is held.
    free: u64,
    posted: u64,
    held: VecDeque<Held>,
    /// Somebody has asked for a datagram.
    wanted: bool,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        let held = VecDeque::with_capacity(RECEIVES as usize);
        Inbox { free: ALL, posted: 0, held, wanted: false }
    }

    /// For another socket.
    pub(super) fn begin(&mut self) {
        debug_assert!(self.is_idle(), "the last one's receives are over");
        self.held.clear();
        (self.free, self.wanted) = (ALL, false);
    }

    /// Somebody asks for a datagram.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// Whether receives are to be posted. If nothing is held, some are posted or this is true.
    pub(super) fn may_post(&self) -> bool {
        self.wanted && self.free.count_ones() >= RECEIVES / 2
    }

    /// A slot that nothing is in.
    pub(super) fn free_slot(&self) -> Option<u32> {
        (self.free != 0).then(|| self.free.trailing_zeros())
    }

    pub(super) fn post(&mut self, slot: u32) {
        debug_assert!(self.free & 1 << slot != 0);
        self.free &= !(1 << slot);
        self.posted |= 1 << slot;
    }

    /// The completion, whether anybody waits for it or not.
    pub(super) fn came(&mut self, slot: u32, result: Result<u32, i32>) {
        debug_assert!(self.is_posted(slot));
        self.posted &= !(1 << slot);
        self.held.push_back(Held { slot, result: result.map(|bytes| bytes.min(ROOM)) });
    }

    /// As [`Inbox::came`], of an error that is nobody's.
    pub(super) fn came_to_nothing(&mut self, slot: u32) {
        debug_assert!(self.is_posted(slot));
        self.posted &= !(1 << slot);
        self.free |= 1 << slot;
    }

    /// What came first, and is the next request's.
    pub(super) fn first(&self) -> Option<Held> {
        self.held.front().copied()
    }

    /// It was copied.
    pub(super) fn take(&mut self) {
        if let Some(held) = self.held.pop_front() {
            self.free |= 1 << held.slot;
        }
    }

    /// The system has the slot.
    pub(super) fn is_posted(&self, slot: u32) -> bool {
        self.posted & 1 << slot != 0
    }

    /// The system has none of the slots.
    pub(super) fn is_idle(&self) -> bool {
        self.posted == 0
    }
}
