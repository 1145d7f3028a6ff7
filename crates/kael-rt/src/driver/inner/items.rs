//! Completions of a multishot that its future has not seen yet: a list in each slot, its nodes
//! pooled.

use super::{super::slot::NONE, Inner, Item, MAX_ITEMS};
use crate::sys::{Event, buffer_of};
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
        head.marks.items += 1;
        let (last, full) =
            (mem::replace(&mut head.items_last, item), head.marks.items >= MAX_ITEMS);
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
        head.marks.items -= 1;
        head.items_first = next;
        if next == NONE {
            head.items_last = NONE;
        }
        Some(answer)
    }

    /// Drops the items that no future will see.
    pub(in crate::driver) fn drop_items(&mut self, index: u32) {
        while let Some((_, flags)) = self.pop_item(index) {
            if let Some((group, buffer)) = buffer_of(flags) {
                self.backend.give_back(group, buffer);
            }
        }
    }
}
