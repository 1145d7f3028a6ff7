//! Registered memory of our own, in slots of one size: where bytes go through whose buffer is not registered.
//!
//! Slots for receives are slices of one registration. Each slot for sends is a registration of its own, because a send
//! in flight keeps the whole registration to itself.

use super::{Error, Purpose, Region, Rio, Slice};
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

/// Registering locks whole pages, so slots do not share any.
const PAGE: usize = 4096;

/// All slots of one purpose. Without [`Slots::end`], the memory is never freed: a request may still use it.
pub(crate) struct Slots {
    memory: NonNull<u8>,
    layout: Layout,
    /// Bytes that a slot has, and from the beginning of one to the next.
    size: u32,
    stride: u32,
    /// One for all, or one for each.
    regions: Box<[Region]>,
    /// Indices of those that nobody has.
    free: Vec<u32>,
}

/// A slot that somebody has, until it is given back.
#[derive(Debug)]
pub(crate) struct Slot(u32);

impl Slots {
    pub(crate) fn new(
        rio: &mut Rio,
        purpose: Purpose,
        count: u32,
        size: u32,
    ) -> Result<Slots, Error> {
        let stride = size.checked_next_multiple_of(PAGE as u32).filter(|&stride| stride > 0);
        let stride = stride.ok_or(Error::Bounds)?;
        let total = stride.checked_mul(count).filter(|&total| total > 0).ok_or(Error::Bounds)?;
        let layout = Layout::from_size_align(total as usize, PAGE).map_err(|_| Error::Bounds)?;
        // SAFETY: the size is not 0.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) });
        let memory = memory.unwrap_or_else(|| handle_alloc_error(layout));
        let (registrations, len) = match purpose {
            Purpose::Receives => (1, total),
            Purpose::Sends => (count, stride),
        };
        let mut regions = Vec::with_capacity(registrations as usize);
        for index in 0..registrations {
            // SAFETY: within the memory.
            let at = unsafe { memory.add((index * stride) as usize) };
            // SAFETY: ours, freed by `end` after it was deregistered and only then; `bytes` has the rest as its
            // contract.
            match unsafe { rio.register(at, len, purpose) } {
                Ok(region) => regions.push(region),
                Err(error) => {
                    for region in regions {
                        rio.deregister(region).expect("nothing has used it yet");
                    }
                    // SAFETY: from this allocator, with this layout, and no longer registered.
                    unsafe { dealloc(memory.as_ptr(), layout) };
                    return Err(error);
                }
            }
        }
        let free = (0..count).rev().collect();
        Ok(Slots { memory, layout, size, stride, regions: regions.into(), free })
    }

    /// None when all are taken.
    pub(crate) fn take(&mut self) -> Option<Slot> {
        self.free.pop().map(Slot)
    }

    /// Whoever had it has let go. Nothing in flight names it any more.
    pub(crate) fn give(&mut self, slot: Slot) {
        self.free.push(slot.0);
    }

    /// Its first `len` bytes, for a request.
    pub(crate) fn slice(&self, slot: &Slot, len: u32) -> Slice {
        assert!(len <= self.size, "a request fits its slot");
        match self.regions[..] {
            [region] => Slice { region, offset: slot.0 * self.stride, len },
            _ => Slice { region: self.regions[slot.0 as usize], offset: 0, len },
        }
    }

    /// # Safety
    ///
    /// No request in flight names the slot.
    pub(crate) unsafe fn bytes(&mut self, slot: &Slot) -> &mut [u8] {
        // SAFETY: within the memory; the slot is its owner's alone, and the system's only while a request is in
        // flight, by our contract.
        unsafe {
            let at = self.memory.add((slot.0 * self.stride) as usize);
            core::slice::from_raw_parts_mut(at.as_ptr(), self.size as usize)
        }
    }

    /// Frees the memory. Fails, and leaves it for ever, if a request still names a slot.
    pub(crate) fn end(self, rio: &mut Rio) -> Result<(), Error> {
        let mut result = Ok(());
        for &region in &self.regions {
            result = result.and(rio.deregister(region));
        }
        if result.is_ok() {
            // SAFETY: from this allocator, with this layout, and no longer registered.
            unsafe { dealloc(self.memory.as_ptr(), self.layout) };
        }
        result
    }
}
