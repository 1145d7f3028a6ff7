//! Groups of buffers from which the kernel picks one for each receive (provided-buffer rings,
//! IORING_REGISTER_PBUF_RING). The buffers are a pool's; the ring of their addresses is ours.

use super::{
    super::event::{Buffers, Bundle},
    abi::{BufEntry, BufReg, REGISTER_PBUF_RING, UNREGISTER_PBUF_RING},
    ring::Ring,
};
use std::{
    alloc::{self, Layout},
    io,
    ptr::NonNull,
    sync::atomic::{AtomicU16, Ordering::Release},
};

/// One group: the ring that the kernel reads, and what we know of the buffers.
pub(super) struct Group {
    buffers: Buffers,
    /// Entries of the ring, a power of two.
    entries: u16,
    ring: NonNull<BufEntry>,
    tail: u16,
    /// Which buffers the kernel has.
    lent: Box<[bool]>,
    /// Where in the ring each of them was put last: the tail at that time.
    places: Box<[u16]>,
}

const PAGE: usize = 4096;

/// Buffers of so many bytes and less are small. Of larger ones a receive seldom fills several, and to look for them costs
/// each receive of a small message 1 to 3 %.
const SMALL: u32 = 4096;

/// The group has small buffers.
pub(super) fn are_small(groups: &[Option<Group>], group: u16) -> bool {
    groups.get(usize::from(group)).and_then(Option::as_ref).is_some_and(Group::is_small)
}

/// The kernel's number of a group. Older kernels (6.1 is one) keep a list for each of the first 64 numbers, and with
/// it how far the last ring of that number had been read: of the next one they would use buffers that nobody gave them.
pub(super) fn number(place: u16) -> u16 {
    64 + place
}

impl Group {
    /// Registers room for all the buffers (32,768 at most); none is lent yet.
    pub(super) fn new(ring: &mut Ring, place: u16, buffers: Buffers) -> io::Result<Group> {
        let entries = buffers.count.next_power_of_two();
        let memory = allocate(Self::layout(entries));
        // From here on its drop frees it.
        let lent = vec![false; usize::from(buffers.count)].into();
        let places = vec![0; usize::from(buffers.count)].into();
        let group = Group { buffers, entries, ring: memory.cast(), tail: 0, lent, places };
        let mut register = BufReg {
            ring_addr: memory.as_ptr() as u64,
            ring_entries: u32::from(entries),
            group: number(place),
            ..BufReg::default()
        };
        ring.register(REGISTER_PBUF_RING, &raw mut register as usize, 1)
            .map_err(io::Error::from_raw_os_error)?;
        Ok(group)
    }

    /// The kernel forgets the ring, and then its memory is freed.
    pub(super) fn end(self, ring: &mut Ring, place: u16) {
        let mut register = BufReg { group: number(place), ..BufReg::default() };
        // If it refuses, it may go on reading: the memory is left to it.
        if ring.register(UNREGISTER_PBUF_RING, &raw mut register as usize, 1).is_err() {
            std::mem::forget(self);
        }
    }

    fn layout(entries: u16) -> Layout {
        Layout::from_size_align(usize::from(entries) * size_of::<BufEntry>(), PAGE)
            .expect("at most 512 KiB")
    }

    pub(super) fn at(&self, buffer: u16) -> NonNull<u8> {
        self.buffers.get(buffer)
    }

    /// Whether the kernel had that buffer, and it has room for so many bytes. It is ours then.
    #[inline]
    pub(super) fn claim(&mut self, buffer: u16, result: i32) -> bool {
        let fits = result >= 0 && result as u32 <= self.buffers.size;
        match self.lent.get_mut(usize::from(buffer)) {
            Some(lent) if *lent && fits => {
                *lent = false;
                true
            }
            _ => false,
        }
    }

    /// The kernel says that it has filled that buffer and those behind it in the ring, `result` bytes in all. How many
    /// those are, if there are several and it had them all.
    pub(super) fn bundle(&self, buffer: u16, result: i32) -> Option<Bundle> {
        let filled = self.buffers.size;
        let count = u32::try_from(result).ok()?.div_ceil(filled);
        let place = *self.places.get(usize::from(buffer))?;
        // Those that were given from it on. Their entries are what they were: the kernel takes them in this order, and
        // none is given again before it was claimed.
        let there = u32::from(self.tail.wrapping_sub(place));
        if count < 2 || count > there || there > u32::from(self.entries) {
            return None;
        }
        let mut places = (0..count as u16).map(|i| self.id_at(place.wrapping_add(i)));
        let had_them = places.all(|id| self.lent[usize::from(id)]);
        had_them.then_some(Bundle { count: count as u16, filled: filled as i32 })
    }

    /// The buffer behind one of a bundle.
    pub(super) fn behind(&self, buffer: u16) -> u16 {
        self.id_at(self.places[usize::from(buffer)].wrapping_add(1))
    }

    #[inline]
    /// A message may well be larger than a buffer: then a receive is asked for several at a time.
    pub(super) fn is_small(&self) -> bool {
        self.buffers.size <= SMALL
    }

    pub(super) fn size(&self) -> u32 {
        self.buffers.size
    }

    fn id_at(&self, place: u16) -> u16 {
        let place = usize::from(place & (self.entries - 1));
        // SAFETY: the entry is in bounds, and the kernel does not write there.
        unsafe { (&raw const (*self.ring.add(place).as_ptr()).id).read() }
    }

    /// Lets the kernel pick the buffer.
    #[inline]
    pub(super) fn give_back(&mut self, buffer: u16) {
        let at = self.at(buffer);
        debug_assert!(!self.lent[usize::from(buffer)], "a buffer is given back once");
        self.lent[usize::from(buffer)] = true;
        self.places[usize::from(buffer)] = self.tail;
        let place = usize::from(self.tail & (self.entries - 1));
        // SAFETY: the entry is in bounds, and the kernel has taken what was there: no more buffers
        // are given than there are entries. The tail lies in entry 0 and is written apart.
        unsafe {
            let entry = self.ring.add(place).as_ptr();
            (&raw mut (*entry).addr).write(at.as_ptr() as u64);
            (&raw mut (*entry).len).write(self.buffers.size);
            (&raw mut (*entry).id).write(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail is a u16 in the shared ring. Release: the entry comes before it.
        unsafe {
            let tail = &raw mut (*self.ring.as_ptr()).tail;
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
    /// Only when the kernel has forgotten it, or its ring is gone.
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with that layout.
        unsafe { alloc::dealloc(self.ring.as_ptr().cast(), Self::layout(self.entries)) };
    }
}
