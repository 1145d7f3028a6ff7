//! A ring's memory, which the kernel shares: the mappings, and where the two queues lie in them.

use super::{super::abi::*, Queue};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    ptr::{self, NonNull},
    sync::atomic::AtomicU32,
};

/// A mapping that ends with the ring.
pub(super) struct Map {
    pub(super) at: NonNull<u8>,
    pub(super) len: usize,
}

const RIGHTS: i32 = libc::PROT_READ | libc::PROT_WRITE;
const SHARED: i32 = libc::MAP_SHARED | libc::MAP_POPULATE;

impl Map {
    fn new(fd: &OwnedFd, len: usize, offset: i64) -> Result<Map, i32> {
        // SAFETY: a new mapping of the ring's own memory, wherever the kernel likes.
        let at =
            unsafe { libc::mmap(ptr::null_mut(), len, RIGHTS, SHARED, fd.as_raw_fd(), offset) };
        Map::from(at, len)
    }

    /// Memory of our own, all zero.
    pub(super) fn anonymous(len: usize) -> Result<Map, i32> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: a new mapping, wherever the kernel likes.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, RIGHTS, flags, -1, 0) };
        Map::from(at, len)
    }

    /// Addresses without memory.
    fn reserve(len: usize) -> Result<Map, i32> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping, wherever the kernel likes.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        Map::from(at, len)
    }

    fn from(at: *mut libc::c_void, len: usize) -> Result<Map, i32> {
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOMEM));
        }
        Ok(Map { at: NonNull::new(at.cast()).expect("the kernel maps nothing at 0"), len })
    }

    pub(super) fn at<T>(&self, offset: u32) -> NonNull<T> {
        assert!(offset as usize + size_of::<T>() <= self.len, "the kernel's offsets are inside");
        // SAFETY: in bounds, asserted.
        unsafe { self.at.add(offset as usize).cast() }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and the ring that points into it ends with it.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.len) };
    }
}

/// All that a ring points at in shared memory.
pub(super) struct Mapped {
    pub(super) queues: Map,
    pub(super) entries: Map,
    pub(super) sq: Queue,
    pub(super) cq: Queue,
    pub(super) sq_flags: NonNull<AtomicU32>,
    pub(super) cq_overflow: NonNull<AtomicU32>,
    pub(super) cqes: NonNull<Cqe>,
}

impl Mapped {
    /// Maps a ring that the kernel has described in `params`.
    pub(super) fn new(fd: &OwnedFd, params: &Params) -> Result<Mapped, i32> {
        let (queues, entries) = lengths(params);
        let queues = Map::new(fd, queues, OFFSET_QUEUES)?;
        let entries = Map::new(fd, entries, OFFSET_SQES)?;
        let (sq_off, cq_off) = (params.sq_off, params.cq_off);
        if params.flags & SETUP_NO_SQARRAY == 0 {
            for i in 0..params.sq_entries {
                // SAFETY: the array of indices lies in the mapping; nothing is submitted yet. It
                // is filled once: entry i always names submission i.
                unsafe { queues.at::<u32>(sq_off.array + i * 4).write(i) };
            }
        }
        Ok(Mapped {
            sq: Queue {
                head: queues.at(sq_off.head),
                tail: queues.at(sq_off.tail),
                mask: params.sq_entries - 1,
                entries: params.sq_entries,
            },
            cq: Queue {
                head: queues.at(cq_off.head),
                tail: queues.at(cq_off.tail),
                mask: params.cq_entries - 1,
                entries: params.cq_entries,
            },
            sq_flags: queues.at(sq_off.flags),
            cq_overflow: queues.at(cq_off.overflow),
            cqes: queues.at(cq_off.cqes),
            queues,
            entries,
        })
    }
}

/// The bytes of the queues and of the submissions.
fn lengths(params: &Params) -> (usize, usize) {
    let (sq_entries, cq_entries) = (params.sq_entries as usize, params.cq_entries as usize);
    let sq_len = params.sq_off.array as usize + sq_entries * size_of::<u32>();
    let cq_len = params.cq_off.cqes as usize + cq_entries * size_of::<Cqe>();
    (sq_len.max(cq_len), sq_entries * size_of::<Sqe>())
}

/// Addresses for the memory of a ring that does not exist yet: so that mapping it, when there is no
/// way back, finds a place. They are given back just before, because the kernel maps a ring only
/// where it chooses itself.
pub(super) struct Reserved {
    queues: Map,
    entries: Map,
}

impl Reserved {
    /// For a ring of the sizes and offsets in `params`.
    pub(super) fn new(params: &Params) -> Result<Reserved, i32> {
        let (queues, entries) = lengths(params);
        Ok(Reserved { queues: Map::reserve(queues)?, entries: Map::reserve(entries)? })
    }

    /// Maps the ring, which the kernel has described in `params`.
    pub(super) fn map(self, fd: &OwnedFd, params: &Params) -> Result<Mapped, i32> {
        debug_assert_eq!((self.queues.len, self.entries.len), lengths(params));
        drop(self);
        Mapped::new(fd, params)
    }
}
