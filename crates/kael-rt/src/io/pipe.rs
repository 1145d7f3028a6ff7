//! Pipes: bytes from one end to the other, within the process or to another one.
#![forbid(unsafe_code)]

use crate::{
    budget::budget,
    buf::{BufferPool, IoBuf, IoBufMut, IoBufs, IoBufsMut},
    driver::{Fd, Kind},
    net::{RecvPooled, RecvStream},
    op::{
        Operation, ReadExact, Recv, RecvVectored, Send, SendVectored, WriteAll, WriteAllVectored,
        close_stream,
    },
    task::context,
};
use std::io;

/// Makes a pipe: what is written to the second end is read from the first. See pipe(2); on Windows it is a named
/// pipe of one instance whose name nobody else knows (CreateNamedPipe).
///
/// Neither end survives an exec, and neither blocks the core. The system holds 64 KiB of what was written and not read yet
/// (Linux and Windows; less on other systems); what is more waits.
///
/// Fails with `EMFILE` when the process has no descriptor left. 1 system call on most systems, which does not wait.
///
#[doc = budget!(pipe)]
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::io::{AsyncReadExt, pipe};
///
/// let (mut reader, writer) = pipe()?;
/// let report = kael_rt::spawn(async move {
///     for line in ["one\n", "two\n"] {
///         writer.write_all(line).await.0?;
///     }
///     // The reader sees the end behind what was written.
///     writer.close().await
/// });
/// let (result, text) = reader.read_to_end(Vec::new()).await;
/// assert_eq!((result?, &text[..]), (8, &b"one\ntwo\n"[..]));
/// report.await.unwrap()?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let driver = context::with("io::pipe", |core| core.driver.clone());
    let [read, write] = driver.control(|backend| backend.pipe())?;
    let end = |number| {
        let fd = driver.adopt(number, Kind::Pipe, false);
        fd.enter_table();
        fd
    };
    Ok((PipeReader { fd: end(read) }, PipeWriter { fd: end(write) }))
}

/// The end of a pipe that is read; made by [`pipe`].
///
/// Reads are served in the order of their first poll. Dropping it cancels what is in flight and closes it: from then
/// on writes fail with `BrokenPipe`.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::io::pipe;
/// let (reader, writer) = pipe()?;
/// writer.write_all("a head, and a body").await.0?;
/// let (result, head) = reader.read_exact(vec![0; 8]).await;
/// result?;
/// let (n, [and, rest]) = reader.read_vectored([vec![0; 5], vec![0; 64]]).await;
/// assert_eq!((n?, &head[..], &and[..]), (10, &b"a head, "[..], &b"and a"[..]));
/// drop(writer);
/// let (n, _rest) = reader.read(rest).await;
/// assert_eq!(n?, 0);
/// reader.close().await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// What comes in buffers of a pool goes on from where it lies:
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{buf::BufferPool, io::pipe};
/// let pool = BufferPool::new(16, 4096)?;
/// let (reader, writer) = pipe()?;
/// let (copy, out) = pipe()?;
/// writer.write_all("first").await.0?;
/// assert_eq!(reader.read_pooled(&pool).await?.as_deref(), Some(&b"first"[..]));
/// writer.write_all("second").await.0?;
/// writer.close().await?;
/// let mut pieces = reader.read_stream(&pool);
/// while let Some(piece) = pieces.next().await? {
///     out.write_all(piece).await.0?;
/// }
/// assert_eq!(copy.read_exact(vec![0; 6]).await.1, b"second");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct PipeReader {
    fd: Fd,
}

impl PipeReader {
    #[allow(dead_code, reason = "pipes of Windows stay with their runtime")]
    pub(crate) fn from_fd(fd: Fd) -> PipeReader {
        PipeReader { fd }
    }

    pub(crate) fn fd(&self) -> &Fd {
        &self.fd
    }

    #[allow(dead_code, reason = "likewise")]
    pub(crate) fn into_fd(self) -> Fd {
        self.fd
    }

    /// Reads what there is, at most the buffer's whole capacity, and sets the buffer's length.
    /// 0 bytes: no writer is left. (A buffer without room gives 0 at once.)
    ///
    /// Dropping it loses nothing: bytes that came all the same go to the next read.
    ///
    #[doc = budget!(pipe_read)]
    pub fn read<B: IoBufMut>(&self, buf: B) -> Operation<Recv<B>> {
        Operation::new(Recv { fd: self.fd.clone(), buf })
    }

    /// As [`read`](Self::read), into several buffers in order, the first 16 at most. (On Windows into the first that has
    /// room: pipes have no such call there.)
    ///
    #[doc = budget!(pipe_read_vectored)]
    pub fn read_vectored<V: IoBufsMut>(&self, bufs: V) -> Operation<RecvVectored<V>> {
        Operation::new(RecvVectored { fd: self.fd.clone(), bufs })
    }

    /// Fills the buffer's length (never its spare capacity): one operation, which asks again until
    /// all is there. If the writers end before, the error is `UnexpectedEof`.
    ///
    /// Dropping it loses nothing: what it had read already goes to the next read.
    ///
    #[doc = budget!(pipe_read_exact)]
    pub fn read_exact<B: IoBufMut>(&self, buf: B) -> Operation<ReadExact<B>> {
        Operation::new(ReadExact::new(self.fd.clone(), buf))
    }

    /// Reads what there is into a buffer of `pool`, which the kernel picks when something comes: a pipe on which nothing
    /// happens holds no buffer. (On Windows it holds one while it waits.) At most the pool's buffer size; `None`: no
    /// writer is left. See io_uring_enter(2), IOSQE_BUFFER_SELECT.
    ///
    /// When something is there and no buffer is free, it waits for one that comes back, as
    /// [`TcpStream::recv_pooled`](crate::net::TcpStream::recv_pooled) does. Dropping it loses nothing.
    ///
    #[doc = budget!(pipe_read_pooled)]
    pub fn read_pooled(&self, pool: &BufferPool) -> RecvPooled {
        RecvPooled::new(self.fd.clone(), pool.clone())
    }

    /// What comes, piece by piece, in buffers of `pool`: one request for all of them, which the kernel
    /// keeps. See io_uring_enter(2), IORING_OP_READ_MULTISHOT (Linux 6.12; before, each piece is asked for).
    ///
    /// Its bounds are those of [`TcpStream::recv_stream`](crate::net::TcpStream::recv_stream). Other reads of the pipe wait
    /// while it has one. Dropping it loses nothing.
    ///
    #[doc = budget!(pipe_read_stream)]
    pub fn read_stream(&self, pool: &BufferPool) -> RecvStream {
        RecvStream::new(self.fd.clone(), pool.clone())
    }

    /// Closes this end, and says how that went. What was written and not read is lost; reads that are still
    /// awaited end with an error of kind `NotConnected`. Dropping the future closes it as dropping the reader does.
    ///
    #[doc = budget!(pipe_close)]
    pub async fn close(self) -> io::Result<()> {
        close_stream(self.fd).await
    }
}

impl std::fmt::Debug for PipeReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipeReader").field("fd", &self.fd.number()).finish()
    }
}

/// The end of a pipe that is written; made by [`pipe`].
///
/// Writes go out in the order of their first poll, and their bytes are never mixed. When no reader is left, they fail with
/// `BrokenPipe`. Dropping the writer gives up what is in flight and closes it; [`close`](Self::close) finishes what was
/// written first.
///
/// **SIGPIPE**: on Unix a write to a pipe that nobody reads also raises this signal. A Rust `main` ignores it, and then the error is
/// all there is. In a process whose `main` is another language's it is the end of the process, unless that ignores it; but not
/// on Linux from 6.18 on (RWF_NOSIGNAL), on macOS and on NetBSD (F_SETNOSIGPIPE), where none is raised.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::io::pipe;
/// let (reader, writer) = pipe()?;
/// let (n, _buf) = writer.write("some").await;
/// assert_eq!(n?, 4);
/// assert_eq!(writer.write_vectored([" of", " it"]).await.0?, 6);
/// writer.write_all_vectored(vec![", and", " the", " rest"]).await.0?;
/// assert_eq!(reader.read_exact(vec![0; 24]).await.1, b"some of it, and the rest");
/// reader.close().await?;
/// let error = writer.write_all("more").await.0.unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct PipeWriter {
    fd: Fd,
}

impl PipeWriter {
    #[allow(dead_code, reason = "pipes of Windows stay with their runtime")]
    pub(crate) fn from_fd(fd: Fd) -> PipeWriter {
        PipeWriter { fd }
    }

    pub(crate) fn fd(&self) -> &Fd {
        &self.fd
    }

    #[allow(dead_code, reason = "likewise")]
    pub(crate) fn into_fd(self) -> Fd {
        self.fd
    }

    /// Writes from the buffer's bytes and says how many the kernel took.
    ///
    /// A write that had begun is not undone by dropping it: it is finished before the next write,
    /// and an error it meets is the next write's.
    ///
    #[doc = budget!(pipe_read)]
    pub fn write<B: IoBuf>(&self, buf: B) -> Operation<Send<B>> {
        Operation::new(Send { fd: self.fd.clone(), buf, sent: 0 })
    }

    /// As [`write`](Self::write), from several buffers in order, the first 16 at most. (On Windows from the first that has
    /// bytes: pipes have no such call there.)
    ///
    #[doc = budget!(pipe_read_vectored)]
    pub fn write_vectored<V: IoBufs>(&self, bufs: V) -> Operation<SendVectored<V>> {
        Operation::new(SendVectored { fd: self.fd.clone(), bufs, sent: 0 })
    }

    /// Writes the whole buffer: one operation, which asks again until all is taken. While the pipe is full it waits for
    /// a reader.
    ///
    /// Dropping it once begun finishes it. [`Operation::written`] says how far it is; after a time
    /// limit [`Error::transferred`](crate::Error::transferred) does.
    ///
    #[doc = budget!(pipe_read_exact)]
    pub fn write_all<B: IoBuf>(&self, buf: B) -> Operation<WriteAll<B>> {
        Operation::new(WriteAll { fd: self.fd.clone(), buf, written: 0 })
    }

    /// As [`write_all`](Self::write_all), from several buffers in order, however many. An error says how far it came
    /// ([`Error::transferred`](crate::Error::transferred)).
    ///
    #[doc = budget!(pipe_write_all_vectored)]
    pub fn write_all_vectored<V: IoBufs>(&self, bufs: V) -> Operation<WriteAllVectored<V>> {
        Operation::new(WriteAllVectored { fd: self.fd.clone(), bufs, written: 0 })
    }

    /// Finishes what was written, closes this end, and says how that went: the reader sees the end when it has read
    /// the rest. Dropping the future closes it as dropping the writer does.
    ///
    #[doc = budget!(pipe_close)]
    pub async fn close(self) -> io::Result<()> {
        close_stream(self.fd).await
    }
}

impl std::fmt::Debug for PipeWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipeWriter").field("fd", &self.fd.number()).finish()
    }
}
