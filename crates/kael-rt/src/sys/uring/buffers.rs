//! Groups of buffers from which the kernel picks one for each receive (provided-buffer rings).

use super::{
    abi::{BufEntry, BufReg, REGISTER_PBUF_RING},
    ring::Ring,
};
use std::{
    alloc::{self, Layout},
    io,
    ptr::NonNull,
    sync::atomic::{AtomicU16, Ordering::Release},
};

/// One group: the ring that the kernel reads, and the buffers.
pub(super) struct Group {
    pub(super) id: u16,
    count: u16,
    size: u32,
    entries: NonNull<BufEntry>,
    buffers: NonNull<u8>,
    tail: u16,
}

const PAGE: usize = 4096;

impl Group {
    /// Registers `count` (a power of two) buffers of `size` bytes.
    pub(super) fn new(ring: &mut Ring, id: u16, count: u16, size: u32) -> io::Result<Group> {
        assert!(count.is_power_of_two() && size > 0, "a group has a power of two of buffers");
        let (entries, buffers) =
            (allocate(Self::entries_layout(count)), allocate(Self::buffers_layout(count, size)));
        let mut group = Group { id, count, size, entries: entries.cast(), buffers, tail: 0 };
        let mut register = BufReg {
            ring_addr: entries.as_ptr() as u64,
            ring_entries: u32::from(count),
            group: id,
            ..BufReg::default()
        };
        ring.register(REGISTER_PBUF_RING, &raw mut register as usize, 1)
            .map_err(io::Error::from_raw_os_error)?;
        for buffer in 0..count {
            group.give_back(buffer);
        }
        Ok(group)
    }

    fn entries_layout(count: u16) -> Layout {
        Layout::from_size_align(usize::from(count) * size_of::<BufEntry>(), PAGE)
            .expect("at most 1 MiB")
    }

    fn buffers_layout(count: u16, size: u32) -> Layout {
        Layout::from_size_align(usize::from(count) * size as usize, PAGE).expect("fits memory")
    }

    pub(super) fn at(&self, buffer: u16) -> NonNull<u8> {
        assert!(buffer < self.count, "the kernel names a buffer that it was given");
        // SAFETY: in bounds.
        unsafe { self.buffers.add(usize::from(buffer) * self.size as usize) }
    }

    /// Lets the kernel pick the buffer again.
    pub(super) fn give_back(&mut self, buffer: u16) {
        let at = self.at(buffer);
        let slot = usize::from(self.tail & (self.count - 1));
        // SAFETY: the entry is in bounds, and the kernel has taken what was there: no more buffers
        // are given than there are. The tail lies in entry 0 and is written apart.
        unsafe {
            let entry = self.entries.add(slot).as_ptr();
            (&raw mut (*entry).addr).write(at.as_ptr() as u64);
            (&raw mut (*entry).len).write(self.size);
            (&raw mut (*entry).id).write(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail is a u16 in the shared ring. Release: the entry comes before it.
        unsafe {
            let tail = &raw mut (*self.entries.as_ptr()).tail;
            AtomicU16::from_ptr(tail).store(self.tail, Release);
        }
    }
}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: no layout here is of size 0.
    let at = unsafe { alloc::alloc_zeroed(layout) };
    NonNull::new(at).unwrap_or_else(|| alloc::handle_alloc_error(layout))
}

impl Drop for Group {
    /// Only when the ring is gone or nothing is in flight: the driver's end sees to it.
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with these layouts.
        unsafe {
            alloc::dealloc(self.entries.as_ptr().cast(), Self::entries_layout(self.count));
            alloc::dealloc(self.buffers.as_ptr(), Self::buffers_layout(self.count, self.size));
        }
    }
}
