//! Groups of buffers of which a receive takes one when something is there.
#![forbid(unsafe_code)]

use super::super::event::Buffers;
use std::ptr::NonNull;

pub(super) struct Group {
    buffers: Buffers,
    /// Those that may be taken; the one that came back last is taken first, it is still in the cache.
    free: Vec<u16>,
    /// Those that have something in them of which the driver has not heard yet.
    taken: Vec<bool>,
}

impl Group {
    pub(super) fn new(buffers: Buffers) -> Group {
        let count = usize::from(buffers.count);
        Group { buffers, free: Vec::with_capacity(count), taken: vec![false; count] }
    }

    pub(super) fn size(&self) -> usize {
        self.buffers.size as usize
    }

    pub(super) fn at(&self, buffer: u16) -> NonNull<u8> {
        self.buffers.get(buffer)
    }

    pub(super) fn take(&mut self) -> Option<u16> {
        let buffer = self.free.pop()?;
        self.taken[usize::from(buffer)] = true;
        Some(buffer)
    }

    /// Nothing was put there.
    pub(super) fn put_back(&mut self, buffer: u16) {
        self.taken[usize::from(buffer)] = false;
        self.free.push(buffer);
    }

    pub(super) fn give_back(&mut self, buffer: u16) {
        debug_assert!(!self.free.contains(&buffer), "a buffer is given back once");
        self.free.push(buffer);
    }

    /// The driver hears of a buffer with `result` bytes in it.
    pub(super) fn claim(&mut self, buffer: u16, result: i32) -> bool {
        let fits = (0..=self.buffers.size as i32).contains(&result);
        let taken = self.taken.get_mut(usize::from(buffer));
        fits && taken.is_some_and(std::mem::take)
    }
}
