//! The status of a file, as GetFileInformationByHandle gives it.

use windows_sys::Win32::{
    Foundation::FILETIME,
    Storage::FileSystem::{
        BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_READONLY,
        FILE_ATTRIBUTE_REPARSE_POINT,
    },
};

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct StatBuf(pub(super) BY_HANDLE_FILE_INFORMATION);

/// Seconds from 1601 to 1970.
const EPOCH: i64 = 11_644_473_600;

impl StatBuf {
    /// Of `mode`: what is its kind, and the kinds. Windows has no such numbers; these are Unix's.
    pub(crate) const FORMAT: u32 = 0o170_000;
    pub(crate) const REGULAR: u32 = 0o100_000;
    pub(crate) const DIRECTORY: u32 = 0o040_000;
    pub(crate) const LINK: u32 = 0o120_000;

    pub(crate) fn zeroed() -> StatBuf {
        StatBuf(BY_HANDLE_FILE_INFORMATION::default())
    }

    /// Kind and rights, as a Unix would say them: who may read may write, unless the file is marked as read-only.
    pub(crate) fn mode(&self) -> u32 {
        let attributes = self.0.dwFileAttributes;
        let rights = if attributes & FILE_ATTRIBUTE_READONLY == 0 { 0o666 } else { 0o444 };
        if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            StatBuf::LINK | 0o777
        } else if attributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
            StatBuf::DIRECTORY | rights | 0o111
        } else {
            StatBuf::REGULAR | rights
        }
    }
    pub(crate) fn size(&self) -> u64 {
        u64::from(self.0.nFileSizeHigh) << 32 | u64::from(self.0.nFileSizeLow)
    }
    pub(crate) fn links(&self) -> u32 {
        self.0.nNumberOfLinks
    }
    /// Users have no numbers here.
    pub(crate) fn owner(&self) -> (u32, u32) {
        (0, 0)
    }
    pub(crate) fn inode(&self) -> u64 {
        u64::from(self.0.nFileIndexHigh) << 32 | u64::from(self.0.nFileIndexLow)
    }
    /// (seconds, nanoseconds) of last access, modification, and creation if it is known.
    pub(crate) fn times(&self) -> [Option<(i64, u32)>; 3] {
        [self.0.ftLastAccessTime, self.0.ftLastWriteTime, self.0.ftCreationTime].map(time)
    }
    /// The system tells it of a volume, not of a file.
    pub(crate) fn direct_alignment(&self) -> Option<(u32, u32)> {
        None
    }
    /// A cluster, mostly.
    pub(crate) fn block_size(&self) -> u32 {
        4096
    }
}

/// Steps of 100 ns from 1601. 0: the file system does not know.
fn time(stamp: FILETIME) -> Option<(i64, u32)> {
    let steps = u64::from(stamp.dwHighDateTime) << 32 | u64::from(stamp.dwLowDateTime);
    let seconds = (steps / 10_000_000) as i64 - EPOCH;
    (steps > 0).then_some((seconds, (steps % 10_000_000) as u32 * 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_begins_in_1601() {
        let stamp = |steps: u64| FILETIME {
            dwLowDateTime: steps as u32,
            dwHighDateTime: (steps >> 32) as u32,
        };
        assert_eq!(time(stamp(0)), None);
        assert_eq!(time(stamp(116_444_736_000_000_000)), Some((0, 0)));
        assert_eq!(time(stamp(116_444_736_000_000_000 + 10_000_001)), Some((1, 100)));
    }
}
