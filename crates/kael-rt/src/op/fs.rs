//! The operations of files. They are positional, so they need no order among themselves.
#![forbid(unsafe_code)]

use super::{Op, Operation, Pass, Plain, Request, Span, Step, Traits, net::all};
use crate::{
    buf::{BufResult, IoBuf, IoBufMut, IoBufs, IoBufsMut},
    driver::{Completion, Fd, Kind, Scratch},
    error::{Error, Fault},
    fs::{File, Metadata},
    sys::{O_DIRECT, errno},
};
use std::{ffi::CString, io};

/// Reading a file may be stopped: nothing is lost by it.
const READ: Traits = Traits { cancel_on_drop: true, ..Traits::PROMPT };

/// Reads at an offset: `read_at`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops::ReadAt};
///
/// fn block(file: &File, number: u64) -> Operation<ReadAt<Vec<u8>>> {
///     file.read_at(Vec::with_capacity(4096), number * 4096)
/// }
/// # kael_rt::block_on(async {
/// let file = File::open("/dev/zero").await?;
/// assert_eq!(block(&file, 2).await.0?, 4096);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct ReadAt<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    pub(crate) at: u64,
}

impl<B: IoBufMut> Op for ReadAt<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits { plain: Some(Plain::Read), ..READ };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        Span::into(&self.fd, self.buf.as_uninit(), self.at)
    }

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Read { fd: &self.fd, into: self.buf.as_uninit(), at: self.at }
    }

    #[inline(always)]
    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        (completion.fill(0, &mut self.buf), self.buf)
    }
}

/// Reads the buffer's length at an offset: `read_exact_at`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops::ReadExactAt};
///
/// fn header(file: &File) -> Operation<ReadExactAt<Vec<u8>>> {
///     file.read_exact_at(vec![0; 16], 0)
/// }
/// # kael_rt::block_on(async {
/// let file = File::open("/dev/zero").await?;
/// assert_eq!(header(&file).await.0?, 16);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct ReadExactAt<B> {
    fd: Fd,
    buf: B,
    at: u64,
    filled: usize,
    want: usize,
}

impl<B: IoBufMut> ReadExactAt<B> {
    pub(crate) fn new(fd: Fd, buf: B, at: u64) -> ReadExactAt<B> {
        let want = buf.as_init().len();
        ReadExactAt { fd, buf, at, filled: 0, want }
    }
}

impl<B: IoBufMut> Op for ReadExactAt<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits { steps: true, plain: Some(Plain::Read), ..READ };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        let into = self.buf.as_uninit().get_mut(self.filled..self.want)?;
        Span::into(&self.fd, into, self.at + self.filled as u64)
    }

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let into = self.buf.as_uninit().get_mut(self.filled..self.want).unwrap_or_default();
        Request::Read { fd: &self.fd, into, at: self.at + self.filled as u64 }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        if n <= 0 || self.fd.is_end_of_direct(n) {
            return Step::Done;
        }
        self.filled += n as usize;
        Step::Again
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (all(&completion, self.filled, self.want, io::ErrorKind::UnexpectedEof), self.buf)
    }
}

/// Writes at an offset: `write_at`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops::WriteAt};
///
/// fn mark(file: &File, offset: u64) -> Operation<WriteAt<&'static str>> {
///     file.write_at("*", offset)
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-op-write-{}", std::process::id()));
/// let file = File::create(&path).await?;
/// assert_eq!(mark(&file, 10).await.0?, 1);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct WriteAt<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    pub(crate) at: u64,
}

impl<B: IoBuf> Op for WriteAt<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits { plain: Some(Plain::Write), ..Traits::PROMPT };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        Span::from(&self.fd, self.buf.as_init(), self.at)
    }

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Write { fd: &self.fd, from: self.buf.as_init(), at: self.at }
    }

    #[inline(always)]
    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (completion.count(), self.buf)
    }
}

/// Writes a whole buffer at an offset: `write_all_at`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops::WriteAllAt};
///
/// fn save(file: &File, text: String) -> Operation<WriteAllAt<String>> {
///     file.write_all_at(text, 0)
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-op-write-all-{}", std::process::id()));
/// let file = File::create(&path).await?;
/// let (result, text) = save(&file, "state".to_owned()).await;
/// assert_eq!(result?, text.len());
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct WriteAllAt<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    pub(crate) at: u64,
    pub(crate) written: usize,
}

impl<B: IoBuf> Op for WriteAllAt<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits { steps: true, plain: Some(Plain::Write), ..Traits::PROMPT };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        let from = self.buf.as_init().get(self.written..)?;
        Span::from(&self.fd, from, self.at + self.written as u64)
    }

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let from = self.buf.as_init().get(self.written..).unwrap_or_default();
        Request::Write { fd: &self.fd, from, at: self.at + self.written as u64 }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        self.written += n.max(0) as usize;
        if n > 0 { Step::Again } else { Step::Done }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        let want = self.buf.as_init().len();
        (all(&completion, self.written, want, io::ErrorKind::WriteZero), self.buf)
    }
}

/// Reads into several buffers at an offset: `read_vectored_at`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops::ReadVectoredAt};
///
/// fn head_and_body(file: &File) -> Operation<ReadVectoredAt<[Vec<u8>; 2]>> {
///     file.read_vectored_at([vec![0; 16], vec![0; 4096]], 0)
/// }
/// # kael_rt::block_on(async {
/// let file = File::open("/dev/zero").await?;
/// let (result, [head, body]) = head_and_body(&file).await;
/// assert_eq!(result?, head.len() + body.len());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct ReadVectoredAt<V> {
    pub(crate) fd: Fd,
    pub(crate) bufs: V,
    pub(crate) at: u64,
}

impl<V: IoBufsMut> Op for ReadVectoredAt<V> {
    type Output = BufResult<usize, V>;
    const TRAITS: Traits = Traits { scratch: true, ..READ };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let into = scratch.vectors_mut(&mut self.bufs);
        Request::ReadVectored { fd: &self.fd, into, at: self.at }
    }

    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        (completion.fill_vectored(&mut self.bufs), self.bufs)
    }
}

/// Writes from several buffers at an offset: `write_vectored_at`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops::WriteVectoredAt};
///
/// fn save(file: &File, lines: Vec<String>) -> Operation<WriteVectoredAt<Vec<String>>> {
///     file.write_vectored_at(lines, 0)
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-op-write-vectored-{}", std::process::id()));
/// let file = File::create(&path).await?;
/// let lines = vec!["one\n".to_owned(), "two\n".to_owned()];
/// assert_eq!(save(&file, lines).await.0?, 8);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct WriteVectoredAt<V> {
    pub(crate) fd: Fd,
    pub(crate) bufs: V,
    pub(crate) at: u64,
}

impl<V: IoBufs> Op for WriteVectoredAt<V> {
    type Output = BufResult<usize, V>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let from = scratch.vectors(&self.bufs);
        Request::WriteVectored { fd: &self.fd, from, at: self.at }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (completion.count(), self.bufs)
    }
}

/// Brings a file to its device: `sync_all`, `sync_data`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops};
///
/// fn commit(file: &File, with_metadata: bool) -> Operation<ops::Sync> {
///     if with_metadata { file.sync_all() } else { file.sync_data() }
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-op-sync-{}", std::process::id()));
/// let file = File::create(&path).await?;
/// commit(&file, true).await?;
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct Sync {
    pub(crate) fd: Fd,
    pub(crate) data_only: bool,
}

impl Op for Sync {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Sync { fd: &self.fd, data_only: self.data_only }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()
    }
}

/// Cuts or extends a file: `set_len`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops::SetLen};
///
/// fn empty(file: &File) -> Operation<SetLen> {
///     file.set_len(0)
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-op-set-len-{}", std::process::id()));
/// let file = File::create(&path).await?;
/// file.write_all_at("old", 0).await.0?;
/// empty(&file).await?;
/// assert_eq!(file.metadata().await?.len(), 0);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct SetLen {
    pub(crate) fd: Fd,
    pub(crate) len: u64,
}

impl Op for SetLen {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Truncate { fd: &self.fd, len: self.len }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()
    }
}

/// Makes room on the device: `allocate`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops::Allocate};
///
/// fn reserve(file: &File, pages: u64) -> Operation<Allocate> {
///     file.allocate(0, pages * 4096)
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-op-allocate-{}", std::process::id()));
/// let file = File::create(&path).await?;
/// reserve(&file, 2).await?;
/// assert_eq!(file.metadata().await?.len(), 8192);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct Allocate {
    pub(crate) fd: Fd,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Op for Allocate {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Allocate { fd: &self.fd, offset: self.offset, len: self.len }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()
    }
}

/// Asks what a file is: `metadata`.
///
/// ```
/// use kael_rt::{Operation, fs::{File, Metadata}, ops::Stat};
///
/// async fn is_empty(asked: Operation<Stat>) -> std::io::Result<bool> {
///     Ok(asked.await?.len() == 0)
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-op-stat-{}", std::process::id()));
/// let file = File::create(&path).await?;
/// assert!(is_empty(file.metadata()).await?);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct Stat {
    pub(crate) fd: Fd,
}

impl Op for Stat {
    type Output = io::Result<Metadata>;
    const TRAITS: Traits = Traits { scratch: true, ..Traits::PROMPT };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        Request::Stat { fd: &self.fd, out: scratch.stat_mut() }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()?;
        Ok(Metadata::new(completion.stat()))
    }
}

/// A path for the kernel, or why it is none (it holds a NUL).
pub(crate) type KernelPath = Result<CString, std::ffi::NulError>;

/// Opens a file: `open`, `create`.
///
/// ```
/// use kael_rt::{Operation, fs::File, ops::Open};
///
/// # fn log_path() -> std::path::PathBuf {
/// #     std::env::temp_dir().join(format!("kael-doc-op-open-{}", std::process::id()))
/// # }
/// fn log() -> Operation<Open> {
///     File::options().append(true).create(true).mode(0o600).open(log_path())
/// }
/// # kael_rt::block_on(async {
/// # let path = log_path();
/// let log = log().await?;
/// log.write_all_at("started\n", 0).await.0?;
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct Open {
    pub(crate) path: KernelPath,
    pub(crate) flags: io::Result<i32>,
    pub(crate) mode: u32,
}

/// Where the system has no such flag, it is 0, and never set.
fn is_set(flags: i32, flag: i32) -> bool {
    flags & flag != 0
}

impl Op for Open {
    type Output = io::Result<File>;
    const TRAITS: Traits = Traits { gives_more: true, ..READ };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match (&self.path, &self.flags) {
            (Ok(path), Ok(flags)) => Request::Open { path, flags: *flags, mode: self.mode },
            _ => Request::Nop,
        }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        self.path?;
        let is_direct = is_set(self.flags?, O_DIRECT);
        let fd = match completion.into_fd(Kind::File) {
            Err(error) if is_direct => return Err(Error::not_direct(error)),
            opened => opened?,
        };
        fd.enter_table();
        // A device is waited for by direct I/O, whatever else is asked.
        fd.cached.set(!is_direct);
        if is_direct {
            fd.learn_alignment();
        }
        Ok(File::from_fd(fd))
    }
}

/// Asks what is at a path: `metadata`, `symlink_metadata`.
///
/// ```
/// use kael_rt::{Operation, fs, ops::StatPath};
///
/// fn look(path: &str, through_links: bool) -> Operation<StatPath> {
///     if through_links { fs::metadata(path) } else { fs::symlink_metadata(path) }
/// }
/// # kael_rt::block_on(async {
/// assert!(look("/proc/self", true).await?.is_dir());
/// assert!(look("/proc/self", false).await?.is_symlink());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct StatPath {
    pub(crate) path: KernelPath,
    pub(crate) follow: bool,
}

impl Op for StatPath {
    type Output = io::Result<Metadata>;
    const TRAITS: Traits = Traits { scratch: true, ..Traits::PROMPT };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        match &self.path {
            Ok(path) => Request::StatPath { path, follow: self.follow, out: scratch.stat_mut() },
            Err(_) => Request::Nop,
        }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        self.path?;
        completion.unit()?;
        Ok(Metadata::new(completion.stat()))
    }
}

/// Changes a directory: `remove_file`, `remove_dir`, `rename`, `create_dir`.
///
/// ```
/// use kael_rt::{Operation, fs, ops::Change};
///
/// fn publish(name: &str) -> Operation<Change> {
///     fs::rename(format!("{name}.new"), name)
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-op-change-{}", std::process::id()));
/// # let name = path.to_str().unwrap();
/// fs::write(format!("{name}.new"), "text").await?;
/// publish(name).await?;
/// assert_eq!(fs::read(name).await?, b"text");
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct Change {
    pub(crate) what: Changing,
}

pub(crate) enum Changing {
    Unlink { path: KernelPath, dir: bool },
    Rename { from: KernelPath, to: KernelPath },
    MakeDir { path: KernelPath, mode: u32 },
}

impl Op for Change {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match &self.what {
            Changing::Unlink { path: Ok(path), dir } => Request::Unlink { path, dir: *dir },
            Changing::Rename { from: Ok(from), to: Ok(to) } => Request::Rename { from, to },
            Changing::MakeDir { path: Ok(path), mode } => Request::MakeDir { path, mode: *mode },
            _ => Request::Nop,
        }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        match self.what {
            Changing::Unlink { path, .. } | Changing::MakeDir { path, .. } => drop(path?),
            Changing::Rename { from, to } => drop((from?, to?)),
        }
        completion.unit()
    }
}

/// Finishes what was written to a stream, ends its reads, closes it, and says how that went. What was received and
/// not read is dropped.
pub(crate) async fn close_stream(fd: Fd) -> io::Result<()> {
    Operation::new(Pass::<true> { fd: fd.clone() }).await?;
    fd.driver().end_use(&fd);
    Operation::new(Pass::<false> { fd: fd.clone() }).await?;
    drop(fd.driver().unread(&fd));
    Operation::new(Close { fd }).await
}

/// Closes a file or a quiet socket and says how that went: `close`.
pub(crate) struct Close {
    pub(crate) fd: Fd,
}

impl Op for Close {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Close { fd: &self.fd }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        let result = completion.unit();
        let code = completion.result();
        if !Fault::is(code) && code != -errno::ECANCELED {
            // Whatever else the kernel says, the number is no longer ours: see close(2). Only a
            // close that was cancelled has not begun.
            self.fd.forget_number();
        }
        result
    }
}
