//! The status of a file, as statx(2) gives it: Linux, and the simulator.

use std::mem;

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct StatBuf(pub(super) libc::statx);

impl StatBuf {
    /// Of `mode`: what is its kind, and the kinds.
    pub(crate) const FORMAT: u32 = libc::S_IFMT;
    pub(crate) const REGULAR: u32 = libc::S_IFREG;
    pub(crate) const DIRECTORY: u32 = libc::S_IFDIR;
    pub(crate) const LINK: u32 = libc::S_IFLNK;

    pub(super) fn zeroed() -> StatBuf {
        // SAFETY: a statx is made of integers.
        StatBuf(unsafe { mem::zeroed() })
    }

    pub(crate) fn mode(&self) -> u32 {
        u32::from(self.0.stx_mode)
    }
    pub(crate) fn size(&self) -> u64 {
        self.0.stx_size
    }
    pub(crate) fn links(&self) -> u32 {
        self.0.stx_nlink
    }
    pub(crate) fn owner(&self) -> (u32, u32) {
        (self.0.stx_uid, self.0.stx_gid)
    }
    pub(crate) fn inode(&self) -> u64 {
        self.0.stx_ino
    }
    /// (seconds, nanoseconds) of last access, modification, and creation if it is known.
    pub(crate) fn times(&self) -> [Option<(i64, u32)>; 3] {
        let time = |t: libc::statx_timestamp| (t.tv_sec, t.tv_nsec);
        let born = (self.0.stx_mask & libc::STATX_BTIME != 0).then(|| time(self.0.stx_btime));
        [Some(time(self.0.stx_atime)), Some(time(self.0.stx_mtime)), born]
    }
    /// The smallest alignment in bytes of memory and of offsets for direct I/O, if it is known.
    pub(crate) fn direct_alignment(&self) -> Option<(u32, u32)> {
        let known = self.0.stx_mask & libc::STATX_DIOALIGN != 0;
        known.then_some((self.0.stx_dio_mem_align, self.0.stx_dio_offset_align))
    }
    pub(crate) fn block_size(&self) -> u32 {
        self.0.stx_blksize
    }
}
