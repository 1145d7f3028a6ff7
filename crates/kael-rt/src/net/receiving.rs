//! Receiving into buffers of a pool, once or as a stream.
//!
//! ```text
//!   recv_pooled:  asks for a buffer that the kernel picks ──▶ bytes, or the end
//!                        │ no buffer is free
//!                        ▼
//!                 waits for one of the pool, in its queue ──▶ a plain read into it
//!
//!   recv_stream:  a multishot of the same; when it ends, for whatever reason, it is begun again at the
//!                 next look, behind what it had brought
//! ```
#![forbid(unsafe_code)]

use crate::{
    buf::{BufferPool, Get, PoolBuf},
    driver::{Driver, Fd, Key, Piece, Submitted},
    op::{Operation, Received, Recv, RecvOne, RecvShots},
    sys::Backend,
    task::context,
};
use std::{
    future::{Future, poll_fn},
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A message of so many bytes is large, if it leaves room in its buffer: with many connections a plain read costs less
/// then than a multishot, because the buffer that was used last is in the cache still. A full buffer says that there may
/// be more, and of that a multishot brings many at a time.
const LARGE: usize = 13 * 1024;
/// So many more large ones than small ones, and a stream is read plainly.
const MOSTLY_LARGE: i8 = 4;

/// Something received into a buffer of a pool; made by
/// [`TcpStream::recv_pooled`](super::TcpStream::recv_pooled) and [`PipeReader::read_pooled`](crate::io::PipeReader::read_pooled).
///
/// ```
/// use kael_rt::{buf::BufferPool, net::{RecvPooled, TcpListener, TcpStream}};
///
/// async fn shout(next: RecvPooled) -> std::io::Result<String> {
///     let bytes = next.await?;
///     Ok(bytes.map_or_else(String::new, |bytes| String::from_utf8_lossy(&bytes).to_uppercase()))
/// }
/// # kael_rt::block_on(async {
/// let pool = BufferPool::new(8, 1024)?;
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (stream, _) = listener.accept().await?;
/// client.write_all("hello").await.0?;
/// assert_eq!(shout(stream.recv_pooled(&pool)).await?, "HELLO");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct RecvPooled {
    fd: Fd,
    pool: BufferPool,
    /// There was something to be received, and no buffer for it.
    starved: bool,
    state: State,
}

enum State {
    Fresh,
    /// With the kernel, which picks a buffer.
    Picking(Operation<RecvOne>),
    /// Waits for a buffer, and may be with the kernel once more.
    Starving(Get, Again),
    Reading(Operation<Recv<PoolBuf>>),
    Over,
}

/// Buffers may have come back to the kernel between its answer and our turn in the queue, and nobody would
/// tell. So it is asked once more, with a place in the queue: what comes back from then on is for the queue.
enum Again {
    NotYet,
    Asked(Operation<RecvOne>),
    Never,
}

impl State {
    /// What a dropped receive left is there already, and is copied, if need be into a buffer made for it.
    fn elsewhere(fd: &Fd, pool: &BufferPool) -> State {
        match pool.get_or_make() {
            Some(buf) => State::Reading(Operation::new(Recv { fd: fd.clone(), buf })),
            None => State::Starving(pool.get(), Again::Never),
        }
    }
}

/// The group from which the backend picks a buffer. `None`: there is none, or not for what is received here.
fn group(fd: &Fd, pool: &BufferPool) -> Option<u16> {
    if fd.is_pipe() && !Backend::PICKS_FOR_PIPES { None } else { pool.shared().group() }
}

impl RecvPooled {
    pub(crate) fn new(fd: Fd, pool: BufferPool) -> RecvPooled {
        RecvPooled { fd, pool, starved: false, state: State::Fresh }
    }

    /// One that goes on from there.
    fn from(state: State, fd: Fd, pool: BufferPool) -> RecvPooled {
        RecvPooled { fd, pool, starved: false, state }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<PoolBuf>>> {
        loop {
            match &mut self.state {
                State::Fresh => {
                    let (fd, pool) = (self.fd.clone(), self.pool.clone());
                    self.state = match group(&fd, &pool) {
                        _ if fd.has_unread() => State::elsewhere(&fd, &pool),
                        Some(_) => State::Picking(Operation::new(RecvOne { fd, pool })),
                        None => State::Starving(pool.get(), Again::Never),
                    };
                }
                State::Picking(operation) => match ready!(Pin::new(operation).poll(cx)) {
                    Received::Bytes(bytes) => return self.over(Ok(Some(bytes))),
                    Received::End => return self.over(Ok(None)),
                    Received::Failed(error) => return self.over(Err(error)),
                    Received::NoBuffer => {
                        self.starved = true;
                        self.state = State::Starving(self.pool.get(), Again::NotYet);
                    }
                    Received::LiesElsewhere => {
                        self.state = State::elsewhere(&self.fd, &self.pool);
                    }
                    Received::Stopped => self.state = State::Fresh,
                },
                State::Starving(get, again) => {
                    if let Again::NotYet = again {
                        // First the place in the queue.
                        if let Poll::Ready(buf) = Pin::new(&mut *get).poll(cx) {
                            let fd = self.fd.clone();
                            self.state = State::Reading(Operation::new(Recv { fd, buf }));
                            continue;
                        }
                        *again = match group(&self.fd, &self.pool) {
                            Some(_) if self.pool.lent() > 0 => {
                                let (fd, pool) = (self.fd.clone(), self.pool.clone());
                                Again::Asked(Operation::new(RecvOne { fd, pool }))
                            }
                            _ => Again::Never,
                        };
                    }
                    // There is something to be received, so the answer comes soon. Until then a buffer of the queue
                    // stays ours: given up now, what the kernel has received would have to be copied.
                    if let Again::Asked(operation) = again {
                        match ready!(Pin::new(operation).poll(cx)) {
                            Received::Bytes(bytes) => return self.over(Ok(Some(bytes))),
                            Received::End => return self.over(Ok(None)),
                            Received::Failed(error) => return self.over(Err(error)),
                            Received::NoBuffer => *again = Again::Never,
                            Received::Stopped => *again = Again::NotYet,
                            Received::LiesElsewhere => {
                                self.state = State::elsewhere(&self.fd, &self.pool);
                            }
                        }
                        continue;
                    }
                    let buf = ready!(Pin::new(get).poll(cx));
                    let fd = self.fd.clone();
                    self.state = State::Reading(Operation::new(Recv { fd, buf }));
                }
                State::Reading(operation) => {
                    let (n, bytes) = ready!(Pin::new(operation).poll(cx));
                    return self.over(n.map(|n| (n > 0).then_some(bytes)));
                }
                State::Over => panic!("a pooled receive was polled after it was ready"),
            }
        }
    }

    fn over(&mut self, received: io::Result<Option<PoolBuf>>) -> Poll<io::Result<Option<PoolBuf>>> {
        self.state = State::Over;
        if let Ok(Some(_)) = received {
            self.fd.driver().count_pooled(self.starved);
        }
        Poll::Ready(received)
    }
}

impl Future for RecvPooled {
    type Output = io::Result<Option<PoolBuf>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_next(cx)
    }
}

impl std::fmt::Debug for RecvPooled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecvPooled").field("starved", &self.starved).finish_non_exhaustive()
    }
}

/// What a stream receives, in buffers of a pool, piece by piece; made by
/// [`TcpStream::recv_stream`](super::TcpStream::recv_stream) and [`PipeReader::read_stream`](crate::io::PipeReader::read_stream).
///
/// ```
/// use kael_rt::{buf::BufferPool, net::{RecvStream, TcpListener, TcpStream}};
///
/// async fn count(mut pieces: RecvStream) -> std::io::Result<usize> {
///     let mut bytes = 0;
///     while let Some(piece) = pieces.next().await? {
///         bytes += piece.len();
///     }
///     Ok(bytes)
/// }
/// # kael_rt::block_on(async {
/// let pool = BufferPool::new(8, 1024)?;
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (stream, _) = listener.accept().await?;
/// client.write_all(vec![7; 10_000]).await.0?;
/// client.close().await?;
/// assert_eq!(count(stream.recv_stream(&pool)).await?, 10_000);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct RecvStream {
    fd: Fd,
    pool: BufferPool,
    pieces: Pieces,
    /// Grows with large pieces, and shrinks twice as fast with small ones.
    large: i8,
}

enum Pieces {
    Idle,
    /// A multishot is with the kernel, or has brought what was not read yet.
    Shots(Key),
    /// One that is read by itself.
    One(RecvPooled),
    Over,
}

impl RecvStream {
    pub(crate) fn new(fd: Fd, pool: BufferPool) -> RecvStream {
        RecvStream { fd, pool, pieces: Pieces::Idle, large: 0 }
    }

    /// The next piece; `None` when the peer has ended its direction, then and ever after.
    ///
    /// Dropping the future loses nothing. After an error the next call asks again, and the kernel says what
    /// there is.
    pub async fn next(&mut self) -> io::Result<Option<PoolBuf>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    #[inline(always)]
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<PoolBuf>>> {
        let mut first = None;
        // Mostly a multishot is with the kernel, and has brought something or nothing yet.
        if let Pieces::Shots(key) = &self.pieces {
            match key.poll_piece(cx.waker(), &self.fd, self.pool.shared()) {
                Piece::Item(result @ 1.., Some(buffer)) => {
                    let shared = self.pool.shared().clone();
                    let piece = PoolBuf::received(shared, buffer, result as usize);
                    return Poll::Ready(Ok(Some(self.seen(piece))));
                }
                Piece::Taken(result, buffer) => {
                    let shared = self.pool.shared().clone();
                    let piece = PoolBuf::new(shared, buffer, result as u32);
                    return Poll::Ready(Ok(Some(self.seen(piece))));
                }
                Piece::Pending => return Poll::Pending,
                other => first = Some(other),
            }
        }
        self.poll_closely(cx, first)
    }

    #[inline(never)]
    fn poll_closely(
        &mut self,
        cx: &mut Context<'_>,
        mut first: Option<Piece>,
    ) -> Poll<io::Result<Option<PoolBuf>>> {
        loop {
            match &mut self.pieces {
                Pieces::Idle => {
                    if let Some(received) = self.begin(cx) {
                        return Poll::Ready(received);
                    }
                }
                Pieces::Shots(key) => {
                    match first
                        .take()
                        .unwrap_or_else(|| key.poll_piece(cx.waker(), &self.fd, self.pool.shared()))
                    {
                        Piece::Item(result, buffer) => {
                            match Received::of(&self.pool, result, buffer) {
                                Received::Bytes(piece) => {
                                    return Poll::Ready(Ok(Some(self.seen(piece))));
                                }
                                Received::Failed(error) => return Poll::Ready(Err(error)),
                                // Nothing that goes on says so.
                                _ => continue,
                            }
                        }
                        Piece::Taken(result, buffer) => {
                            let shared = self.pool.shared().clone();
                            let piece = PoolBuf::new(shared, buffer, result as u32);
                            return Poll::Ready(Ok(Some(self.seen(piece))));
                        }
                        Piece::Pending => return Poll::Pending,
                        Piece::Last => {}
                    }
                    let last = ready!(key.poll::<RecvShots>(cx.waker()));
                    if let Pieces::Shots(key) = mem::replace(&mut self.pieces, Pieces::Idle) {
                        key.spend();
                    }
                    if let Some(received) = self.ended(last) {
                        return Poll::Ready(received);
                    }
                }
                Pieces::One(receive) => {
                    let received = ready!(receive.poll_next(cx));
                    self.pieces = Pieces::Idle;
                    return Poll::Ready(match received {
                        Ok(Some(piece)) => Ok(Some(self.seen(piece))),
                        Ok(None) => self.end(),
                        Err(error) => Err(error),
                    });
                }
                Pieces::Over => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Begins what gives the next piece.
    fn begin(&mut self, cx: &mut Context<'_>) -> Option<io::Result<Option<PoolBuf>>> {
        let (fd, pool) = (self.fd.clone(), self.pool.clone());
        if self.large >= MOSTLY_LARGE
            && let Some(buf) = pool.try_get()
        {
            fd.driver().count_plain();
            let read = State::Reading(Operation::new(Recv { fd: fd.clone(), buf }));
            self.pieces = Pieces::One(RecvPooled::from(read, fd, pool));
            return None;
        }
        if group(&fd, &pool).is_none() || fd.has_unread() {
            self.pieces = Pieces::One(RecvPooled::new(fd, pool));
            return None;
        }
        let driver: Driver = context::with("a receive", |core| core.driver.clone());
        match driver.submit(RecvShots { fd, pool }, cx.waker()) {
            Submitted::Pending(key) => {
                self.pieces = Pieces::Shots(key);
                None
            }
            Submitted::Ready(last) => self.ended(last),
            // An ordinary operation knows how to wait for a slot.
            Submitted::Full(RecvShots { fd, pool }, _) => {
                self.pieces = Pieces::One(RecvPooled::new(fd, pool));
                None
            }
        }
    }

    /// A multishot has ended. `None`: there is more to be asked for.
    fn ended(&mut self, last: Received) -> Option<io::Result<Option<PoolBuf>>> {
        match last {
            Received::Bytes(piece) => {
                self.fd.driver().count_pooled(false);
                Some(Ok(Some(self.seen(piece))))
            }
            Received::End => Some(self.end()),
            Received::Failed(error) => Some(Err(error)),
            Received::Stopped => None,
            Received::NoBuffer | Received::LiesElsewhere => {
                let (fd, pool) = (self.fd.clone(), self.pool.clone());
                let state = match last {
                    Received::NoBuffer => State::Starving(pool.get(), Again::NotYet),
                    _ => State::elsewhere(&fd, &pool),
                };
                let mut one = RecvPooled::from(state, fd, pool);
                one.starved = matches!(last, Received::NoBuffer);
                self.pieces = Pieces::One(one);
                None
            }
        }
    }

    fn end(&mut self) -> io::Result<Option<PoolBuf>> {
        self.pieces = Pieces::Over;
        Ok(None)
    }

    #[inline]
    fn seen(&mut self, piece: PoolBuf) -> PoolBuf {
        let fits = piece.len() < piece.capacity();
        let change = if piece.len() >= LARGE && fits { 1 } else { -2 };
        self.large = (self.large + change).clamp(0, 2 * MOSTLY_LARGE);
        piece
    }
}

impl std::fmt::Debug for RecvStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecvStream").field("fd", &self.fd.number()).finish_non_exhaustive()
    }
}
