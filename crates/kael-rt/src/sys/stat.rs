//! The status of a file, as stat(2) gives it.

use super::differs;
use std::mem;

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct StatBuf(pub(super) libc::stat);

impl StatBuf {
    /// Of `mode`: what is its kind, and the kinds.
    pub(crate) const FORMAT: u32 = libc::S_IFMT as _;
    pub(crate) const REGULAR: u32 = libc::S_IFREG as _;
    pub(crate) const DIRECTORY: u32 = libc::S_IFDIR as _;
    pub(crate) const LINK: u32 = libc::S_IFLNK as _;

    pub(super) fn zeroed() -> StatBuf {
        // SAFETY: a stat is made of integers.
        StatBuf(unsafe { mem::zeroed() })
    }

    pub(crate) fn mode(&self) -> u32 {
        self.0.st_mode as _
    }
    pub(crate) fn size(&self) -> u64 {
        self.0.st_size as _
    }
    pub(crate) fn links(&self) -> u32 {
        self.0.st_nlink as _
    }
    pub(crate) fn owner(&self) -> (u32, u32) {
        (self.0.st_uid, self.0.st_gid)
    }
    pub(crate) fn inode(&self) -> u64 {
        self.0.st_ino
    }
    /// (seconds, nanoseconds) of last access, modification, and creation if it is known.
    pub(crate) fn times(&self) -> [Option<(i64, u32)>; 3] {
        let [read, written] = differs::times(&self.0);
        [Some(read), Some(written), differs::born(&self.0)]
    }
    /// The smallest alignment in bytes of memory and of offsets for direct I/O: no system here tells.
    pub(crate) fn direct_alignment(&self) -> Option<(u32, u32)> {
        None
    }
    pub(crate) fn block_size(&self) -> u32 {
        self.0.st_blksize as _
    }
}
