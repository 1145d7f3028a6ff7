//! Completions of a multishot that its future has not seen yet: a list in each slot, its nodes
//! pooled.

use super::{
    super::slot::{NONE, Slot},
    Inner, Item,
};
use crate::sys::{Event, MORE, buffer_flags, buffer_of};
use std::{mem, ptr::NonNull};

impl Inner {
    /// A receive has filled several buffers and tells of them at once: all but the last become items of their own.
    #[inline]
    pub(super) fn unbundle(&mut self, slot: NonNull<Slot>, event: &mut Event) {
        let head = self.slots.head_at(slot);
        let (traits, group, index) = (&head.vtable.traits, group_of(head.held), head.id.index());
        if !traits.multishot || !traits.pooled || traits.framed {
            return;
        }
        let Some(mut buffer) = buffer_of(event.flags) else { return };
        let Some(bundle) = self.backend.bundle(group, buffer, event.result) else { return };
        for _ in 1..bundle.count {
            let next = self.backend.behind(group, buffer);
            let (result, flags) = (bundle.filled, buffer_flags(buffer) | MORE);
            let mut one = Event { result, flags, ..*event };
            self.take_buffer(slot, &mut one);
            self.push_item(index, one);
            event.result -= result;
            buffer = next;
        }
        self.bundled += u64::from(bundle.count - 1);
        event.flags = event.flags & MORE | buffer_flags(buffer);
    }

    pub(super) fn push_item(&mut self, index: u32, event: Event) {
        let (result, flags) = (event.result, event.flags);
        let item = match self.free_item {
            NONE => {
                self.items.push(Item { result, flags, next: NONE });
                self.items.len() as u32 - 1
            }
            free => {
                let item = mem::replace(
                    &mut self.items[free as usize],
                    Item { result, flags, next: NONE },
                );
                self.free_item = item.next;
                free
            }
        };
        self.items_seen += 1;
        let bound = bound_of(self.slots.head(index).held);
        let rest = self.slots.rest(index);
        rest.items += 1;
        let full = rest.items >= bound;
        let last = mem::replace(&mut rest.items_last, item);
        match last {
            NONE => rest.items_first = item,
            last => self.items[last as usize].next = item,
        }
        if full {
            self.cancel(index);
        }
    }

    /// The next item of a multishot: (result, flags).
    pub(in crate::driver) fn pop_item(&mut self, index: u32) -> Option<(i32, u32)> {
        let free = self.free_item;
        let rest = self.slots.rest(index);
        let first = rest.items_first;
        if first == NONE {
            return None;
        }
        let item = &mut self.items[first as usize];
        let next = mem::replace(&mut item.next, free);
        let answer = (item.result, item.flags);
        self.free_item = first;
        rest.items -= 1;
        rest.items_first = next;
        if next == NONE {
            rest.items_last = NONE;
        }
        Some(answer)
    }
}

/// What a slot notes of a pooled receive while it has not become a carry: the group that it receives
/// into, and how many items may wait for its future.
pub(super) fn pooled_note(group: u16, bound: u8) -> u32 {
    u32::from(group) | u32::from(bound) << 16
}

pub(super) fn group_of(note: u32) -> u16 {
    note as u16
}

fn bound_of(note: u32) -> u32 {
    note >> 16
}
