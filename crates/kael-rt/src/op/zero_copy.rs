//! The operations that send without copying. Each is over at its notification, when the kernel has
//! let go of the bytes, and its result is the one that came before.
#![forbid(unsafe_code)]

use super::{Op, Request, Step, Traits};
use crate::{
    buf::{BufResult, IoBuf, IoBufs},
    driver::{Completion, Fd, Kind, Scratch},
    error::Fault,
    sys::errno,
};
use std::io;

/// Sends from a buffer without copying it: `send_zc`.
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::SendZc};
///
/// fn block(stream: &TcpStream, block: Box<[u8]>) -> Operation<SendZc<Box<[u8]>>> {
///     stream.send_zc(block)
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// let (n, mut buf) = block(&client, vec![7; 64 * 1024].into()).await;
/// assert!(n? > 0);
/// // The kernel has let go of it: what is written there now is not sent.
/// buf.fill(0);
/// assert_eq!(stream.read_exact(vec![0; 1]).await.1, [7]);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct SendZc<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    /// What was sent before this step; only a dropped send takes more than one.
    pub(crate) sent: usize,
}

impl<B: IoBuf> Op for SendZc<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits::SEND;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match self.buf.as_init().get(self.sent..) {
            None | Some([]) if self.fd.kind() == Kind::Stream => Request::Pass { fd: &self.fd },
            rest => Request::SendZeroCopy { fd: &self.fd, from: rest.unwrap_or_default() },
        }
    }

    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        go_on(completion, orphan, &mut self.sent, self.buf.as_init().len())
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (count(&completion), self.buf)
    }
}

/// Sends from several buffers without copying them: `send_zc_vectored`.
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::SendZcVectored};
///
/// fn blocks(stream: &TcpStream, blocks: Vec<Vec<u8>>) -> Operation<SendZcVectored<Vec<Vec<u8>>>> {
///     stream.send_zc_vectored(blocks)
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// let (n, bufs) = blocks(&client, vec![vec![1; 1000], vec![2; 1000]]).await;
/// assert!(n? > 0 && bufs.len() == 2);
/// assert_eq!(stream.read_exact(vec![0; 1]).await.1, [1]);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct SendZcVectored<V> {
    pub(crate) fd: Fd,
    pub(crate) bufs: V,
    pub(crate) sent: usize,
}

impl<V: IoBufs> Op for SendZcVectored<V> {
    type Output = BufResult<usize, V>;
    const TRAITS: Traits = Traits::SEND;

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let message = scratch.message_from(&self.bufs, self.sent);
        Request::SendMessageZeroCopy { fd: &self.fd, message }
    }

    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        let all = (0..self.bufs.count()).map(|i| self.bufs.get(i).len()).sum();
        go_on(completion, orphan, &mut self.sent, all)
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (count(&completion), self.bufs)
    }
}

/// How many bytes were sent. A refusal to hold the buffer's memory names the limit.
fn count(completion: &Completion<'_>) -> io::Result<usize> {
    match completion.result() {
        code if code == -errno::ENOMEM => Err(Fault::error(Fault::NotPinned.code())),
        _ => completion.count(),
    }
}

/// A short send is its future's to go on with. If that is gone, what it began is finished.
fn go_on(completion: &Completion<'_>, orphan: bool, sent: &mut usize, all: usize) -> Step {
    let n = completion.result();
    if orphan && n > 0 {
        *sent += n as usize;
        if *sent < all {
            return Step::Again;
        }
    }
    Step::Done
}
