//! One end of a pipe: what both have in common.
#![forbid(unsafe_code)]

use super::{PipeMode, ReadMessage, operations::AwaitClient};
use crate::{
    buf::{IoBuf, IoBufMut},
    driver::Fd,
    op::{Operation, Pass, ReadExact, Recv, Send, Sync, WriteAll, close_stream},
    sys::{budgets::pipes::budget, pipes},
};
use std::{cell::Cell, io};

/// One end of a pipe. [`NamedPipeServer`](super::NamedPipeServer) and [`NamedPipeClient`](super::NamedPipeClient) are
/// such ends, and have these methods.
///
/// Reads are served in the order of their first poll, writes likewise; a read and a write may be under way together.
/// For code that works on any stream, `&*pipe` is an [`AsyncRead`](crate::io::AsyncRead) and an
/// [`AsyncWrite`](crate::io::AsyncWrite), whose `flush` and `shutdown` wait for what was written and not for the other end.
///
/// ```
/// use kael_rt::net::windows::named_pipe::NamedPipe;
///
/// /// Sends back what comes, as long as somebody is there.
/// async fn echo(pipe: &NamedPipe) -> std::io::Result<()> {
///     let mut buf = Vec::with_capacity(64 * 1024);
///     loop {
///         let (n, bytes) = pipe.read(buf).await;
///         if n? == 0 {
///             return Ok(());
///         }
///         let (result, bytes) = pipe.write_all(bytes).await;
///         result?;
///         buf = bytes;
///     }
/// }
/// # kael_rt::block_on(async {
/// use kael_rt::net::windows::named_pipe::{ClientOptions, ServerOptions};
/// let server = ServerOptions::new().create(r"\\.\pipe\kael-doc-pipe")?;
/// let client = ClientOptions::new().open(r"\\.\pipe\kael-doc-pipe").await?;
/// server.connect().await?;
/// let echo = kael_rt::spawn(async move {
///     echo(&server).await?;
///     server.close().await
/// });
/// assert_eq!(client.write("twice").await.0?, 5);
/// // The server has read it when this is over.
/// client.flush().await?;
/// let (result, buf) = client.read_exact(vec![0; 5]).await;
/// result?;
/// assert_eq!(buf, b"twice");
/// client.close().await?;
/// echo.await.unwrap()?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct NamedPipe {
    fd: Fd,
    /// The client was put out, and what it left behind is not swept away yet.
    swept: Cell<bool>,
}

/// Which end of a pipe it is.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::windows::named_pipe::{PipeEnd, ServerOptions};
/// let server = ServerOptions::new().create(r"\\.\pipe\kael-doc-end")?;
/// assert_eq!(server.info()?.end, PipeEnd::Server);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PipeEnd {
    /// That of a program that has opened it.
    Client,
    /// That of the program that has made it.
    Server,
}

/// What a pipe was made with; see [`NamedPipe::info`].
///
/// ```
/// use kael_rt::net::windows::named_pipe::PipeInfo;
///
/// fn describe(info: &PipeInfo) -> String {
///     let instances = info.max_instances.map_or("any number of".into(), |most| most.to_string());
///     format!("{:?}, {instances} instances, {} bytes out", info.mode, info.out_buffer_size)
/// }
/// # kael_rt::block_on(async {
/// # let mut options = kael_rt::net::windows::named_pipe::ServerOptions::new();
/// # let server = options.out_buffer_size(4096).create(r"\\.\pipe\kael-doc-describe")?;
/// assert_eq!(describe(&server.info()?), "Byte, any number of instances, 4096 bytes out");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PipeInfo {
    /// Which end was asked.
    pub end: PipeEnd,
    /// How it is written.
    pub mode: PipeMode,
    /// The most instances that may be there at once; `None`: as many as there is memory for.
    pub max_instances: Option<u32>,
    /// The size of the system's buffer for what goes from the server to the client, in bytes.
    pub out_buffer_size: u32,
    /// Likewise from the client to the server.
    pub in_buffer_size: u32,
}

impl NamedPipe {
    pub(super) fn from_fd(fd: Fd) -> NamedPipe {
        NamedPipe { fd, swept: Cell::new(true) }
    }

    /// Reads what there is, at most the buffer's whole capacity, and sets the buffer's length. 0 bytes: the other end is gone
    /// (ERROR_BROKEN_PIPE). (A buffer without room gives 0 at once.) A message is read up to its end at most; a write of no bytes is passed over. See ReadFile.
    ///
    /// `NotConnected`: no client is there yet, or none any more ([`disconnect`](super::NamedPipeServer::disconnect)).
    ///
    /// Dropping it loses nothing: bytes that came all the same go to the next read.
    ///
    #[doc = budget!(pipe_read)]
    pub fn read<B: IoBufMut>(&self, buf: B) -> Operation<Recv<B>> {
        Operation::new(Recv { fd: self.fd.clone(), buf })
    }

    /// Fills the buffer's length (never its spare capacity): one operation, which asks again until all is there, across the
    /// ends of messages. If the other end goes before, the error is `UnexpectedEof`.
    ///
    /// Dropping it loses nothing: what it had read already goes to the next read.
    ///
    #[doc = budget!(pipe_read_exact)]
    pub fn read_exact<B: IoBufMut>(&self, buf: B) -> Operation<ReadExact<B>> {
        Operation::new(ReadExact::new(self.fd.clone(), buf))
    }

    /// As [`read`](Self::read), and says whether the message ends with what was read. Of a pipe of bytes each read is its own message.
    ///
    /// Dropping it loses nothing: the next read goes on where this one began. (What a dropped [`read_exact`](Self::read_exact) had got of
    /// several messages is one.)
    ///
    /// ```
    /// use kael_rt::net::windows::named_pipe::NamedPipe;
    ///
    /// async fn whole_message(pipe: &NamedPipe) -> std::io::Result<Vec<u8>> {
    ///     let mut message = Vec::new();
    ///     let mut buf = Vec::with_capacity(4096);
    ///     loop {
    ///         let (part, bytes) = pipe.read_message(buf).await;
    ///         message.extend_from_slice(&bytes);
    ///         if part?.is_last {
    ///             return Ok(message);
    ///         }
    ///         buf = bytes;
    ///     }
    /// }
    /// ```
    ///
    #[doc = budget!(pipe_read_message)]
    pub fn read_message<B: IoBufMut>(&self, buf: B) -> Operation<ReadMessage<B>> {
        Operation::new(ReadMessage { fd: self.fd.clone(), buf })
    }

    /// Writes the buffer's bytes: all of them, as soon as the system has room for them or the other end has read them. In a pipe of
    /// messages they are one. A buffer without bytes writes nothing. At most 1 GiB at once. See WriteFile.
    ///
    /// `BrokenPipe`: the other end is gone.
    ///
    /// A write that had begun is not undone by dropping it: it is finished before the next write, and an error it meets is the
    /// next write's. A time limit or a token does stop it, and how much of it was read by then Windows does not say: so the next
    /// write is refused (`ConnectionAborted`), until the server puts the client out.
    ///
    #[doc = budget!(pipe_write)]
    pub fn write<B: IoBuf>(&self, buf: B) -> Operation<Send<B>> {
        Operation::new(Send { fd: self.fd.clone(), buf, sent: 0 })
    }

    /// As [`write`](Self::write), and goes on until all is written, however much that is.
    ///
    #[doc = budget!(pipe_write_all)]
    pub fn write_all<B: IoBuf>(&self, buf: B) -> Operation<WriteAll<B>> {
        Operation::new(WriteAll { fd: self.fd.clone(), buf, written: 0 })
    }

    /// Waits until the other end has read all that was written. See FlushFileBuffers.
    ///
    /// A thread of the blocking pool waits for that, as long as it takes: who does not read keeps it. What ends it early is the end
    /// of the other end, or [`disconnect`](super::NamedPipeServer::disconnect). Dropping it does not.
    ///
    #[doc = budget!(pipe_flush)]
    pub async fn flush(&self) -> io::Result<()> {
        self.writes().await?;
        Operation::new(Sync { fd: self.fd.clone(), data_only: false }).await
    }

    /// What the pipe was made with. See GetNamedPipeInfo. 1 call into the system.
    ///
    /// ```
    /// use kael_rt::net::windows::named_pipe::{NamedPipe, PipeMode};
    ///
    /// fn keeps_messages(pipe: &NamedPipe) -> std::io::Result<bool> {
    ///     Ok(pipe.info()?.mode == PipeMode::Message)
    /// }
    /// ```
    pub fn info(&self) -> io::Result<PipeInfo> {
        const SERVER_END: u32 = 1;
        const MESSAGES: u32 = 4;
        const ANY_NUMBER: u32 = 255;
        let [flags, out_buffer_size, in_buffer_size, most] =
            self.fd.driver().control(|backend| backend.pipe_info(&self.fd))?;
        let is_server = flags & SERVER_END != 0;
        Ok(PipeInfo {
            end: if is_server { PipeEnd::Server } else { PipeEnd::Client },
            mode: if flags & MESSAGES != 0 { PipeMode::Message } else { PipeMode::Byte },
            max_instances: (most < ANY_NUMBER).then_some(most),
            out_buffer_size,
            in_buffer_size,
        })
    }

    pub(super) async fn connect(&self) -> io::Result<()> {
        self.sweep().await;
        Operation::new(AwaitClient { fd: self.fd.clone() }).await?;
        // The caller hears of it now: what waits for its next poll could still be dropped.
        pipes::is_served(&self.fd);
        Ok(())
    }

    pub(super) async fn disconnect(&self) -> io::Result<()> {
        if self.fd.is_awaited() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        self.fd.driver().control(|backend| backend.disconnect_pipe(&self.fd))?;
        self.swept.set(false);
        self.sweep().await;
        Ok(())
    }

    /// What the last client, or a dropped future, has left behind is not the next one's. Whoever is here first when all of it is over
    /// sweeps it away.
    async fn sweep(&self) {
        if self.swept.get() {
            return;
        }
        // An error among it was the last client's.
        let _ = self.writes().await;
        let _ = Operation::new(Pass::<false> { fd: self.fd.clone() }).await;
        if !self.swept.replace(true) {
            drop(self.fd.driver().unread(&self.fd));
            self.fd.forget_peer();
        }
    }

    /// Until what was written before is the system's.
    pub(super) fn writes(&self) -> Operation<Pass<true>> {
        Operation::new(Pass { fd: self.fd.clone() })
    }

    pub(super) async fn close(self) -> io::Result<()> {
        close_stream(self.fd).await
    }

    pub(crate) fn fd(&self) -> &Fd {
        &self.fd
    }
}

impl std::fmt::Debug for NamedPipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamedPipe").field("fd", &self.fd.number()).finish()
    }
}
