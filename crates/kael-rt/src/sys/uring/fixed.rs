//! The ring's table of registered memory: pinned once, and not looked up in each transfer.
//!
//! That memory is registered is a property of its addresses, so nobody has to say it: a transfer
//! whose buffer lies in a region that this ring has registered goes by its place. A buffer of another
//! core's pool lies in none of ours, and is plain memory here.

use super::{
    abi::*,
    ring::{Probe, Ring},
};
use std::{cell::Cell, io, ptr::NonNull};

/// The most regions: each is a pool.
const PLACES: usize = 16;

#[derive(Clone, Copy)]
struct Region {
    at: usize,
    /// 0: the place is free.
    len: usize,
}

impl Region {
    #[inline(always)]
    fn holds(&self, at: usize, len: usize) -> bool {
        let from = at.wrapping_sub(self.at);
        from < self.len && len <= self.len - from
    }
}

pub(super) struct Fixed {
    /// The places up to the last one in use, so that each transfer looks at no more, and without pools at none.
    regions: Vec<Region>,
    /// How many the table has.
    places: usize,
    /// The ring moves bytes of several buffers by a place (Linux 6.15).
    several: bool,
    /// Transfers that went by a place.
    transfers: Cell<u64>,
}

impl Fixed {
    /// A table without memory. Before the ring is enabled; where the kernel refuses it, nothing is ever
    /// registered.
    pub(super) fn new(ring: &mut Ring, probe: &Probe) -> Fixed {
        let register = ResourceRegister {
            count: PLACES as u32,
            flags: RESOURCE_SPARSE,
            ..ResourceRegister::default()
        };
        let size = size_of::<ResourceRegister>() as u32;
        let made = ring.register(REGISTER_BUFFERS2, &raw const register as usize, size).is_ok();
        let places = if made { PLACES } else { 0 };
        Fixed {
            regions: Vec::with_capacity(places),
            places,
            several: probe.has(OP_READV_FIXED) && probe.has(OP_WRITEV_FIXED),
            transfers: Cell::new(0),
        }
    }

    pub(super) fn register(
        &mut self,
        ring: &mut Ring,
        at: NonNull<u8>,
        len: usize,
    ) -> io::Result<u32> {
        let free = self.regions.iter().position(|region| region.len == 0);
        let place = free.unwrap_or(self.regions.len());
        if place == self.places {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let memory = libc::iovec { iov_base: at.as_ptr().cast(), iov_len: len };
        Self::update(ring, place, memory)?;
        let region = Region { at: at.as_ptr() as usize, len };
        match self.regions.get_mut(place) {
            Some(free) => *free = region,
            None => self.regions.push(region),
        }
        Ok(place as u32)
    }

    /// Nothing that is under way names it: who does holds a buffer of the pool.
    pub(super) fn unregister(&mut self, ring: &mut Ring, place: u32) {
        let place = place as usize;
        self.regions[place].len = 0;
        while self.regions.pop_if(|last| last.len == 0).is_some() {}
        // If it fails the pages stay pinned until the place is used again or the ring ends.
        let none = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        let _ = Self::update(ring, place, none);
    }

    fn update(ring: &mut Ring, place: usize, memory: libc::iovec) -> io::Result<()> {
        let update = ResourceUpdate2 {
            offset: place as u32,
            data: &raw const memory as u64,
            count: 1,
            ..ResourceUpdate2::default()
        };
        let size = size_of::<ResourceUpdate2>() as u32;
        match ring.register(REGISTER_BUFFERS_UPDATE, &raw const update as usize, size) {
            Ok(_) => Ok(()),
            Err(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// The place of the memory, if it is registered.
    #[inline(always)]
    pub(super) fn place_of(&self, at: *const u8, len: usize) -> Option<u16> {
        // Most programs have one pool or none.
        if !self.regions.first()?.holds(at as usize, len) {
            return self.find_behind_first(at as usize, len);
        }
        self.transfers.set(self.transfers.get() + 1);
        Some(0)
    }

    #[inline(never)]
    fn find_behind_first(&self, at: usize, len: usize) -> Option<u16> {
        let within = |region: &Region| region.holds(at, len);
        let place = self.regions.iter().position(within)?;
        self.transfers.set(self.transfers.get() + 1);
        Some(place as u16)
    }

    /// The place of all these buffers, if they lie in one region, and the kernel takes several. It takes no empty one.
    #[inline]
    pub(super) fn place_of_all(&self, vectors: &[libc::iovec]) -> Option<u16> {
        if self.regions.is_empty() || !self.several { None } else { self.find_all(vectors) }
    }

    fn find_all(&self, vectors: &[libc::iovec]) -> Option<u16> {
        let within = |region: &Region| {
            vectors.iter().all(|vector| {
                vector.iov_len > 0 && region.holds(vector.iov_base as usize, vector.iov_len)
            })
        };
        let place = self.regions.iter().position(within)?;
        self.transfers.set(self.transfers.get() + 1);
        Some(place as u16)
    }

    /// Behaves as a kernel that has them for one buffer only (before 6.15).
    #[cfg(test)]
    pub(super) fn forget_several(&mut self) {
        self.several = false;
    }

    pub(super) fn transfers(&self) -> u64 {
        self.transfers.get()
    }
}
