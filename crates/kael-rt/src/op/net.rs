//! The operations of sockets.
#![forbid(unsafe_code)]

use super::{Op, Operation, Plain, RecvFlags, Request, SendFlags, Side, Span, Step, Traits};
use crate::{
    buf::{BufResult, IoBuf, IoBufMut, IoBufs, IoBufsMut},
    driver::{Completion, Fd, Kind, Scratch},
    error::Fault,
    net::TcpStream,
    sys::errno,
};
use std::{
    io,
    net::{Shutdown, SocketAddr},
};

/// Receives into a buffer: `read`, `recv`.
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::Recv};
///
/// fn chunk(stream: &TcpStream) -> Operation<Recv<Vec<u8>>> {
///     stream.read(Vec::with_capacity(64 * 1024))
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// client.write_all("data").await.0?;
/// assert!(chunk(&stream).await.0? > 0);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct Recv<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
}

impl<B: IoBufMut> Op for Recv<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits =
        Traits { plain: Some(Plain::Recv { wait_all: false }), ..Traits::RECEIVE };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        Span::into(&self.fd, self.buf.as_uninit(), 0)
    }

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
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::Peek};
///
/// fn first_byte(stream: &TcpStream) -> Operation<Peek<Vec<u8>>> {
///     stream.peek(Vec::with_capacity(1))
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// client.write_all("data").await.0?;
/// assert_eq!(first_byte(&stream).await.1, b"d");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::RecvVectored};
///
/// fn two_blocks(stream: &TcpStream) -> Operation<RecvVectored<[Vec<u8>; 2]>> {
///     stream.read_vectored([vec![0; 512], vec![0; 512]])
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// client.write_all(vec![1; 600]).await.0?;
/// assert!(two_blocks(&stream).await.0? > 0);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::ReadExact};
///
/// fn header(stream: &TcpStream) -> Operation<ReadExact<Box<[u8]>>> {
///     stream.read_exact(vec![0; 4].into_boxed_slice())
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// client.write_all("head and body").await.0?;
/// assert_eq!(&header(&stream).await.1[..], b"head");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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
    const TRAITS: Traits =
        Traits { steps: true, plain: Some(Plain::Recv { wait_all: true }), ..Traits::RECEIVE };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        let into = self.buf.as_uninit().get_mut(self.filled..self.want)?;
        Span::into(&self.fd, into, 0)
    }

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
///
/// ```
/// use kael_rt::{Operation, net::UdpSocket, ops};
///
/// fn ping(socket: &UdpSocket) -> Operation<ops::Send<&'static str>> {
///     socket.send("ping")
/// }
/// # kael_rt::block_on(async {
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.connect(server.local_addr()?).await?;
/// assert_eq!(ping(&client).await.0?, 4);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct Send<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    /// What was sent before this step; only a dropped write takes more than one.
    pub(crate) sent: usize,
}

impl<B: IoBuf> Op for Send<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits { plain: Some(Plain::Send { wait_all: false }), ..Traits::SEND };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        Span::from(&self.fd, self.buf.as_init().get(self.sent..)?, 0)
    }

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match self.buf.as_init().get(self.sent..) {
            None | Some([]) if self.fd.is_stream() => Request::Pass { fd: &self.fd },
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
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::WriteAll};
///
/// fn answer(stream: &TcpStream, body: &str) -> Operation<WriteAll<String>> {
///     stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{body}"))
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// answer(&stream, "hello").await.0?;
/// assert_eq!(client.read_exact(vec![0; 8]).await.1, b"HTTP/1.1");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct WriteAll<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    pub(crate) written: usize,
}

impl<B: IoBuf> Op for WriteAll<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits { plain: Some(Plain::Send { wait_all: true }), ..Traits::SEND };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        Span::from(&self.fd, self.buf.as_init().get(self.written..)?, 0)
    }

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match self.buf.as_init().get(self.written..) {
            None | Some([]) => Request::Pass { fd: &self.fd },
            Some(from) => Request::Send {
                fd: &self.fd,
                from,
                flags: SendFlags { wait_all: true, ..SendFlags::default() },
            },
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
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::SendVectored};
///
/// fn answer(stream: &TcpStream, body: Vec<u8>) -> Operation<SendVectored<[Vec<u8>; 2]>> {
///     stream.write_vectored([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), body])
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// assert!(answer(&stream, vec![b'.'; 10]).await.0? > 0);
/// assert_eq!(client.read_exact(vec![0; 8]).await.1, b"HTTP/1.1");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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

/// Sends several buffers, whole: `write_all_vectored`.
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::WriteAllVectored};
/// use std::collections::VecDeque;
///
/// type Rope = VecDeque<Vec<u8>>;
///
/// fn answer(stream: &TcpStream, rope: Rope) -> Operation<WriteAllVectored<Rope>> {
///     stream.write_all_vectored(rope)
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// let rope = (0..40u8).map(|i| vec![i; 100]).collect();
/// assert_eq!(answer(&stream, rope).await.0?, 4000);
/// assert_eq!(client.read_exact(vec![0; 4000]).await.1[3999], 39);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct WriteAllVectored<V> {
    pub(crate) fd: Fd,
    pub(crate) bufs: V,
    pub(crate) written: usize,
}

impl<V: IoBufs> Op for WriteAllVectored<V> {
    type Output = BufResult<usize, V>;
    const TRAITS: Traits = Traits::SEND;

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        if self.written >= self.bufs.total_len() {
            return Request::Pass { fd: &self.fd };
        }
        let message = scratch.message_from(&self.bufs, self.written);
        let flags = SendFlags { wait_all: true, ..SendFlags::default() };
        Request::SendMessage { fd: &self.fd, message, flags }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        self.written += n.max(0) as usize;
        if n > 0 && self.written < self.bufs.total_len() { Step::Again } else { Step::Done }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        let result = match completion.result() {
            code @ ..0 => Err(Fault::partial(code, self.written)),
            // The last of it was not looked at, if it was known to be all.
            n @ 0.. => Ok(self.bufs.total_len().min(self.written + n as usize)),
        };
        (result, self.bufs)
    }
}

/// Takes a connection: `accept`.
///
/// ```
/// use kael_rt::{Operation, net::{TcpListener, TcpStream}, ops::Accept};
///
/// /// Takes a connection, and is asked for the next one meanwhile.
/// async fn serve(next: Operation<Accept>) -> std::io::Result<()> {
///     let (stream, peer) = next.await?;
///     stream.write_all(format!("hello, {peer}")).await.0.map(drop)
/// }
/// # kael_rt::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// serve(listener.accept()).await?;
/// assert_eq!(client.read_exact(vec![0; 5]).await.1, b"hello");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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
        Request::Accept { fd: &self.fd, peer: scratch.peer_mut(), direct: true }
    }

    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        after_accept(&self.fd, completion, orphan)
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()?;
        self.fd.starved.set(false);
        let peer = completion.peer().get();
        let fd = completion.into_fd(Kind::Stream)?;
        fd.enter_table();
        let stream = TcpStream::from_fd(fd);
        let peer = match peer {
            Some(peer) => peer,
            // It was left by an accept that had not asked for it.
            None => stream.peer_addr().map_err(ended_meanwhile)?,
        };
        Ok((stream, peer))
    }
}

/// What follows when an accept has not brought a connection.
pub(super) fn after_accept(listener: &Fd, completion: &Completion<'_>, orphan: bool) -> Step {
    match completion.result() {
        // At RLIMIT_NOFILE the kernel answers at once, even when nobody connects. The first
        // time the caller is told; then accepting waits, or a loop around it would spin.
        code if is_starved(code) => {
            if orphan || !listener.starved.replace(true) {
                return Step::Done;
            }
            Step::Later(STARVED_MS)
        }
        // A connection that ended while it waited is no error of the listener.
        code if code == -errno::ECONNABORTED => Step::Again,
        _ => Step::Done,
    }
}

/// What accept(2) says of a connection that ended while it waited.
fn ended_meanwhile(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotConnected => io::Error::from_raw_os_error(errno::ECONNABORTED),
        _ => error,
    }
}

/// No descriptor, or no memory for one, is free.
fn is_starved(code: i32) -> bool {
    [errno::EMFILE, errno::ENFILE, errno::ENOBUFS, errno::ENOMEM].contains(&-code)
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
///
/// ```
/// use kael_rt::{Operation, net::TcpStream, ops::ShutDown};
///
/// fn no_more(stream: &TcpStream) -> Operation<ShutDown> {
///     stream.shutdown(std::net::Shutdown::Write)
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// no_more(&client).await?;
/// assert_eq!(stream.read(vec![0; 8]).await.0?, 0);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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
///
/// ```
/// use kael_rt::{Operation, net::UdpSocket, ops::SendTo};
///
/// fn beacon(socket: &UdpSocket, to: std::net::SocketAddr) -> Operation<SendTo<&'static str>> {
///     socket.send_to("here", to)
/// }
/// # kael_rt::block_on(async {
/// let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
/// assert_eq!(beacon(&a, b.local_addr()?).await.0?, 4);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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
///
/// ```
/// use kael_rt::{Operation, net::UdpSocket, ops::RecvFrom};
///
/// fn question(socket: &UdpSocket) -> Operation<RecvFrom<Vec<u8>>> {
///     socket.recv_from(Vec::with_capacity(512))
/// }
/// # kael_rt::block_on(async {
/// let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
/// a.send_to("?", b.local_addr()?).await.0?;
/// let (result, buf) = question(&b).await;
/// assert_eq!((result?, &buf[..]), ((1, a.local_addr()?), &b"?"[..]));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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
