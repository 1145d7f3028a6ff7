//! What is in a file, piece by piece, with reads that run ahead.
//!
//! Each piece is one operation, which is asked again until its piece is whole; so a piece that is short is the
//! end of the file. They are under way together, and given out in their order.
#![forbid(unsafe_code)]

use crate::{
    buf::{BufferPool, Get, PoolBuf},
    driver::Fd,
    error::Fault,
    op::{Ahead, Operation, ReadAhead},
};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    ops::{Bound, RangeBounds},
    pin::Pin,
    task::{Context, Poll, ready},
};

const DEPTH: usize = 8;
const MOST_DEPTH: usize = 1024;

/// What is in a file, in buffers of a pool, piece by piece and in order, while the reads of the next pieces are
/// under way; made by [`File::read_stream`](super::File::read_stream).
///
/// ```
/// use kael_rt::{buf::BufferPool, fs::{File, ReadStream}};
///
/// async fn lines(mut pieces: ReadStream) -> std::io::Result<usize> {
///     let mut lines = 0;
///     while let Some(piece) = pieces.next().await? {
///         lines += piece.iter().filter(|byte| **byte == b'\n').count();
///     }
///     Ok(lines)
/// }
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-read-stream-{}", std::process::id()));
/// kael_rt::fs::write(&path, "one line\n".repeat(10_000)).await?;
/// let pool = BufferPool::new(8, 16 * 1024)?;
/// let file = File::open(&path).await?;
/// assert_eq!(lines(file.read_stream(&pool, ..).depth(4)).await?, 10_000);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct ReadStream {
    fd: Fd,
    pool: BufferPool,
    depth: usize,
    chunk: usize,
    begin: u64,
    /// Of the next byte that is given out.
    position: u64,
    /// Where the next read begins.
    next: u64,
    /// Where the range ends; `None`: where the file does.
    end: Option<u64>,
    /// Reads that have begun, in the order of the file: as many as `depth` at most.
    ahead: VecDeque<Read>,
    /// There is no buffer for the only read.
    waits: Option<Get>,
    /// What comes behind the last piece.
    last: Option<Last>,
}

enum Read {
    UnderWay(Operation<ReadAhead>),
    /// It was over when it began. `None`: and was given out.
    Over(Option<Ahead>),
}

impl Read {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ahead> {
        match self {
            Read::UnderWay(operation) => Pin::new(operation).poll(cx),
            Read::Over(read) => Poll::Ready(read.take().expect("a read is given out once")),
        }
    }
}

enum Last {
    Error(io::Error),
    End,
}

impl ReadStream {
    pub(super) fn new(fd: Fd, pool: BufferPool, range: impl RangeBounds<u64>) -> ReadStream {
        let begin = match range.start_bound() {
            Bound::Included(&from) => from,
            Bound::Excluded(&from) => from.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => Some(last.saturating_add(1)),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => None,
        };
        ReadStream {
            fd,
            depth: DEPTH,
            chunk: pool.size(),
            pool,
            begin,
            position: begin,
            next: begin,
            end,
            ahead: VecDeque::new(),
            waits: None,
            last: None,
        }
    }

    /// So many pieces at most are read and not given out yet: 8 unless this is called, 1 at least (then nothing
    /// is read ahead), 1,024 at most, whatever is asked for. Each has a buffer of the pool and an operation's slot.
    ///
    /// What has begun before is not taken back.
    pub fn depth(mut self, pieces: usize) -> ReadStream {
        self.depth = pieces.clamp(1, MOST_DEPTH);
        self
    }

    /// A piece has so many bytes, but for the last one: as many as fit into a buffer unless this is called, which
    /// are also the most; 1 at least.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::{buf::BufferPool, fs::File};
    /// let (pool, zeros) = (BufferPool::new(4, 4096)?, File::open("/dev/zero").await?);
    /// let mut pieces = zeros.read_stream(&pool, 100..1100).chunk(600);
    /// assert_eq!(pieces.next().await?.map(|piece| piece.len()), Some(600));
    /// assert_eq!((pieces.next().await?.map(|piece| piece.len()), pieces.position()), (Some(400), 1100));
    /// assert!(pieces.next().await?.is_none());
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn chunk(mut self, bytes: usize) -> ReadStream {
        self.chunk = bytes.clamp(1, self.pool.size());
        self
    }

    /// Where in the file the next piece begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next piece; `None` behind the last one, then and ever after.
    ///
    /// The first call allocates the list of what is read ahead; no other allocates. Dropping the future loses
    /// nothing: the next call gives the same piece.
    ///
    /// # Errors
    /// What the system says of a read comes at its place, behind all that was read before it, and ends the stream; another
    /// one may begin at [`position`](Self::position). If the file has ended before the range, the error is
    /// `UnexpectedEof`, and [`Error::transferred`](crate::Error::transferred) says how many bytes there were.
    pub async fn next(&mut self) -> io::Result<Option<PoolBuf>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<PoolBuf>>> {
        loop {
            match self.last.take() {
                None => {}
                Some(Last::End) => {
                    self.last = Some(Last::End);
                    return Poll::Ready(Ok(None));
                }
                Some(Last::Error(error)) => {
                    self.last = Some(Last::End);
                    return Poll::Ready(Err(error));
                }
            }
            self.run_ahead(cx);
            let rest = self.rest();
            let read = match self.ahead.front_mut() {
                Some(read) => ready!(read.poll(cx)),
                None if rest == 0 => {
                    self.last = Some(Last::End);
                    continue;
                }
                None => {
                    let pool = &self.pool;
                    let get = self.waits.get_or_insert_with(|| pool.get());
                    let buf = ready!(Pin::new(get).poll(cx));
                    self.waits = None;
                    self.begin(buf, cx);
                    continue;
                }
            };
            self.ahead.pop_front();
            if let Some(piece) = self.came(read) {
                // What was given out makes room for one more.
                self.run_ahead(cx);
                return Poll::Ready(Ok(Some(piece)));
            }
        }
    }

    /// Begins what may be under way besides what is.
    fn run_ahead(&mut self, cx: &mut Context<'_>) {
        // While it waits for a buffer, it has its place in the queue for one.
        while self.last.is_none() && self.waits.is_none() && self.ahead.len() < self.depth {
            if self.rest() == 0 {
                return;
            }
            let Some(buf) = self.pool.try_get() else { return };
            if !self.begin(buf, cx) {
                return;
            }
        }
    }

    /// Begins the next read. False: no slot is free for it now, and it is not the one that is waited for.
    fn begin(&mut self, buf: PoolBuf, cx: &mut Context<'_>) -> bool {
        if self.ahead.capacity() < self.depth {
            self.ahead.reserve_exact(self.depth - self.ahead.len());
        }
        let want = self.rest().min(self.chunk as u64) as usize;
        // Past the page cache whole steps are read; what is behind the range is cut off.
        let whole = want.next_multiple_of(self.fd.step() as usize).min(self.chunk);
        let mut operation = Operation::new(ReadAhead::new(self.fd.clone(), buf, self.next, whole));
        let read = match Pin::new(&mut operation).poll(cx) {
            Poll::Ready(read) => Read::Over(Some(read)),
            Poll::Pending => {
                // One that is ahead does not stand in the queue for slots: it might not be polled when its turn comes.
                if !self.ahead.is_empty() && operation.take_unbegun().is_some() {
                    return false;
                }
                Read::UnderWay(operation)
            }
        };
        self.ahead.push_back(read);
        self.next += want as u64;
        true
    }

    /// How many bytes no read was begun for.
    fn rest(&self) -> u64 {
        self.end.unwrap_or(u64::MAX).saturating_sub(self.next)
    }

    /// What a read brought, if it is a piece; and what follows it, if that is known now.
    fn came(&mut self, read: Ahead) -> Option<PoolBuf> {
        let Ahead { mut buf, mut want, code } = read;
        if let Some(end) = self.end {
            want = want.min((end - self.position) as usize);
            buf.truncate(want);
        }
        self.position += buf.len() as u64;
        if code < 0 {
            self.last = Some(Last::Error(Fault::error(code)));
        } else if buf.len() < want {
            self.last = Some(match self.end {
                None => Last::End,
                Some(_) => {
                    let there = self.position - self.begin;
                    Last::Error(Fault::moved(Fault::Shrunk.code(), [there, 0]))
                }
            });
        }
        if self.last.is_some() {
            // What was read behind it is nobody's.
            self.ahead.clear();
        }
        (!buf.is_empty()).then_some(buf)
    }
}

impl std::fmt::Debug for ReadStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadStream")
            .field("fd", &self.fd.number())
            .field("position", &self.position)
            .field("depth", &self.depth)
            .field("ahead", &self.ahead.len())
            .finish_non_exhaustive()
    }
}
