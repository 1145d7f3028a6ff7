//! An open file.
#![forbid(unsafe_code)]

use super::{DirectAlignment, OpenOptions, ReadStream};
use crate::{
    budget::budget,
    buf::{BufferPool, IoBuf, IoBufMut, IoBufs, IoBufsMut},
    driver::{Fd, Kind},
    op::{
        Allocate, Close, Open, Operation, ReadAt, ReadExactAt, ReadVectoredAt, SetLen, Stat, Sync,
        WriteAllAt, WriteAt, WriteVectoredAt,
    },
    sys,
    task::context,
};
use std::{io, ops::RangeBounds, path::Path};

/// An open file.
///
/// Dropping it closes it when the last operation on it is over.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::fs::File;
/// # let path = std::env::temp_dir().join(format!("kael-doc-file-{}", std::process::id()));
/// let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).await?;
/// file.write_all_at("hello, file", 0).await.0?;
/// file.sync_data().await?;
/// let (n, buf) = file.read_at(Vec::with_capacity(64), 7).await;
/// assert_eq!((n?, &buf[..]), (4, &b"file"[..]));
/// file.close().await?;
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// Several buffers travel in one operation, and a record is read back as a whole.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::fs::File;
/// # let path = std::env::temp_dir().join(format!("kael-doc-records-{}", std::process::id()));
/// let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).await?;
/// file.write_vectored_at(["key=", "value"], 0).await.0?;
/// let (result, record) = file.read_exact_at(vec![0; 9], 0).await;
/// result?;
/// assert_eq!(record, b"key=value");
/// let (result, [key, value]) = file.read_vectored_at([vec![0; 4], vec![0; 5]], 0).await;
/// assert_eq!((result?, &key[..], &value[..]), (9, &b"key="[..], &b"value"[..]));
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// A write at an offset beyond the end makes a hole, as with pwrite(2).
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::fs::File;
/// # let path = std::env::temp_dir().join(format!("kael-doc-holes-{}", std::process::id()));
/// let file = File::create(&path).await?;
/// let (written, _buf) = file.write_at("end", 4096).await;
/// assert_eq!(written?, 3);
/// assert_eq!(file.metadata().await?.len(), 4099);
/// file.set_len(100).await?;
/// file.sync_all().await?;
/// assert_eq!(file.metadata().await?.len(), 100);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct File {
    fd: Fd,
}

impl File {
    pub(crate) fn from_fd(fd: Fd) -> File {
        File { fd }
    }

    /// Opens a file for reading. A directory opens too; reading it is the kernel's `EISDIR`.
    ///
    #[doc = budget!(file_open_close)]
    pub fn open(path: impl AsRef<Path>) -> Operation<Open> {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file for writing; makes it if there is none, empties it if there is one.
    ///
    #[doc = budget!(file_create_close)]
    pub fn create(path: impl AsRef<Path>) -> Operation<Open> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path)
    }

    /// Options to open a file with.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Reads from `offset` on, at most the buffer's whole capacity, and sets the buffer's length.
    /// 0 bytes: the offset is at or past the end. See pread(2).
    ///
    /// A file opened with [`direct`](OpenOptions::direct) wants memory, offset and length aligned: see
    /// [`direct_alignment`](Self::direct_alignment).
    ///
    /// Dropping it stops the read; the buffer is freed when the kernel has let go.
    ///
    #[doc = budget!(file_read)]
    #[inline]
    pub fn read_at<B: IoBufMut>(&self, buf: B, offset: u64) -> Operation<ReadAt<B>> {
        Operation::new(ReadAt { fd: self.fd.clone(), buf, at: offset })
    }

    /// Fills the buffer's length (never its spare capacity) from `offset` on. If the file ends
    /// before, the error is `UnexpectedEof`.
    ///
    #[doc = budget!(file_read_exact)]
    pub fn read_exact_at<B: IoBufMut>(&self, buf: B, offset: u64) -> Operation<ReadExactAt<B>> {
        Operation::new(ReadExactAt::new(self.fd.clone(), buf, offset))
    }

    /// As [`read_at`](Self::read_at), into several buffers in order, the first 16 at most.
    ///
    #[doc = budget!(file_read_vectored)]
    pub fn read_vectored_at<V: IoBufsMut>(
        &self,
        bufs: V,
        offset: u64,
    ) -> Operation<ReadVectoredAt<V>> {
        Operation::new(ReadVectoredAt { fd: self.fd.clone(), bufs, at: offset })
    }

    /// What is in a range of the file, piece by piece in buffers of `pool`, with reads that run ahead of what is given
    /// out. The range is in bytes; one without an end ends where the file does. See pread(2).
    ///
    /// At most [`depth`](ReadStream::depth) pieces are read ahead, and fewer while the pool has no buffer for them or all
    /// slots are taken; the next one begins when one is given out. On io_uring they are reads that are under way together, by the
    /// pool's registered memory; with epoll what is in memory is read at once, and the threads of the pool read the
    /// rest side by side, as they do with kqueue; on Windows they are overlapped reads.
    ///
    /// A file that shrinks or grows meanwhile ends where the first read in its order finds the end. It must have
    /// positions: a pipe has none (`ESPIPE`, or its bytes in any order).
    ///
    /// Dropping it stops what is under way; the buffers are back in the pool when the kernel has let go of them.
    ///
    #[doc = budget!(file_read_stream)]
    pub fn read_stream(&self, pool: &BufferPool, range: impl RangeBounds<u64>) -> ReadStream {
        ReadStream::new(self.fd.clone(), pool.clone(), range)
    }

    /// Writes the buffer's bytes at `offset` and says how many were written. See pwrite(2).
    ///
    /// Dropping it once begun does not undo it: the write is finished.
    ///
    #[doc = budget!(file_write)]
    #[inline]
    pub fn write_at<B: IoBuf>(&self, buf: B, offset: u64) -> Operation<WriteAt<B>> {
        Operation::new(WriteAt { fd: self.fd.clone(), buf, at: offset })
    }

    /// Writes the whole buffer at `offset`: one operation, which asks again after a short write.
    ///
    #[doc = budget!(file_write_all)]
    pub fn write_all_at<B: IoBuf>(&self, buf: B, offset: u64) -> Operation<WriteAllAt<B>> {
        Operation::new(WriteAllAt { fd: self.fd.clone(), buf, at: offset, written: 0 })
    }

    /// As [`write_at`](Self::write_at), from several buffers in order, the first 16 at most.
    ///
    #[doc = budget!(file_write_vectored)]
    pub fn write_vectored_at<V: IoBufs>(
        &self,
        bufs: V,
        offset: u64,
    ) -> Operation<WriteVectoredAt<V>> {
        Operation::new(WriteVectoredAt { fd: self.fd.clone(), bufs, at: offset })
    }

    /// Brings data and metadata to the device. See fsync(2).
    ///
    #[doc = budget!(file_sync_all)]
    pub fn sync_all(&self) -> Operation<Sync> {
        Operation::new(Sync { fd: self.fd.clone(), data_only: false })
    }

    /// Brings the data to the device, and what is needed to find it. See fdatasync(2).
    ///
    #[doc = budget!(file_sync)]
    pub fn sync_data(&self) -> Operation<Sync> {
        Operation::new(Sync { fd: self.fd.clone(), data_only: true })
    }

    /// Cuts the file, or extends it with zeros. See ftruncate(2).
    ///
    #[doc = budget!(file_set_len)]
    pub fn set_len(&self, len: u64) -> Operation<SetLen> {
        Operation::new(SetLen { fd: self.fd.clone(), len })
    }

    /// Makes room for `len` bytes at `offset`, lengthening the file if need be. See fallocate(2).
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::fs::File;
    /// # let path = std::env::temp_dir().join(format!("kael-doc-allocate-{}", std::process::id()));
    /// let file = File::create(&path).await?;
    /// file.allocate(0, 8192).await?;
    /// assert_eq!(file.metadata().await?.len(), 8192);
    /// file.set_len(10).await?;
    /// file.sync_all().await?;
    /// assert_eq!(file.metadata().await?.len(), 10);
    /// # kael_rt::fs::remove_file(&path).await?;
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    #[doc = budget!(file_allocate)]
    pub fn allocate(&self, offset: u64, len: u64) -> Operation<Allocate> {
        Operation::new(Allocate { fd: self.fd.clone(), offset, len })
    }

    /// What the file is: its length, kind, rights, times. See statx(2).
    ///
    #[doc = budget!(file_metadata)]
    pub fn metadata(&self) -> Operation<Stat> {
        Operation::new(Stat { fd: self.fd.clone() })
    }

    /// What direct I/O on this file wants, as the system said when it was opened: `None` if it was not opened with
    /// [`direct`](OpenOptions::direct), or if nobody says so (Linux before 6.1, file systems without it, macOS and the BSDs,
    /// where unaligned transfers go through the cache).
    ///
    /// Each transfer is looked at: one whose offset, length or memory is not a multiple is refused with
    /// [`is_unaligned`](crate::Error::is_unaligned) before a system call is spent on it. Each buffer of a
    /// [`BufferPool`] is aligned to its size rounded up to a power of two, 4,096 bytes at most. See statx(2), STATX_DIOALIGN;
    /// on Windows it is 512 bytes, of every device at least (`FILE_FLAG_NO_BUFFERING`).
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("kael-doc-aligned-{}", std::process::id()));
    /// kael_rt::fs::write(&path, vec![7; 20_000]).await?;
    /// use kael_rt::{buf::BufferPool, fs::File};
    /// let pool = BufferPool::new(8, 8192)?;
    /// let buffered = File::open(&path).await?;
    /// assert!(buffered.direct_alignment().is_none());
    /// if let Ok(file) = File::options().read(true).direct(true).open(&path).await {
    ///     let step = file.direct_alignment().map_or(4096, |alignment| u64::from(alignment.offset));
    ///     let (n, block) = file.read_at(pool.get().await, step).await;
    ///     assert_eq!((n?, block[0]), (8192, 7));
    /// }
    /// # kael_rt::fs::remove_file(&path).await?;
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn direct_alignment(&self) -> Option<DirectAlignment> {
        let (memory, offset) = self.fd.direct_alignment()?;
        Some(DirectAlignment { memory, offset })
    }

    /// Closes the file and says how that went (some file systems report a failed write only
    /// here). While operations on it are still under way, they end first and the close follows
    /// unreported.
    pub async fn close(self) -> io::Result<()> {
        match self.fd.is_shared() {
            false => Operation::new(Close { fd: self.fd }).await,
            true => Ok(()),
        }
    }

    /// A file of the standard library as one of this runtime.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// let file = kael_rt::fs::File::from_std(std::fs::File::open("/dev/zero")?)?;
    /// assert_eq!(file.read_exact_at(vec![1; 4], 0).await.1, [0; 4]);
    /// let _std = file.into_std().expect("nothing is under way");
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn from_std(file: std::fs::File) -> io::Result<File> {
        let driver = context::with("File::from_std", |core| core.driver.clone());
        Ok(File { fd: driver.adopt(sys::number_of_file(file), Kind::File, false) })
    }

    /// The file as one of the standard library; given back while an operation is under way.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use std::io::Read;
    /// let file = kael_rt::fs::File::open("/dev/zero").await?;
    /// let mut std = file.into_std().expect("nothing is under way");
    /// let mut bytes = [1; 4];
    /// std.read_exact(&mut bytes)?;
    /// assert_eq!(bytes, [0; 4]);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn into_std(self) -> Result<std::fs::File, File> {
        self.fd.into_file().map_err(File::from_fd)
    }
}

impl File {
    pub(crate) fn fd(&self) -> &Fd {
        &self.fd
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("fd", &self.fd.number()).finish()
    }
}
