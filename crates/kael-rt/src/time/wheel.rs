//! A hierarchical timing wheel: arm, cancel and "what is due next" in constant time, nothing fires early, and what fires
//! in one go does so in the order of deadlines. A pure data structure: it reads no clock and wakes nobody, the payload
//! is any `T`, and it never runs the payload's code (a `T` is moved in and out, neither cloned nor dropped).
//!
//! Time is a number of nanoseconds. Eleven levels of 64 slots cover all of `u64`: a timer lies on the level of the
//! highest base-64 digit in which its deadline differs from `elapsed`, in the slot of that digit. So all timers of a
//! level come before those of the levels above, the nearest slot is two bit scans away, nothing wraps around, and
//! nothing is rounded.
//!
//! Invariants:
//! 1. `elapsed <= seen`, and every armed deadline is `>= elapsed`.
//! 2. An armed node on level L shares with `elapsed` all digits above L, and its digit L is the larger one (or equal,
//!    on level 0). Moving `elapsed` forward keeps this true as long as it stays before the nearest slot's first
//!    nanosecond; moving it into the slot means to deal the slot's nodes out again (`cascade`), each to a lower level.
//!    A cascade goes straight to the earliest deadline, so a lone timer moves once and not once a level.
//! 3. `Slot::earliest` is never later than the earliest deadline in the slot. It is exact until that timer is
//!    cancelled; a stale one costs at most one wake-up for nothing per level, because a cascade makes it exact again.
#![forbid(unsafe_code)]

use super::nodes::{FIRED, FREE, NIL, Node, Nodes};

#[cfg(test)]
mod tests;

const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
/// Eleven digits of six bits: 66 bits, of which the last level uses four.
const LEVELS: usize = u64::BITS.div_ceil(LEVEL_BITS) as usize;
/// The last nanosecond stands for "never": no clock reading gets there, see `Wheel::pop_due`.
const NEVER: u64 = u64::MAX;

/// Names an armed or fired timer until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    index: u32,
    generation: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    earliest: u64,
    head: u32,
    tail: u32,
}

pub(crate) struct Wheel<T> {
    /// The time from which the levels are dealt out.
    elapsed: u64,
    /// The latest time that `pop_due` was told of.
    seen: u64,
    /// Bit L: level L holds something.
    levels: u16,
    /// Bit S of level L: that slot holds something.
    occupied: [u64; LEVELS],
    slots: Box<[Slot]>,
    nodes: Nodes<T>,
    armed: usize,
}

impl<T> Wheel<T> {
    pub(crate) fn new(now_ns: u64) -> Wheel<T> {
        let now = now_ns.min(NEVER - 1);
        Wheel {
            elapsed: now,
            seen: now,
            levels: 0,
            occupied: [0; LEVELS],
            slots: vec![Slot { earliest: 0, head: NIL, tail: NIL }; LEVELS * SLOTS].into(),
            nodes: Nodes::new(),
            armed: 0,
        }
    }

    /// Timers that have neither fired nor been removed.
    pub(crate) fn len(&self) -> usize {
        self.armed
    }

    /// Whether a timer with this deadline would fire at once.
    #[inline]
    pub(crate) fn has_passed(&self, deadline_ns: u64) -> bool {
        deadline_ns <= self.seen
    }

    /// Arms a timer. It exists, fired or not, until `remove`.
    #[inline]
    pub(crate) fn insert(&mut self, deadline_ns: u64, payload: T) -> TimerKey {
        let index = self.nodes.take();
        let node = self.link(index, deadline_ns.max(self.seen));
        node.payload = Some(payload);
        TimerKey { index, generation: node.generation }
    }

    /// Ends a timer and returns the payload if it had not fired.
    #[inline]
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<T> {
        if !self.exists(key) {
            return None;
        }
        let Node { prev, next, slot, .. } = self.nodes[key.index];
        let payload = self.nodes.give_back(key.index);
        if slot != FIRED {
            self.unlink(prev, next, slot);
        }
        payload
    }

    /// Gives an armed timer another deadline. False, and nothing done, if it has fired.
    pub(crate) fn rearm(&mut self, key: TimerKey, deadline_ns: u64) -> bool {
        if self.is_fired(key) {
            return false;
        }
        let Node { prev, next, slot, .. } = self.nodes[key.index];
        self.unlink(prev, next, slot);
        self.link(key.index, deadline_ns.max(self.seen));
        true
    }

    #[inline]
    pub(crate) fn is_fired(&self, key: TimerKey) -> bool {
        !self.exists(key) || self.nodes[key.index].slot == FIRED
    }

    /// The payload of an armed timer; `None` once it has fired.
    #[inline]
    pub(crate) fn payload_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        if !self.exists(key) {
            return None;
        }
        self.nodes[key.index].payload.as_mut()
    }

    /// When `pop_due` should be called next: never later than the earliest timer can fire, and exactly then unless that
    /// timer's predecessor in its slot was cancelled. `None` if no timer will ever fire.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let (slot, _) = self.nearest()?;
        let earliest = self.slots[slot].earliest;
        (earliest != NEVER).then_some(earliest)
    }

    /// Fires the earliest timer whose deadline is at or before `now_ns`. Timers of one deadline fire in the order in which
    /// they were armed. A clock that goes back is taken to stand still.
    #[inline]
    pub(crate) fn pop_due(&mut self, now_ns: u64) -> Option<T> {
        let now = now_ns.min(NEVER - 1).max(self.seen);
        self.seen = now;
        loop {
            let Some((slot, level)) = self.nearest() else {
                self.elapsed = now;
                return None;
            };
            if self.slots[slot].earliest > now {
                // Not into the slot, and never back.
                self.elapsed = self.elapsed.max(now.min(self.first_ns(slot, level) - 1));
                return None;
            }
            if level == 0 {
                self.elapsed = self.slots[slot].earliest;
                return self.fire_head(slot);
            }
            self.cascade(slot, level);
        }
    }

    /// Fires any timer, due or not: the way to empty the wheel.
    pub(crate) fn pop_any(&mut self) -> Option<T> {
        let (slot, _) = self.nearest()?;
        self.fire_head(slot)
    }

    fn exists(&self, key: TimerKey) -> bool {
        self.nodes
            .get(key.index)
            .is_some_and(|node| node.generation == key.generation && node.slot != FREE)
    }

    #[inline]
    fn fire_head(&mut self, slot: usize) -> Option<T> {
        let node = &mut self.nodes[self.slots[slot].head];
        let payload = node.payload.take();
        let next = node.next;
        node.slot = FIRED;
        self.unlink(NIL, next, slot as u16);
        payload
    }

    /// The slot that holds the earliest timers, and its level.
    #[inline]
    fn nearest(&self) -> Option<(usize, u32)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros();
        let digit = self.occupied[level as usize].trailing_zeros();
        Some((level as usize * SLOTS + digit as usize, level))
    }

    /// The first nanosecond that belongs to an occupied slot.
    fn first_ns(&self, slot: usize, level: u32) -> u64 {
        let above = u64::MAX.checked_shl(LEVEL_BITS * (level + 1)).unwrap_or(0);
        (self.elapsed & above) | ((slot % SLOTS) as u64) << (LEVEL_BITS * level)
    }

    /// Moves `elapsed` to the earliest deadline of a slot and deals its nodes out to the levels below, in their order.
    fn cascade(&mut self, slot: usize, level: u32) {
        let Slot { earliest, head, .. } = self.slots[slot];
        debug_assert!(earliest >= self.elapsed);
        self.elapsed = earliest;
        self.vacate(slot, level);
        let mut index = head;
        while index != NIL {
            let Node { next, deadline, .. } = self.nodes[index];
            self.armed -= 1;
            self.link(index, deadline);
            index = next;
        }
    }

    /// Appends a node to the slot that its deadline asks for.
    #[inline]
    fn link(&mut self, index: u32, deadline: u64) -> &mut Node<T> {
        debug_assert!(deadline >= self.elapsed);
        // Setting the lowest digit's bits changes no level and spares the case of no difference at all.
        let difference = (deadline ^ self.elapsed) | (SLOTS as u64 - 1);
        let level = (63 - difference.leading_zeros()) / LEVEL_BITS;
        let digit = (deadline >> (LEVEL_BITS * level)) as usize % SLOTS;
        let slot_index = level as usize * SLOTS + digit;

        let slot = &mut self.slots[slot_index];
        let prev = slot.tail;
        slot.tail = index;
        if prev == NIL {
            slot.head = index;
            slot.earliest = deadline;
            self.occupied[level as usize] |= 1 << digit;
            self.levels |= 1 << level;
        } else {
            slot.earliest = slot.earliest.min(deadline);
            self.nodes[prev].next = index;
        }
        self.armed += 1;
        let node = &mut self.nodes[index];
        node.deadline = deadline;
        node.prev = prev;
        node.next = NIL;
        node.slot = slot_index as u16;
        node
    }

    /// Takes the node between `prev` and `next` out of a slot's list.
    #[inline]
    fn unlink(&mut self, prev: u32, next: u32, slot_index: u16) {
        let slot = &mut self.slots[slot_index as usize];
        match prev {
            NIL => slot.head = next,
            _ => self.nodes[prev].next = next,
        }
        match next {
            NIL => slot.tail = prev,
            _ => self.nodes[next].prev = prev,
        }
        if prev == NIL && next == NIL {
            self.vacate(slot_index as usize, u32::from(slot_index) / SLOTS as u32);
        }
        self.armed -= 1;
    }

    /// Marks a slot as empty.
    #[inline]
    fn vacate(&mut self, slot: usize, level: u32) {
        self.slots[slot].head = NIL;
        self.slots[slot].tail = NIL;
        let occupied = &mut self.occupied[level as usize];
        *occupied &= !(1 << (slot % SLOTS));
        if *occupied == 0 {
            self.levels &= !(1 << level);
        }
    }
}
