//! Groups of buffers from which the kernel picks one for each receive.

use super::random::Random;
use std::ptr::NonNull;

pub(super) struct Group {
    pub(super) id: u16,
    size: usize,
    count: u16,
    /// Made by a `Vec` and freed as one. Only raw pointers lead into it, since buffers are lent.
    memory: NonNull<[u8]>,
    free: Vec<u16>,
}

impl Group {
    pub(super) fn new(id: u16, count: u16, size: u32) -> Group {
        let size = size as usize;
        let memory = vec![0u8; usize::from(count) * size].into_boxed_slice();
        let memory = NonNull::from(Box::leak(memory));
        Group { id, size, count, memory, free: (0..count).collect() }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn at(&self, buffer: u16) -> NonNull<u8> {
        assert!(buffer < self.count, "the kernel names a buffer that it was given");
        // SAFETY: in bounds.
        unsafe { self.memory.cast::<u8>().add(usize::from(buffer) * self.size) }
    }

    /// Any of the free ones: no program may rely on an order.
    pub(super) fn take(&mut self, random: &mut Random) -> Option<u16> {
        let n = self.free.len();
        (n > 0).then(|| self.free.swap_remove(random.below(n as u64) as usize))
    }

    /// Lets the kernel pick the buffer again. False: it was free already.
    pub(super) fn give_back(&mut self, buffer: u16) -> bool {
        let is_new = !self.free.contains(&buffer);
        if is_new {
            self.free.push(buffer);
        }
        is_new
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: leaked in `new`; the driver's end sees to it that nothing is in flight or lent.
        drop(unsafe { Box::from_raw(self.memory.as_ptr()) });
    }
}
