//! The operations of sockets.
#![forbid(unsafe_code)]

use super::{Op, Operation, RecvFlags, Request, SendFlags, Side, Step, Traits};
use crate::{
    buf::{BufResult, IoBuf, IoBufMut, IoBufs, IoBufsMut},
    driver::{Completion, Fd, Kind, Scratch},
    error::Fault,
    net::TcpStream,
};
use std::{
    io,
    net::{Shutdown, SocketAddr},
};

/// Receives into a buffer: `read`, `recv`.
pub struct Recv<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
}

impl<B: IoBufMut> Op for Recv<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits::RECEIVE;

    #[inline(always)]
    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let flags = RecvFlags::default();
        match self.buf.as_uninit() {
            [] => Request::Pass { fd: &self.fd },
            // If it is dropped, the datagram may go to somebody who asks for its sender.
            into if self.fd.kind() == Kind::Datagram => {
                let message = scratch.message_mut(into, false);
                Request::RecvMessage { fd: &self.fd, message, flags }
            }
            into => Request::Recv { fd: &self.fd, into, flags },
        }
    }

    #[inline(always)]
    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        (completion.fill(0, &mut self.buf), self.buf)
    }
}

/// Looks at what there is to be received: `peek`.
pub struct Peek<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
}

impl<B: IoBufMut> Op for Peek<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits::RECEIVE;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match self.buf.as_uninit() {
            [] => Request::Pass { fd: &self.fd },
            into => Request::Recv {
                fd: &self.fd,
                into,
                flags: RecvFlags { peek: true, wait_all: false },
            },
        }
    }

    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        (completion.fill(0, &mut self.buf), self.buf)
    }
}

/// Receives into several buffers: `read_vectored`.
pub struct RecvVectored<V> {
    pub(crate) fd: Fd,
    pub(crate) bufs: V,
}

impl<V: IoBufsMut> Op for RecvVectored<V> {
    type Output = BufResult<usize, V>;
    const TRAITS: Traits = Traits { scratch: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        Request::RecvVectored { fd: &self.fd, message: scratch.message_into(&mut self.bufs) }
    }

    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        (completion.fill_vectored(&mut self.bufs), self.bufs)
    }
}

/// The result of an operation that moves `want` bytes or fails, of which `before` were moved in
/// earlier steps.
#[inline]
pub(super) fn all(
    completion: &Completion<'_>,
    before: usize,
    want: usize,
    short: io::ErrorKind,
) -> io::Result<usize> {
    match completion.result() {
        n @ 0.. if before + n as usize == want => Ok(want),
        0.. => Err(short.into()),
        code => Err(Fault::partial(code, before)),
    }
}

/// Receives until the buffer's length is full: `read_exact`.
pub struct ReadExact<B> {
    fd: Fd,
    buf: B,
    filled: usize,
    want: usize,
}

impl<B: IoBufMut> ReadExact<B> {
    pub(crate) fn new(fd: Fd, buf: B) -> ReadExact<B> {
        let want = buf.as_init().len();
        ReadExact { fd, buf, filled: 0, want }
    }
}

impl<B: IoBufMut> Op for ReadExact<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits { steps: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match self.buf.as_uninit().get_mut(self.filled..self.want) {
            None | Some([]) => Request::Pass { fd: &self.fd },
            Some(into) => Request::Recv {
                fd: &self.fd,
                into,
                flags: RecvFlags { peek: false, wait_all: true },
            },
        }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        self.filled += n.max(0) as usize;
        if n > 0 { Step::Again } else { Step::Done }
    }

    fn kept(&self) -> usize {
        self.filled
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (all(&completion, self.filled, self.want, io::ErrorKind::UnexpectedEof), self.buf)
    }
}

/// Sends from a buffer: `write`, `send`.
pub struct Send<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    /// What was sent before this step; only a dropped write takes more than one.
    pub(crate) sent: usize,
}

impl<B: IoBuf> Op for Send<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits::SEND;

    #[inline(always)]
    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match self.buf.as_init().get(self.sent..) {
            None | Some([]) if self.fd.kind() == Kind::Stream => Request::Pass { fd: &self.fd },
            rest => Request::Send {
                fd: &self.fd,
                from: rest.unwrap_or_default(),
                flags: SendFlags::default(),
            },
        }
    }

    #[inline]
    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        let n = completion.result();
        if orphan && n > 0 {
            self.sent += n as usize;
            if self.sent < self.buf.as_init().len() {
                return Step::Again;
            }
        }
        Step::Done
    }

    #[inline(always)]
    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (completion.count(), self.buf)
    }
}

/// Sends a whole buffer: `write_all`.
pub struct WriteAll<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    pub(crate) written: usize,
}

impl<B: IoBuf> Op for WriteAll<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits::SEND;

    #[inline(always)]
    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match self.buf.as_init().get(self.written..) {
            None | Some([]) => Request::Pass { fd: &self.fd },
            Some(from) => Request::Send { fd: &self.fd, from, flags: SendFlags { wait_all: true } },
        }
    }

    #[inline]
    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        self.written += n.max(0) as usize;
        if n > 0 { Step::Again } else { Step::Done }
    }

    #[inline(always)]
    fn complete(self, completion: Completion<'_>) -> Self::Output {
        let want = self.buf.as_init().len();
        (all(&completion, self.written, want, io::ErrorKind::WriteZero), self.buf)
    }
}

impl<B: IoBuf> Operation<WriteAll<B>> {
    /// How many bytes the kernel has taken so far, as far as the runtime has heard.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// let write = stream.write_all("hello");
    /// assert_eq!(write.written(), 0);
    /// assert_eq!(write.await.0?, 5);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn written(&self) -> usize {
        self.look(|op| op.written).unwrap_or(0)
    }
}

/// Sends from several buffers: `write_vectored`.
pub struct SendVectored<V> {
    pub(crate) fd: Fd,
    pub(crate) bufs: V,
    pub(crate) sent: usize,
}

impl<V: IoBufs> Op for SendVectored<V> {
    type Output = BufResult<usize, V>;
    const TRAITS: Traits = Traits::SEND;

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let message = scratch.message_from(&self.bufs, self.sent);
        Request::SendMessage { fd: &self.fd, message, flags: SendFlags::default() }
    }

    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        let n = completion.result();
        if orphan && n > 0 {
            self.sent += n as usize;
            let all: usize = (0..self.bufs.count()).map(|i| self.bufs.get(i).len()).sum();
            if self.sent < all {
                return Step::Again;
            }
        }
        Step::Done
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (completion.count(), self.bufs)
    }
}

/// Takes a connection: `accept`.
pub struct Accept {
    pub(crate) fd: Fd,
}

/// How long an accept waits when no descriptor was free, in milliseconds.
const STARVED_MS: u32 = 50;

impl Op for Accept {
    type Output = io::Result<(TcpStream, SocketAddr)>;
    const TRAITS: Traits =
        Traits { steps: true, scratch: true, gives_more: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        Request::Accept { fd: &self.fd, peer: scratch.peer_mut(), direct: false }
    }

    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        match completion.result() {
            // At RLIMIT_NOFILE the kernel answers at once, even when nobody connects. The first
            // time the caller is told; then accepting waits, or a loop around it would spin.
            code if is_starved(code) => {
                if orphan || !self.fd.starved.replace(true) {
                    return Step::Done;
                }
                Step::Later(STARVED_MS)
            }
            // A connection that ended while it waited is no error of the listener.
            code if code == -libc::ECONNABORTED => Step::Again,
            _ => Step::Done,
        }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()?;
        self.fd.starved.set(false);
        let peer = completion.peer().get();
        let fd = completion.into_fd(Kind::Stream)?;
        let peer = peer.ok_or(io::ErrorKind::InvalidData)?;
        Ok((TcpStream::from_fd(fd), peer))
    }
}

/// No descriptor, or no memory for one, is free.
fn is_starved(code: i32) -> bool {
    [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM].contains(&-code)
}

/// Connects a socket: `connect`.
pub struct Connect {
    pub(crate) fd: Fd,
    pub(crate) to: SocketAddr,
}

impl Op for Connect {
    type Output = io::Result<TcpStream>;
    const TRAITS: Traits = Traits {
        side: Some(Side::Write),
        waits_for_peer: true,
        cancel_on_drop: true,
        ..Traits::PROMPT
    };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        Request::Connect { fd: &self.fd, peer: scratch.peer_at(self.to) }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()?;
        Ok(TcpStream::from_fd(self.fd))
    }
}

/// Ends one or both directions of a stream: `shutdown`.
pub struct ShutDown {
    pub(crate) fd: Fd,
    pub(crate) how: Shutdown,
}

impl Op for ShutDown {
    type Output = io::Result<()>;
    /// What was written before goes out first.
    const TRAITS: Traits = Traits { side: Some(Side::Write), ..Traits::PROMPT };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Shutdown { fd: &self.fd, how: self.how }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()
    }
}

/// Sends a datagram to an address: `send_to`.
pub struct SendTo<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    pub(crate) to: SocketAddr,
}

impl<B: IoBuf> Op for SendTo<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let message = scratch.message(self.buf.as_init(), self.to);
        Request::SendMessage { fd: &self.fd, message, flags: SendFlags::default() }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (completion.count(), self.buf)
    }
}

/// Receives a datagram and its sender: `recv_from`.
pub struct RecvFrom<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
}

impl<B: IoBufMut> Op for RecvFrom<B> {
    type Output = BufResult<(usize, SocketAddr), B>;
    const TRAITS: Traits = Traits { scratch: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let message = scratch.message_mut(self.buf.as_uninit(), false);
        Request::RecvMessage { fd: &self.fd, message, flags: RecvFlags::default() }
    }

    fn complete(mut self, mut completion: Completion<'_>) -> Self::Output {
        let result = completion.fill(0, &mut self.buf).and_then(|n| {
            let peer = completion.message_peer().get().ok_or(io::ErrorKind::InvalidData)?;
            Ok((n, peer))
        });
        (result, self.buf)
    }
}

/// Passes one side of a stream: what came before it there is over.
pub(crate) struct Pass<const WRITE: bool> {
    pub(crate) fd: Fd,
}

impl<const WRITE: bool> Op for Pass<WRITE> {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits {
        side: Some(if WRITE { Side::Write } else { Side::Read }),
        waits_for_peer: true,
        ..Traits::PROMPT
    };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Pass { fd: &self.fd }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()
    }
}
