//! What a file is.
#![forbid(unsafe_code)]

use crate::sys::StatBuf;
use std::{
    fmt, io,
    time::{Duration, SystemTime},
};

/// What statx(2) says of a file.
///
/// ```
/// # kael_rt::block_on(async {
/// let root = kael_rt::fs::metadata("/").await?;
/// assert!(root.is_dir() && !root.is_file() && !root.is_symlink());
/// assert!(root.modified()? <= std::time::SystemTime::now());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// A line as `ls -li` writes it:
///
/// ```
/// use kael_rt::fs::{self, Metadata};
///
/// fn line(m: &Metadata) -> String {
///     let rights = m.mode() & 0o7777;
///     format!("{} {rights:o} {} {} {} {}", m.ino(), m.nlink(), m.uid(), m.gid(), m.len())
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-metadata-{}", std::process::id()));
/// fs::write(&path, "12345").await?;
/// let metadata = fs::metadata(&path).await?;
/// assert!(line(&metadata).ends_with(" 5"));
/// assert!(metadata.blksize() > 0);
/// if let Ok(created) = metadata.created() {
///     assert!(created <= metadata.modified()?);
/// }
/// println!("last read: {:?}", metadata.accessed()?);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Metadata {
    stat: StatBuf,
}

/// What direct I/O wants of a file's reads and writes.
///
/// ```
/// use kael_rt::fs::DirectAlignment;
///
/// /// The length of a direct read that covers `len` bytes.
/// fn direct_length(len: u64, alignment: DirectAlignment) -> u64 {
///     len.next_multiple_of(alignment.offset.into())
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-alignment-{}", std::process::id()));
/// # kael_rt::fs::write(&path, "x").await?;
/// let metadata = kael_rt::fs::metadata(&path).await?;
/// match metadata.direct_alignment() {
///     Some(alignment) => assert!(direct_length(1, alignment) >= 1),
///     None => println!("direct I/O is not offered here"),
/// }
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DirectAlignment {
    /// Of the buffer's address, in bytes.
    pub memory: u32,
    /// Of offsets and lengths, in bytes.
    pub offset: u32,
}

impl Metadata {
    pub(crate) fn new(stat: &StatBuf) -> Metadata {
        Metadata { stat: *stat }
    }

    /// The length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "as in the standard library")]
    pub fn len(&self) -> u64 {
        self.stat.size()
    }

    /// It is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind() == StatBuf::REGULAR
    }

    /// It is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == StatBuf::DIRECTORY
    }

    /// It is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.kind() == StatBuf::LINK
    }

    fn kind(&self) -> u32 {
        self.stat.mode() & StatBuf::FORMAT
    }

    /// Kind and rights, as stat(2) has them in `st_mode`.
    pub fn mode(&self) -> u32 {
        self.stat.mode()
    }

    /// The number of its names.
    pub fn nlink(&self) -> u64 {
        self.stat.links().into()
    }

    /// The user that owns it.
    pub fn uid(&self) -> u32 {
        self.stat.owner().0
    }

    /// The group that owns it.
    pub fn gid(&self) -> u32 {
        self.stat.owner().1
    }

    /// Its number in its file system.
    pub fn ino(&self) -> u64 {
        self.stat.inode()
    }

    /// The size of a block that suits I/O, in bytes.
    pub fn blksize(&self) -> u32 {
        self.stat.block_size()
    }

    /// What direct I/O wants, if the kernel and the file system say so (Linux 6.1).
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("kael-doc-direct-alignment-{}", std::process::id()));
    /// # kael_rt::fs::write(&path, "x").await?;
    /// let metadata = kael_rt::fs::metadata(&path).await?;
    /// let step = metadata.direct_alignment().map_or(4096, |alignment| alignment.offset);
    /// assert!(step.is_power_of_two());
    /// # kael_rt::fs::remove_file(&path).await?;
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn direct_alignment(&self) -> Option<DirectAlignment> {
        let (memory, offset) = self.stat.direct_alignment()?;
        (offset > 0).then_some(DirectAlignment { memory, offset })
    }

    /// When it was last read.
    pub fn accessed(&self) -> io::Result<SystemTime> {
        time(self.stat.times()[0])
    }

    /// When it was last written.
    pub fn modified(&self) -> io::Result<SystemTime> {
        time(self.stat.times()[1])
    }

    /// When it was made; `Unsupported` where the file system does not know.
    pub fn created(&self) -> io::Result<SystemTime> {
        time(self.stat.times()[2])
    }
}

fn time(stamp: Option<(i64, u32)>) -> io::Result<SystemTime> {
    let (seconds, nanoseconds) = stamp.ok_or(io::ErrorKind::Unsupported)?;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = match seconds >= 0 {
        true => SystemTime::UNIX_EPOCH.checked_add(whole),
        false => SystemTime::UNIX_EPOCH.checked_sub(whole),
    };
    time.and_then(|time| time.checked_add(Duration::from_nanos(nanoseconds.into())))
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("mode", &format_args!("{:o}", self.mode()))
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
