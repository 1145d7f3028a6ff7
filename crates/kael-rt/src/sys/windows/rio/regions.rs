//! Registered memory, and which of it requests in flight use.
//!
//! While a send is in flight, its whole registration must not be used by any other request, not even another part of
//! it. So a region is for one direction: one **for sends** carries one send at a time, and one **for receives** any
//! number of receives, in slices that do not overlap, and never a send.

use super::error::Error;
use super::slab::{Key, Slab};

/// A registered region, until it is deregistered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region(pub(super) Key);

/// What requests may use a region for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Many receives at once.
    Receives,
    /// One send at a time.
    Sends,
}

/// Bytes of the address of a datagram, a SOCKADDR_INET, and what its place is a multiple of.
pub(crate) const ADDRESS: u32 = 28;
const ALIGNMENT: u32 = 4;

/// A part of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) region: Region,
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

pub(super) struct Regions {
    slab: Slab<Entry>,
}

struct Entry {
    /// The system's name for it.
    id: isize,
    len: u32,
    purpose: Purpose,
    in_flight: u32,
}

impl Regions {
    pub(super) fn new(size: u32) -> Regions {
        Regions { slab: Slab::new(size) }
    }

    pub(super) fn is_full(&self) -> bool {
        self.slab.is_full()
    }

    pub(super) fn insert(
        &mut self,
        id: isize,
        len: u32,
        purpose: Purpose,
    ) -> Result<Region, Error> {
        let entry = Entry { id, len, purpose, in_flight: 0 };
        self.slab.insert(entry).map(Region).ok_or(Error::Regions)
    }

    /// The id of a slice's region, if a request of this purpose may use the slice now.
    pub(super) fn id_for(&mut self, slice: Slice, purpose: Purpose) -> Result<isize, Error> {
        let entry = self.slab.get(slice.region.0).ok_or(Error::Gone)?;
        if entry.purpose != purpose {
            return Err(Error::Purpose);
        }
        match slice.offset.checked_add(slice.len) {
            Some(end) if end <= entry.len => {}
            _ => return Err(Error::Bounds),
        }
        if purpose == Purpose::Sends && entry.in_flight > 0 {
            return Err(Error::RegionBusy);
        }
        Ok(entry.id)
    }

    /// As [`Regions::id_for`], with room for an address beside the slice, in the same region.
    pub(super) fn id_with_address(
        &mut self,
        slice: Slice,
        address: u32,
        purpose: Purpose,
    ) -> Result<isize, Error> {
        let id = self.id_for(slice, purpose)?;
        self.id_for(Slice { offset: address, len: ADDRESS, ..slice }, purpose)?;
        let apart = address + ADDRESS <= slice.offset || slice.offset + slice.len <= address;
        let fits = address.is_multiple_of(ALIGNMENT) && apart;
        if fits { Ok(id) } else { Err(Error::Bounds) }
    }

    /// A request that uses it is in flight.
    pub(super) fn begin(&mut self, region: Region) {
        let entry = self.slab.get(region.0).expect("asked for its id a moment ago");
        entry.in_flight += 1;
    }

    /// A request that used it is out of the completion queue: only then has the system let go of it.
    pub(super) fn end(&mut self, region: Region) {
        let entry = self.slab.get(region.0).expect("not removed while a request uses it");
        entry.in_flight -= 1;
    }

    /// Its id, if nothing in flight uses it.
    pub(super) fn remove(&mut self, region: Region) -> Result<isize, Error> {
        let entry = self.slab.get(region.0).ok_or(Error::Gone)?;
        if entry.in_flight > 0 {
            return Err(Error::RegionBusy);
        }
        let id = entry.id;
        self.slab.remove(region.0);
        Ok(id)
    }

    /// The ids of all that nothing in flight uses.
    pub(super) fn idle(&self) -> impl Iterator<Item = isize> {
        self.slab.iter().filter(|entry| entry.in_flight == 0).map(|entry| entry.id)
    }
}
