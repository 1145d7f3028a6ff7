//! TCP connections.
#![forbid(unsafe_code)]

use super::{OwnedReadHalf, OwnedWriteHalf, RecvPooled, RecvStream, ToSocketAddrs, addr, split};
use crate::{
    budget::budget,
    buf::{BufferPool, IoBuf, IoBufMut, IoBufs, IoBufsMut},
    driver::{Fd, Kind},
    op::{
        Connect, Operation, Pass, Peek, Queue, ReadExact, Recv, RecvVectored, Send, SendVectored,
        SendZc, SendZcVectored, ShutDown, WriteAll, WriteAllVectored, close_stream,
    },
    sys::{self, SocketOption},
    task::context,
};
use std::{
    io,
    net::{Shutdown, SocketAddr},
    time::Duration,
};

/// A TCP connection.
///
/// Reads are served in the order of their first poll, writes likewise; a read and a write may be
/// under way together. Dropping the stream cancels what is in flight and closes it;
/// [`close`](Self::close) finishes what was written first.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::{TcpListener, TcpStream};
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let a = TcpStream::connect(listener.local_addr()?).await?;
/// let (b, _) = listener.accept().await?;
/// a.set_nodelay(true)?;
/// a.write_all("ping").await.0?;
/// let (n, buf) = b.read(Vec::with_capacity(64)).await;
/// assert_eq!((n?, &buf[..]), (4, &b"ping"[..]));
/// a.close().await?;
/// assert_eq!(b.read(buf).await.0?, 0);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// Several buffers, and the end of one direction:
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let a = TcpStream::connect(listener.local_addr()?).await?;
/// # let (b, _) = listener.accept().await?;
/// use std::net::Shutdown;
/// let (n, _bufs) = a.write_vectored(["head", "body"]).await;
/// assert_eq!(n?, 8);
/// a.shutdown(Shutdown::Write).await?;
/// let (result, head) = b.read_exact(vec![0; 4]).await;
/// result?;
/// let (n, [body, rest]) = b.read_vectored([vec![0; 4], vec![0; 4]]).await;
/// assert_eq!((n?, &head[..], &body[..]), (4, &b"head"[..], &b"body"[..]));
/// assert_eq!(b.read(rest).await.0?, 0);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// What the other end speaks can be looked at before it is read.
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let a = TcpStream::connect(listener.local_addr()?).await?;
/// # let (b, _) = listener.accept().await?;
/// let (n, _buf) = a.write("GET /").await;
/// assert!(n? > 0);
/// let (result, first) = b.peek(Vec::with_capacity(1)).await;
/// result?;
/// let is_http = first == b"G";
/// assert!(is_http);
/// let (read, write) = b.into_split();
/// let (n, request) = read.read(Vec::with_capacity(64)).await;
/// assert!(n? > 0 && request.starts_with(b"G"));
/// write.write_all("HTTP/1.1 204 No Content\r\n\r\n").await.0?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// Connections that share a pool hold no buffer while they wait:
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let a = TcpStream::connect(listener.local_addr()?).await?;
/// # let (b, _) = listener.accept().await?;
/// use kael_rt::buf::BufferPool;
/// let pool = BufferPool::new(16, 4096)?;
/// a.write_all("one").await.0?;
/// assert_eq!(b.recv_pooled(&pool).await?.as_deref(), Some(&b"one"[..]));
/// let mut pieces = b.recv_stream(&pool);
/// a.write_all("two").await.0?;
/// let piece = pieces.next().await?.expect("it goes on");
/// // It goes back from where it lies.
/// b.write_queued(piece).await?;
/// assert_eq!(a.read_exact(vec![0; 3]).await.1, b"two");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// What is queued goes out by itself, and what is in pieces need not be put together:
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let a = TcpStream::connect(listener.local_addr()?).await?;
/// # let (b, _) = listener.accept().await?;
/// a.write_queued("head, ").await?;
/// a.write_queued_vectored(("a number: ", 7.to_string(), vec![b'.'])).await?;
/// a.flush().await?;
/// a.write_all_vectored(vec!["and", " the", " rest"]).await.0?;
/// assert_eq!(b.read_exact(vec![0; 30]).await.1, b"head, a number: 7.and the rest");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// Large buffers need not be copied. What the kernel did not take is sent from where it ended.
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let a = TcpStream::connect(listener.local_addr()?).await?;
/// # let (b, _) = listener.accept().await?;
/// use kael_rt::buf::IoBuf;
/// let reader = kael_rt::spawn(async move { b.read_exact(vec![0; 300_000]).await });
/// let (mut block, mut sent) = (vec![7; 200_000], 0);
/// while sent < block.len() {
///     let (n, rest) = a.send_zc(block.slice(sent..)).await;
///     sent += n?;
///     block = rest.into_inner();
/// }
/// // The kernel has let go of it, and it may be used again.
/// block.fill(8);
/// let halves = [block[..50_000].to_vec(), block[50_000..100_000].to_vec()];
/// let (n, halves) = a.send_zc_vectored(halves).await;
/// a.write_all(halves.concat()[n?..].to_vec()).await.0?;
/// let received = reader.await.unwrap().1;
/// assert!(received[..200_000].iter().all(|byte| *byte == 7));
/// assert!(received[200_000..].iter().all(|byte| *byte == 8));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// Addresses and options:
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let a = TcpStream::connect(listener.local_addr()?).await?;
/// # let (b, _) = listener.accept().await?;
/// use std::time::Duration;
/// assert_eq!(a.peer_addr()?, b.local_addr()?);
/// a.set_nodelay(true)?;
/// assert!(a.nodelay()?);
/// a.set_ttl(32)?;
/// // A close resets the connection instead of waiting for the peer.
/// a.set_linger(Some(Duration::ZERO))?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct TcpStream {
    fd: Fd,
}

impl TcpStream {
    pub(crate) fn from_fd(fd: Fd) -> TcpStream {
        TcpStream { fd }
    }

    pub(crate) fn fd(&self) -> &Fd {
        &self.fd
    }

    /// Connects to `addr`, the first of its addresses that answers. See connect(2).
    ///
    /// Dropping the future closes what it opened.
    ///
    #[doc = budget!(tcp_connect)]
    pub async fn connect(addr: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let driver = context::with("TcpStream::connect", |core| core.driver.clone());
        addr::each(addr, async |to| {
            let (number, direct) = driver.control(|backend| backend.socket_to_connect(to))?;
            let fd = driver.adopt(number, Kind::Stream, direct);
            fd.enter_table();
            Operation::new(Connect { fd, to }).await
        })
        .await
    }

    /// Reads what there is, at most the buffer's whole capacity, and sets the buffer's length.
    /// 0 bytes: the peer has ended its direction. (A buffer without room gives 0 at once.)
    ///
    /// Dropping it loses nothing: bytes that came all the same go to the next read.
    ///
    #[doc = budget!(tcp_read)]
    pub fn read<B: IoBufMut>(&self, buf: B) -> Operation<Recv<B>> {
        Operation::new(Recv { fd: self.fd.clone(), buf })
    }

    /// As [`read`](Self::read), into several buffers in order, the first 16 at most.
    ///
    #[doc = budget!(tcp_read_vectored)]
    pub fn read_vectored<V: IoBufsMut>(&self, bufs: V) -> Operation<RecvVectored<V>> {
        Operation::new(RecvVectored { fd: self.fd.clone(), bufs })
    }

    /// Fills the buffer's length (never its spare capacity): one operation, which asks again until
    /// all is there. If the peer ends before, the error is `UnexpectedEof`.
    ///
    /// Dropping it loses nothing: what it had read already goes to the next read.
    ///
    #[doc = budget!(tcp_read_exact)]
    pub fn read_exact<B: IoBufMut>(&self, buf: B) -> Operation<ReadExact<B>> {
        Operation::new(ReadExact::new(self.fd.clone(), buf))
    }

    /// Receives what there is into a buffer of `pool`, which the kernel picks when something arrives: a
    /// connection that waits holds no buffer. At most the pool's buffer size; `None`: the peer has ended its
    /// direction. See io_uring_enter(2), IOSQE_BUFFER_SELECT.
    ///
    /// When something is there and no buffer is free, it waits for one that comes back, behind those who
    /// waited before; [`CoreMetrics::pool_starved`](crate::runtime::CoreMetrics::pool_starved) counts that.
    /// Nothing spins meanwhile, and no timer is used.
    ///
    /// Dropping it loses nothing: bytes that came all the same go to the next read, of whatever kind, and their
    /// buffer goes back to its pool.
    ///
    #[doc = budget!(tcp_recv_pooled)]
    pub fn recv_pooled(&self, pool: &BufferPool) -> RecvPooled {
        RecvPooled::new(self.fd.clone(), pool.clone())
    }

    /// What arrives, piece by piece, in buffers of `pool`: one request for all of them (a multishot), which the
    /// kernel keeps. See io_uring_enter(2), IORING_RECV_MULTISHOT.
    ///
    /// At most a quarter of the pool's buffers, and 64, wait unread: then the kernel is asked to stop, and
    /// asked again when they are read. A message that fills several buffers may bring all of them at once (Linux 6.16),
    /// so that many may wait; they are handed out one by one. A stream of mostly large messages that fit a buffer (13 KiB and more) is read
    /// plainly when it asks anew, into the buffer that was used last; `CoreMetrics::plain_receives` counts that.
    ///
    /// Other reads of the stream wait while it has one. Dropping it loses nothing, as for
    /// [`recv_pooled`](Self::recv_pooled).
    ///
    #[doc = budget!(tcp_recv_stream)]
    pub fn recv_stream(&self, pool: &BufferPool) -> RecvStream {
        RecvStream::new(self.fd.clone(), pool.clone())
    }

    /// As [`read`](Self::read), but leaves the bytes in the socket.
    ///
    #[doc = budget!(tcp_peek)]
    pub fn peek<B: IoBufMut>(&self, buf: B) -> Operation<Peek<B>> {
        Operation::new(Peek { fd: self.fd.clone(), buf })
    }

    /// Writes from the buffer's bytes and says how many the kernel took.
    ///
    /// A write that had begun is not undone by dropping it: it is finished before the next write,
    /// and an error it meets is the next write's.
    ///
    #[doc = budget!(tcp_write)]
    pub fn write<B: IoBuf>(&self, buf: B) -> Operation<Send<B>> {
        Operation::new(Send { fd: self.fd.clone(), buf, sent: 0 })
    }

    /// As [`write`](Self::write), from several buffers in order, the first 16 at most.
    ///
    #[doc = budget!(tcp_write_vectored)]
    pub fn write_vectored<V: IoBufs>(&self, bufs: V) -> Operation<SendVectored<V>> {
        Operation::new(SendVectored { fd: self.fd.clone(), bufs, sent: 0 })
    }

    /// Writes the whole buffer: one operation, which asks again until all is taken.
    ///
    /// Dropping it once begun finishes it. [`Operation::written`] says how far it is; after a time
    /// limit [`Error::transferred`](crate::Error::transferred) does.
    ///
    #[doc = budget!(tcp_write_all)]
    pub fn write_all<B: IoBuf>(&self, buf: B) -> Operation<WriteAll<B>> {
        Operation::new(WriteAll { fd: self.fd.clone(), buf, written: 0 })
    }

    /// As [`write_all`](Self::write_all), from several buffers in order, however many: a rope, say a
    /// `VecDeque` of blocks, or a tuple of a head and a body. One call takes [`MAX_VECTORS`](crate::buf::MAX_VECTORS).
    /// An error says how far it came ([`Error::transferred`](crate::Error::transferred)).
    ///
    #[doc = budget!(tcp_write_all_vectored)]
    pub fn write_all_vectored<V: IoBufs>(&self, bufs: V) -> Operation<WriteAllVectored<V>> {
        Operation::new(WriteAllVectored { fd: self.fd.clone(), bufs, written: 0 })
    }

    /// Hands the buffer to the runtime, which sends all of it behind what was written before, and drops
    /// it when the kernel has let go of it. Gives the number of bytes that will be sent, at once.
    ///
    /// Success wakes nobody and, of less than 8 KiB, ends no wait, so a loop of requests and answers enters the
    /// kernel once a round: the next read's call carries the answer. It is handed over with the next
    /// call that the core makes, at the latest when it has nothing to run. See send(2), MSG_DONTWAIT. If the
    /// socket is full, up to 20 ms may pass before the rest is sent on by io_uring, on a core with nothing else to do.
    ///
    /// An error is told by the next write, queued or not, or [`flush`](Self::flush), and stays. Sixteen may
    /// be queued on a stream; while there are so many, or no slot is free, this waits until its own bytes
    /// are sent, as `write_all` does: so a peer that does not read holds the writer up, and memory is bounded.
    /// Buffers of a pool ([`PoolBuf`](crate::buf::PoolBuf)) that wait for the send before them leave together, by one
    /// call.
    ///
    /// Dropping the future before its first poll sends nothing; after that, all is sent.
    /// [`close`](Self::close) finishes what is queued. Dropping the stream sends what the kernel takes at once
    /// and gives up the rest, and so does the end of the runtime.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # use kael_rt::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (stream, _) = listener.accept().await?;
    /// for line in ["one\n", "two\n"] {
    ///     stream.write_queued(line).await?;
    /// }
    /// stream.flush().await?;
    /// assert_eq!(client.read_exact(vec![0; 8]).await.1, b"one\ntwo\n");
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    #[doc = budget!(tcp_write_queued)]
    pub fn write_queued<B: IoBuf>(&self, buf: B) -> Queue<WriteAll<B>> {
        Queue::new(WriteAll { fd: self.fd.clone(), buf, written: 0 })
    }

    /// As [`write_queued`](Self::write_queued), several buffers in order.
    ///
    #[doc = budget!(tcp_write_queued_vectored)]
    pub fn write_queued_vectored<V: IoBufs>(&self, bufs: V) -> Queue<WriteAllVectored<V>> {
        Queue::new(WriteAllVectored { fd: self.fd.clone(), bufs, written: 0 })
    }

    /// Waits until the kernel has taken what was written before, queued writes among it, or gives the
    /// error that one of them met. It says nothing of what the peer has received.
    ///
    /// Dropping it changes nothing.
    ///
    #[doc = budget!(tcp_write_queued)]
    pub async fn flush(&self) -> io::Result<()> {
        Operation::new(Pass::<true> { fd: self.fd.clone() }).await
    }

    /// As [`write`](Self::write), but the kernel sends from the buffer itself instead of copying it
    /// first. The buffer comes back when the kernel has let go of it, which is when the peer has
    /// acknowledged the bytes; the result, which was known before, comes with it. See
    /// io_uring_enter(2), IORING_OP_SEND_ZC.
    ///
    /// Any size; one call takes what the kernel has room for, 2 GiB at most, and may take a part,
    /// as `write` does (it is sent without MSG_WAITALL): go on with the rest as a
    /// [`Slice`](crate::buf::Slice). Fails as `write` does, with `EOPNOTSUPP` on a socket that is
    /// not TCP's or UDP's, and with `OutOfMemory` when the kernel may not hold that much: all that an
    /// unprivileged user has under way at once counts against RLIMIT_MEMLOCK, often 8 MiB.
    ///
    /// It pays for large buffers and network cards that can send from the program's memory. Small
    /// buffers cost more than a copy of them. Where the device cannot, as the loopback device
    /// cannot, the kernel copies after all:
    /// [`CoreMetrics::zero_copy_copied`](crate::runtime::CoreMetrics::zero_copy_copied) counts that.
    /// A peer that has nothing to answer may acknowledge 40 ms late, and one that does not read
    /// keeps the buffer for as long as it does not.
    ///
    /// Dropping it is as for `write`: once begun it is finished before the next write, and an error
    /// it meets is the next write's. The next write, and a close, wait until the kernel has let go.
    /// A time limit or a token stops a send of which nothing is taken yet; after that, too, the
    /// buffer comes back only when the kernel has let go.
    ///
    #[doc = budget!(tcp_send_zc)]
    pub fn send_zc<B: IoBuf>(&self, buf: B) -> Operation<SendZc<B>> {
        Operation::new(SendZc { fd: self.fd.clone(), buf, sent: 0 })
    }

    /// As [`send_zc`](Self::send_zc), from several buffers in order, the first 16 at most.
    ///
    #[doc = budget!(tcp_send_zc_vectored)]
    pub fn send_zc_vectored<V: IoBufs>(&self, bufs: V) -> Operation<SendZcVectored<V>> {
        Operation::new(SendZcVectored { fd: self.fd.clone(), bufs, sent: 0 })
    }

    /// Ends one or both directions, the writing one after what was written before. See
    /// shutdown(2).
    ///
    #[doc = budget!(tcp_shutdown)]
    pub fn shutdown(&self, how: Shutdown) -> Operation<ShutDown> {
        Operation::new(ShutDown { fd: self.fd.clone(), how })
    }

    /// Sends small writes at once (TCP_NODELAY) or lets the kernel gather them. 1 system call.
    ///
    #[doc = budget!(tcp_option)]
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.fd.driver().control(|b| b.set_option(&self.fd, SocketOption::Nodelay(on)))
    }

    /// Whether small writes are sent at once. 1 system call.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.fd.driver().control(|b| b.nodelay(&self.fd))
    }

    /// How long a close waits for what is not sent yet; zero makes it reset the connection
    /// (SO_LINGER). 1 system call.
    pub fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        self.fd.driver().control(|b| b.set_option(&self.fd, SocketOption::Linger(time)))
    }

    /// How many hops a packet may take. 1 system call.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.fd.driver().control(|b| b.set_option(&self.fd, SocketOption::Ttl(ttl)))
    }

    /// The address of this end. 1 system call; 3 of a stream without a number ([`install`](Self::install)).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.fd.driver().control(|b| b.local_addr(&self.fd))
    }

    /// The address of the other end. 1 system call; 3 of a stream without a number ([`install`](Self::install)).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.fd.driver().control(|b| b.peer_addr(&self.fd))
    }

    /// Gives the stream an ordinary descriptor, if it lives in the ring's table only
    /// ([`Builder::direct_descriptors`](crate::runtime::Builder::direct_descriptors)); otherwise nothing happens. From here
    /// on `try_as_fd` has it. What is under way is not disturbed.
    ///
    /// `EMFILE`: the process has no descriptor left (RLIMIT_NOFILE); the stream stays as it is. 1 system call.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # use kael_rt::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let _client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (stream, _peer) = listener.accept().await?;
    /// stream.install()?;
    /// // It may leave the runtime now, too.
    /// assert!(stream.into_std().is_ok());
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn install(&self) -> io::Result<()> {
        self.fd.install()
    }

    /// The stream as two halves that may go to two tasks. The writing half ends its direction
    /// when it is dropped.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::halves(self)
    }

    /// Ends the writing direction after what was written, without waiting.
    pub(super) fn shut_down_later(&self) {
        self.fd.driver().leave(ShutDown { fd: self.fd.clone(), how: Shutdown::Write });
    }

    /// Finishes what was written, closes the stream, and says how that went. What was received
    /// and not read is dropped; reads that are still awaited end with an error of kind
    /// `NotConnected`. Dropping the future closes the stream as dropping it does.
    ///
    #[doc = budget!(tcp_close)]
    pub async fn close(self) -> io::Result<()> {
        close_stream(self.fd).await
    }

    /// The stream as one of the standard library; given back while an operation on it is under
    /// way, or left something behind. See [`detach`](Self::detach). (On Windows with the cargo feature `rio` it is also given
    /// back once it was read from or written to: what uses registered I/O has no other calls.)
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// let std = stream.into_std().expect("nothing is under way");
    /// let stream = TcpStream::from_std(std)?;
    /// # drop(stream);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn into_std(self) -> Result<std::net::TcpStream, TcpStream> {
        self.fd.into_stream().map_err(TcpStream::from_fd)
    }

    /// A stream of the standard library as one of this runtime. Whether it blocks is set as the runtime needs it: with
    /// io_uring the kernel waits for us; elsewhere it shall say "again" instead. [`into_std`](Self::into_std) gives one that blocks.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let std = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let stream = kael_rt::net::TcpStream::from_std(std)?;
    /// stream.write_all("hello").await.0?;
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    #[doc = budget!(tcp_std)]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        let driver = context::with("TcpStream::from_std", |core| core.driver.clone());
        driver.control(|backend| backend.take_over(&stream))?;
        Ok(TcpStream { fd: driver.adopt(sys::number_of_stream(stream), Kind::Stream, false) })
    }

    /// Ends what dropped futures left under way and takes the stream out of the runtime, with the
    /// bytes that were received and not read. The result may go to another thread.
    ///
    /// Fails if an operation on the stream is still awaited elsewhere, and where [`into_std`](Self::into_std) gives it back.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// let detached = stream.detach().await?;
    /// std::thread::spawn(move || assert!(detached.unread.is_empty())).join().unwrap();
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    #[doc = budget!(tcp_detach)]
    pub async fn detach(self) -> io::Result<Detached> {
        if self.fd.is_awaited() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Operation::new(Pass::<true> { fd: self.fd.clone() }).await?;
        Operation::new(Pass::<false> { fd: self.fd.clone() }).await?;
        self.install()?;
        let unread = self.fd.driver().unread(&self.fd);
        match self.into_std() {
            Ok(stream) => Ok(Detached { stream, unread }),
            Err(_) => Err(io::ErrorKind::ResourceBusy.into()),
        }
    }
}

impl std::fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpStream").field("fd", &self.fd.number()).finish()
    }
}

/// A stream that belongs to no runtime; made by [`TcpStream::detach`].
///
/// ```
/// use kael_rt::net::{Detached, TcpStream};
/// use std::io::{Read, Write};
///
/// /// Serves a connection on a thread of its own, with the standard library's calls.
/// fn serve(mut detached: Detached) -> std::io::Result<()> {
///     // What had come already is the beginning of the request.
///     let mut request = detached.unread;
///     let mut rest = vec![0; 4 - request.len()];
///     detached.stream.read_exact(&mut rest)?;
///     request.extend(rest);
///     detached.stream.write_all(&request)
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// client.write_all("echo").await.0?;
/// let detached = stream.detach().await?;
/// kael_rt::spawn_blocking(move || serve(detached)).await.unwrap()?;
/// assert_eq!(client.read_exact(vec![0; 4]).await.1, b"echo");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Detached {
    /// The stream.
    pub stream: std::net::TcpStream,
    /// What was received before and not read: it comes before what the stream gives.
    pub unread: Vec<u8>,
}
