//! Receiving datagrams into buffers of a pool, one after the other.
//!
//! ```text
//!   a multishot, where the system has one ──▶ datagrams, each behind its sender's address in a buffer of its own
//!        │ no buffer is free, something was left by a dropped receive, or there is no such thing
//!        ▼
//!   waits for a buffer of the pool, in its queue ──▶ one receive into it, and then the multishot again
//! ```
#![forbid(unsafe_code)]

use crate::{
    buf::{BufferPool, Get, IoBuf, PoolBuf, Slice},
    driver::{Driver, Fd, Key, Piece, Submitted},
    op::{Operation, Received, RecvFrom, RecvMessages},
    sys::{Backend, FRAME_HEAD, Frame},
    task::context,
};
use std::{
    future::{Future, poll_fn},
    io, mem,
    net::SocketAddr,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A datagram in a buffer of a pool, which it gives back when it is dropped; what
/// [`RecvDatagrams::next`] gives. It derefs to the bytes that were sent.
///
/// ```
/// use kael_rt::net::Datagram;
///
/// fn show(datagram: &Datagram) -> String {
///     let end = if datagram.is_cut() { "..." } else { "" };
///     format!("{}: {}{end}", datagram.peer(), String::from_utf8_lossy(datagram))
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::{buf::BufferPool, net::UdpSocket};
/// let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
/// a.send_to("hello", b.local_addr()?).await.0?;
/// let pool = BufferPool::new(4, 1024)?;
/// let datagram = b.recv_stream(&pool).next().await?;
/// assert_eq!(show(&datagram), format!("{}: hello", a.local_addr()?));
/// // Back to where it came from, without a copy.
/// let peer = datagram.peer();
/// b.send_to(datagram.into_buf(), peer).await.0?;
/// assert_eq!(a.recv(vec![0; 8]).await.0?, 5);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct Datagram {
    buf: PoolBuf,
    /// Where its bytes begin.
    begin: u8,
    is_cut: bool,
    peer: SocketAddr,
}

impl Datagram {
    /// Who sent it.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// It was longer than the room that it had, and its end is lost (MSG_TRUNC of recvmsg(2)). Where the datagram was
    /// received by itself and not by a multishot, one that fills its buffer to the end counts as cut, too: nobody says
    /// whether it went on.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The buffer from the datagram's first byte on, to be sent.
    pub fn into_buf(self) -> Slice<PoolBuf> {
        let begin = usize::from(self.begin);
        self.buf.slice(begin..)
    }

    /// From what the kernel has put into the buffer, address and all.
    fn framed(buf: PoolBuf) -> io::Result<Datagram> {
        let Frame { peer, is_cut } = Frame::of(&buf).ok_or(io::ErrorKind::InvalidData)?;
        let peer = peer.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Datagram { buf, begin: FRAME_HEAD as u8, is_cut, peer })
    }
}

impl Deref for Datagram {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buf[usize::from(self.begin)..]
    }
}

impl std::fmt::Debug for Datagram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Datagram")
            .field("peer", &self.peer)
            .field("len", &self.len())
            .field("is_cut", &self.is_cut)
            .finish()
    }
}

/// The datagrams of a socket, in buffers of a pool, one after the other; made by
/// [`UdpSocket::recv_stream`](super::UdpSocket::recv_stream).
///
/// ```
/// use kael_rt::{buf::BufferPool, net::{RecvDatagrams, UdpSocket}};
///
/// async fn sum(mut datagrams: RecvDatagrams, count: usize) -> std::io::Result<usize> {
///     let mut bytes = 0;
///     for _ in 0..count {
///         bytes += datagrams.next().await?.len();
///     }
///     Ok(bytes)
/// }
/// # kael_rt::block_on(async {
/// let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
/// for word in ["one", "two", "three"] {
///     a.send_to(word, b.local_addr()?).await.0?;
/// }
/// let pool = BufferPool::new(8, 1024)?;
/// assert_eq!(sum(b.recv_stream(&pool), 3).await?, 11);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct RecvDatagrams {
    fd: Fd,
    pool: BufferPool,
    state: State,
    /// A place in the pool's queue, while there was no buffer.
    place: Option<Get>,
    /// There was something to be received, and no buffer for it.
    starved: bool,
}

enum State {
    Idle,
    /// A multishot is with the kernel, or has brought what was not read yet.
    Shots(Key),
    /// For a buffer, to receive one datagram into.
    Waiting,
    Reading(Operation<RecvFrom<PoolBuf>>),
}

impl RecvDatagrams {
    pub(super) fn new(fd: Fd, pool: BufferPool) -> RecvDatagrams {
        RecvDatagrams { fd, pool, state: State::Idle, place: None, starved: false }
    }

    /// The next datagram. Dropping the future loses none.
    ///
    /// After an error the next call asks again.
    ///
    #[doc = crate::budget::budget!(udp_recv_stream)]
    pub async fn next(&mut self) -> io::Result<Datagram> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        loop {
            match &mut self.state {
                State::Idle => {
                    if let Some(received) = self.begin(cx)
                        && let Some(datagram) = self.taken(received, cx)
                    {
                        return Poll::Ready(datagram);
                    }
                }
                State::Shots(key) => {
                    match key.poll_piece(cx.waker(), &self.fd, self.pool.shared()) {
                        Piece::Item(result, buffer) => {
                            let received = Received::of(&self.pool, result, buffer);
                            if let Some(datagram) = self.taken(received, cx) {
                                return Poll::Ready(datagram);
                            }
                            continue;
                        }
                        Piece::Pending => return Poll::Pending,
                        Piece::Taken(..) | Piece::Last => {}
                    }
                    let last = ready!(key.poll::<RecvMessages>(cx.waker()));
                    if let State::Shots(key) = mem::replace(&mut self.state, State::Idle) {
                        key.spend();
                    }
                    if let Received::Bytes(_) = last {
                        self.fd.driver().count_pooled(false);
                    }
                    if let Some(datagram) = self.taken(last, cx) {
                        return Poll::Ready(datagram);
                    }
                }
                State::Waiting => {
                    let get = self.place.get_or_insert_with(|| self.pool.get());
                    let buf = ready!(Pin::new(get).poll(cx));
                    self.read(buf);
                }
                State::Reading(operation) => {
                    let (result, buf) = ready!(Pin::new(operation).poll(cx));
                    self.state = State::Idle;
                    let (n, peer) = result?;
                    self.fd.driver().count_pooled(mem::take(&mut self.starved));
                    let is_cut = n == buf.capacity();
                    return Poll::Ready(Ok(Datagram { buf, begin: 0, is_cut, peer }));
                }
            }
        }
    }

    /// One datagram, into this buffer.
    fn read(&mut self, buf: PoolBuf) {
        self.place = None;
        self.state = State::Reading(Operation::new(RecvFrom { fd: self.fd.clone(), buf }));
    }

    /// Begins what gives the next one. Some: that was over at once.
    fn begin(&mut self, cx: &mut Context<'_>) -> Option<Received> {
        let repeats = Backend::REPEATS_MESSAGES && self.pool.size() > FRAME_HEAD;
        if !repeats || self.fd.has_unread() || self.pool.shared().group().is_none() {
            self.one();
            return None;
        }
        let (fd, pool) = (self.fd.clone(), self.pool.clone());
        let driver: Driver = context::with("a receive", |core| core.driver.clone());
        match driver.submit(RecvMessages { fd, pool }, cx.waker()) {
            Submitted::Pending(key) => {
                self.state = State::Shots(key);
                None
            }
            Submitted::Ready(last) => Some(last),
            // An ordinary operation knows how to wait for a slot.
            Submitted::Full(..) => {
                self.one();
                None
            }
        }
    }

    /// One datagram by itself, as soon as there is a buffer.
    fn one(&mut self) {
        match self.pool.try_get() {
            Some(buf) => self.read(buf),
            None => self.state = State::Waiting,
        }
    }

    /// What was received. `None`: there is more to be asked for.
    fn taken(&mut self, received: Received, cx: &mut Context<'_>) -> Option<io::Result<Datagram>> {
        match received {
            Received::Bytes(buf) => {
                (self.place, self.starved) = (None, false);
                Some(Datagram::framed(buf))
            }
            Received::Failed(error) => Some(Err(error)),
            // Datagrams have no end.
            Received::End | Received::Stopped => None,
            Received::LiesElsewhere => {
                match self.pool.get_or_make() {
                    Some(buf) => self.read(buf),
                    None => self.state = State::Waiting,
                }
                None
            }
            Received::NoBuffer if self.place.is_some() => {
                self.state = State::Waiting;
                None
            }
            // Buffers may have come back to the kernel meanwhile, and nobody would tell. So it is asked once more, with a
            // place in the queue: what comes back from then on is for the queue.
            Received::NoBuffer => {
                self.starved = true;
                let mut get = self.pool.get();
                match Pin::new(&mut get).poll(cx) {
                    Poll::Ready(buf) => self.read(buf),
                    Poll::Pending => {
                        self.place = Some(get);
                        if self.pool.lent() == 0 {
                            self.state = State::Waiting;
                        }
                    }
                }
                None
            }
        }
    }
}

impl std::fmt::Debug for RecvDatagrams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecvDatagrams").field("fd", &self.fd.number()).finish_non_exhaustive()
    }
}
