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

impl Map {
    fn new(fd: &OwnedFd, len: usize, offset: i64) -> Result<Map, i32> {
        let (rights, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
        // SAFETY: a new mapping of the ring's own memory, wherever the kernel likes.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, rights, flags, fd.as_raw_fd(), offset) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOMEM));
        }
        Ok(Map { at: NonNull::new(at.cast()).expect("the kernel maps nothing at 0"), len })
    }

    fn at<T>(&self, offset: u32) -> NonNull<T> {
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
        let (sq_off, cq_off) = (params.sq_off, params.cq_off);
        let sq_len = sq_off.array as usize + params.sq_entries as usize * 4;
        let cq_len = cq_off.cqes as usize + params.cq_entries as usize * size_of::<Cqe>();
        let queues = Map::new(fd, sq_len.max(cq_len), 0)?;
        let entries = Map::new(fd, params.sq_entries as usize * size_of::<Sqe>(), OFFSET_SQES)?;
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
