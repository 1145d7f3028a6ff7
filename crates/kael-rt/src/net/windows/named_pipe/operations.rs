//! The operations that only pipes have.
#![forbid(unsafe_code)]
#![expect(private_interfaces, reason = "as in `op`: its parts are closed")]

use super::{NamedPipe, NamedPipeClient};
use crate::{
    buf::{BufResult, IoBufMut},
    driver::{Completion, Fd, Kind, Scratch},
    error::Error,
    op::{KernelPath, Op, RecvFlags, Request, Side, Traits},
    sys::{access, errno, pipes},
};
use std::io;

/// What [`NamedPipe::read_message`] has read.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::windows::named_pipe::{ClientOptions, PipeMode, ServerOptions};
/// let mut options = ServerOptions::new();
/// let server = options.pipe_mode(PipeMode::Message).create(r"\\.\pipe\kael-doc-part")?;
/// let client = ClientOptions::new().open(r"\\.\pipe\kael-doc-part").await?;
/// client.write_all("a message").await.0?;
/// server.connect().await?;
/// let (part, buf) = server.read_message(Vec::with_capacity(2)).await;
/// let part = part?;
/// assert_eq!((part.len, part.is_last, &buf[..]), (2, false, &b"a "[..]));
/// let (part, buf) = server.read_message(Vec::with_capacity(64)).await;
/// assert!(part?.is_last && buf == b"message");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MessagePart {
    /// Bytes. 0: the other end is gone, and there will be no more.
    pub len: usize,
    /// The message ends with them. If not, the next read goes on with it.
    pub is_last: bool,
}

/// Reads a message, or a part of one: `read_message`.
///
/// ```
/// use kael_rt::{Operation, net::windows::named_pipe::{NamedPipe, ReadMessage}};
///
/// fn next(pipe: &NamedPipe) -> Operation<ReadMessage<Vec<u8>>> {
///     pipe.read_message(Vec::with_capacity(4096))
/// }
/// ```
pub struct ReadMessage<B> {
    pub(super) fd: Fd,
    pub(super) buf: B,
}

impl<B: IoBufMut> Op for ReadMessage<B> {
    type Output = BufResult<MessagePart, B>;
    const TRAITS: Traits = Traits { gives_more: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match self.buf.as_uninit() {
            [] => Request::Pass { fd: &self.fd },
            into => Request::Recv { fd: &self.fd, into, flags: RecvFlags::default() },
        }
    }

    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        let is_last = !completion.is_part();
        let read = completion.fill(0, &mut self.buf);
        (read.map(|len| MessagePart { len, is_last }), self.buf)
    }
}

/// Waits for a client. While it does, it has the reading side.
pub(super) struct AwaitClient {
    pub(super) fd: Fd,
}

impl Op for AwaitClient {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits {
        side: Some(Side::Read),
        waits_for_peer: true,
        cancel_on_drop: true,
        ..Traits::PROMPT
    };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::AwaitClient { fd: &self.fd }
    }

    /// (That of a dropped one is read, too, and nobody is told.)
    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()
    }
}

/// Opens the client's end.
pub(super) struct OpenPipe {
    pub(super) path: KernelPath,
    pub(super) access: i32,
    pub(super) messages: bool,
}

impl Op for OpenPipe {
    type Output = io::Result<NamedPipeClient>;
    const TRAITS: Traits = Traits { gives_more: true, ..Traits::PROMPT };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let mode = access::PIPE | if self.messages { access::MESSAGES } else { 0 };
        match &self.path {
            Ok(path) => Request::Open { path, flags: self.access, mode },
            Err(_) => Request::Nop,
        }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        let path = self.path?;
        if completion.result() == -errno::PIPE_BUSY {
            return Err(Error::pipe_busy(&path.to_string_lossy()));
        }
        let fd = completion.into_fd(Kind::Stream)?;
        if self.messages {
            pipes::has_messages(&fd);
        }
        Ok(NamedPipeClient::new(NamedPipe::from_fd(fd)))
    }
}
