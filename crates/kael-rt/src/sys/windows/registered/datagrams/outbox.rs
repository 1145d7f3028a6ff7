//! What datagrams are sent from: which slots are free, and who waits for one. Plain data, which any system can test.
//!
//! The slots are the core's, for all its sockets: a datagram that was sent waits for no peer. A datagram is copied into a slot
//! whole, or waits for one whole, in the order in which they came; none is ever dropped for want of room.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

/// Datagrams of a core that may be with the system at once.
pub(super) const SENDS: u32 = 64;

const ALL: u64 = u64::MAX;
const _: () = assert!(SENDS == u64::BITS);

pub(super) struct Outbox<W> {
    /// A bit for each slot.
    free: u64,
    waiting: VecDeque<W>,
}

impl<W> Outbox<W> {
    pub(super) fn new() -> Outbox<W> {
        Outbox { free: ALL, waiting: VecDeque::new() }
    }

    /// It waits behind all others.
    pub(super) fn push(&mut self, one: W) {
        self.waiting.push_back(one);
    }

    /// The one that has waited longest, with a slot for it, which is not free any more.
    pub(super) fn next(&mut self) -> Option<(u32, W)> {
        if self.free == 0 {
            return None;
        }
        let one = self.waiting.pop_front()?;
        let slot = self.free.trailing_zeros();
        self.free &= !(1 << slot);
        Some((slot, one))
    }

    /// The system could not take it: it is the first again.
    pub(super) fn put_back(&mut self, slot: u32, one: W) {
        self.free_again(slot);
        self.waiting.push_front(one);
    }

    /// Nothing of the slot is with the system any more.
    pub(super) fn free_again(&mut self, slot: u32) {
        debug_assert!(self.free & 1 << slot == 0);
        self.free |= 1 << slot;
    }

    /// One that waits, and will not be sent.
    pub(super) fn remove(&mut self, is_it: impl Fn(&W) -> bool) -> Option<W> {
        let place = self.waiting.iter().position(is_it)?;
        self.waiting.remove(place)
    }
}
