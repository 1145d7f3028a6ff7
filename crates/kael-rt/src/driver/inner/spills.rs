//! What dropped receives had got in buffers of a pool. It is copied out when they end, so that the
//! buffers go back at once, whenever it will be read.

use super::{Inner, items::group_of};
use crate::sys::{Frame, buffer_of};
use std::{ptr::NonNull, slice};

/// How many emptied copies are kept for the next ones.
const MAX_SPARE: usize = 16;

impl Inner {
    /// Copies out what an orphan has received and nobody has seen. `None`: it is no pooled receive.
    /// Else the number of bytes, which are its region then.
    pub(in crate::driver) fn spill(&mut self, index: u32) -> Option<usize> {
        let head = self.slots.head(index);
        if !head.vtable.traits.pooled {
            return None;
        }
        let (group, framed) = (group_of(head.held), head.vtable.traits.framed);
        let mut bytes = self.spare_spills.pop().unwrap_or_default();
        let slot = self.slots.at(index);
        while let Some((result, flags)) = self.pop_item(slot) {
            match buffer_of(flags) {
                Some(buffer) => self.copy_out(group, buffer, result, framed, &mut bytes),
                // An error among them is for whoever reads what came before it.
                None => self.slots.head(index).result = result,
            }
        }
        let head = self.slots.head(index);
        let (result, last) = (head.result, buffer_of(head.marks.flags));
        head.marks.flags = 0;
        if let Some(buffer) = last {
            self.copy_out(group, buffer, result, framed, &mut bytes);
        }
        let len = bytes.len();
        if len == 0 {
            self.spare_spills.push(bytes);
        } else {
            let head = self.slots.head(index);
            head.region = NonNull::from(&mut bytes[0]);
            head.region_len = len as u32;
            self.spills.push((index, bytes));
        }
        Some(len)
    }

    fn copy_out(
        &mut self,
        group: u16,
        buffer: u16,
        result: i32,
        framed: bool,
        bytes: &mut Vec<u8>,
    ) {
        let at = self.backend.buffer_at(group, buffer);
        let len = result.max(0) as usize;
        // SAFETY: the kernel filled that many bytes of the buffer (`claim` has compared them with its
        // size), and the buffer is nobody's but the completion's.
        let filled = unsafe { slice::from_raw_parts(at.as_ptr(), len) };
        if framed {
            Frame::keep(filled, bytes);
        } else {
            bytes.extend_from_slice(filled);
        }
        self.returned.push((group, buffer));
    }

    /// Nobody will read what a slot was left.
    pub(in crate::driver) fn drop_unread(&mut self, index: u32) {
        let head = self.slots.head(index);
        if !head.vtable.traits.pooled {
            return;
        }
        let group = group_of(head.held);
        let slot = self.slots.at(index);
        while let Some((_, flags)) = self.pop_item(slot) {
            self.returned.extend(buffer_of(flags).map(|buffer| (group, buffer)));
        }
        if let Some(i) = self.spills.iter().position(|(of, _)| *of == index) {
            let mut bytes = self.spills.swap_remove(i).1;
            bytes.clear();
            if self.spare_spills.len() < MAX_SPARE {
                self.spare_spills.push(bytes);
            }
        }
    }
}
