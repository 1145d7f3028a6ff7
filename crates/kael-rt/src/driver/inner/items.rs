//! Completions of a multishot that its future has not seen yet: one in the head of its slot, or several in a list, whose
//! nodes are pooled.

use super::{
    super::slot::{Answer, NONE, Slot},
    Inner, Item,
};
use crate::sys::{Event, MORE, buffer_flags, buffer_of};
use std::{mem, ptr::NonNull};

impl Inner {
    /// A receive has filled several buffers and tells of them at once: all but the last become items of their own.
    #[inline]
    pub(super) fn unbundle(&mut self, slot: NonNull<Slot>, event: &mut Event) {
        let head = self.slots.head_at(slot);
        let (traits, group) = (&head.vtable.traits, group_of(head.held));
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
            self.push_item(slot, one);
            event.result -= result;
            buffer = next;
        }
        self.bundled += u64::from(bundle.count - 1);
        event.flags = event.flags & MORE | buffer_flags(buffer);
    }

    /// A multishot has brought something. If its future has seen all before it, that stays in the head: mostly the
    /// future looks before more comes.
    #[inline(always)]
    pub(super) fn push_item(&mut self, slot: NonNull<Slot>, event: Event) {
        self.items_seen += 1;
        let head = self.slots.head_at(slot);
        match head.marks.answer {
            Answer::Item | Answer::Items => return self.list_item(slot, event),
            Answer::Nothing | Answer::Taken | Answer::Plain => {}
        }
        head.marks.answer = Answer::Item;
        (head.result, head.marks.flags) = (event.result, event.flags);
        if bound_of(head.held) <= 1 {
            let index = head.id.index();
            self.cancel(index);
        }
    }

    #[cold]
    fn list_item(&mut self, slot: NonNull<Slot>, event: Event) {
        self.list_first(slot);
        let index = self.slots.head_at(slot).id.index();
        self.append(index, event.result, event.flags);
        let bound = bound_of(self.slots.head_at(slot).held);
        if self.slots.rest(index).items >= bound {
            self.cancel(index);
        }
    }

    /// The head is wanted for something else than the item in it, if there is one.
    pub(super) fn list_first(&mut self, slot: NonNull<Slot>) {
        let head = self.slots.head_at(slot);
        if head.marks.answer == Answer::Item {
            head.marks.answer = Answer::Items;
            let (index, result, flags) = (head.id.index(), head.result, head.marks.flags);
            self.append(index, result, flags);
        }
    }

    fn append(&mut self, index: u32, result: i32, flags: u32) {
        let new = Item { result, flags, next: NONE };
        let item = match self.free_item {
            NONE => {
                self.items.push(new);
                self.items.len() as u32 - 1
            }
            free => {
                self.free_item = mem::replace(&mut self.items[free as usize], new).next;
                free
            }
        };
        let rest = self.slots.rest(index);
        rest.items += 1;
        match mem::replace(&mut rest.items_last, item) {
            NONE => rest.items_first = item,
            last => self.items[last as usize].next = item,
        }
    }

    /// The next item of a multishot: (result, flags).
    #[inline(always)]
    pub(in crate::driver) fn pop_item(&mut self, slot: NonNull<Slot>) -> Option<(i32, u32)> {
        let head = self.slots.head_at(slot);
        match head.marks.answer {
            Answer::Item => {
                head.marks.answer = Answer::Taken;
                Some((head.result, head.marks.flags))
            }
            Answer::Items => self.pop_listed(slot),
            Answer::Nothing | Answer::Taken | Answer::Plain => None,
        }
    }

    #[cold]
    fn pop_listed(&mut self, slot: NonNull<Slot>) -> Option<(i32, u32)> {
        let index = self.slots.head_at(slot).id.index();
        let rest = self.slots.rest(index);
        let first = rest.items_first;
        let item = &mut self.items[first as usize];
        let next = mem::replace(&mut item.next, self.free_item);
        let answer = (item.result, item.flags);
        self.free_item = first;
        rest.items -= 1;
        rest.items_first = next;
        if next == NONE {
            rest.items_last = NONE;
            self.slots.head_at(slot).marks.answer = Answer::Taken;
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
