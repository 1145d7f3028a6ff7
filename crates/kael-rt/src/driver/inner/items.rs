//! Completions of a multishot that its future has not seen yet: a list in each slot, its nodes
//! pooled.

use super::{super::slot::NONE, Inner, Item};
use crate::sys::Event;
use std::mem;

impl Inner {
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
        let head = self.slots.head(index);
        head.items += 1;
        let full = head.items >= bound_of(head.held);
        let last = mem::replace(&mut head.items_last, item);
        match last {
            NONE => head.items_first = item,
            last => self.items[last as usize].next = item,
        }
        if full {
            self.cancel(index);
        }
    }

    /// The next item of a multishot: (result, flags).
    pub(in crate::driver) fn pop_item(&mut self, index: u32) -> Option<(i32, u32)> {
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
