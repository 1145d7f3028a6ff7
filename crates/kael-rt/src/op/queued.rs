//! Sends that the runtime carries out by itself: their futures leave them at once.
#![forbid(unsafe_code)]

use super::{Op, Operation, Request, SendRow, Span, Step, Traits, WriteAll, WriteAllVectored};
use crate::{
    buf::{IoBuf, IoBufs, MAX_VECTORS, PoolBuf},
    driver::{Completion, Driver, Fd, Last, Scratch, Submitted},
    sys::MOST,
    task::context,
};
use std::{
    any::{Any, TypeId},
    future::Future,
    io, mem,
    pin::Pin,
    task::{Context, Poll},
};

/// Sends that one stream may have queued. At the bound the next one is awaited until it is sent.
const MAX_QUEUED: u8 = 16;

/// A send of everything, awaited or queued.
#[doc(hidden)]
pub trait Whole: Op {
    fn fd(&self) -> &Fd;
    fn len(&self) -> usize;
    /// One call can take all, so that its answer can mean all.
    fn fits(&self) -> bool;
    fn result(output: Self::Output) -> io::Result<usize>;

    /// What it writes is a buffer of a pool.
    fn is_pooled(&self) -> bool {
        false
    }
    /// That buffer, of which nothing is sent; or itself.
    fn into_pooled(self) -> Result<(Fd, PoolBuf), Self> {
        Err(self)
    }
    /// And back.
    fn from_pooled(fd: Fd, buf: PoolBuf) -> Self {
        let _ = (fd, buf);
        unreachable!("only what is of a pool was taken apart")
    }
}

impl<B: IoBuf> Whole for WriteAll<B> {
    fn fd(&self) -> &Fd {
        &self.fd
    }
    fn len(&self) -> usize {
        self.buf.as_init().len()
    }
    fn fits(&self) -> bool {
        self.len() <= MOST
    }
    fn result(output: Self::Output) -> io::Result<usize> {
        output.0
    }

    #[inline]
    fn is_pooled(&self) -> bool {
        TypeId::of::<B>() == TypeId::of::<PoolBuf>()
    }

    #[inline]
    fn into_pooled(self) -> Result<(Fd, PoolBuf), Self> {
        let WriteAll { fd, buf, written } = self;
        match as_another(buf) {
            Ok(buf) => Ok((fd, buf)),
            Err(buf) => Err(WriteAll { fd, buf, written }),
        }
    }

    fn from_pooled(fd: Fd, buf: PoolBuf) -> Self {
        match as_another(buf) {
            Ok(buf) => WriteAll { fd, buf, written: 0 },
            Err(_) => unreachable!("it was one of these"),
        }
    }
}

/// A value by its other name, if that is the same type.
#[inline]
fn as_another<A: 'static, B: 'static>(value: A) -> Result<B, A> {
    let mut value = Some(value);
    match (&mut value as &mut dyn Any).downcast_mut::<Option<B>>() {
        Some(same) => Ok(same.take().expect("just put there")),
        None => Err(value.expect("just put there")),
    }
}

impl<V: IoBufs> Whole for WriteAllVectored<V> {
    fn fd(&self) -> &Fd {
        &self.fd
    }
    fn len(&self) -> usize {
        self.bufs.total_len()
    }
    fn fits(&self) -> bool {
        self.bufs.count() <= MAX_VECTORS && self.len() <= MOST
    }
    fn result(output: Self::Output) -> io::Result<usize> {
        output.0
    }
}

/// Hands a write to the runtime: `write_queued`, `write_queued_vectored`.
///
/// ```
/// use kael_rt::{net::TcpStream, ops::{Queue, WriteAll}};
///
/// fn log(stream: &TcpStream, line: &'static str) -> Queue<WriteAll<&'static str>> {
///     stream.write_queued(line)
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// assert_eq!(log(&stream, "started\n").await?, 8);
/// assert_eq!(client.read_exact(vec![0; 8]).await.1, b"started\n");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct Queue<W: Whole> {
    state: State<W>,
}

enum State<W: Whole> {
    /// (`None` only while it is taken out: the rest of the state need not be moved for that.)
    Fresh(Option<W>),
    /// No more may be queued: it is awaited, behind what is.
    Awaited(Operation<W>),
    Over,
}

impl<W: Whole> State<W> {
    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        match self {
            State::Fresh(Some(write)) => write.span(),
            State::Fresh(None) | State::Awaited(_) | State::Over => None,
        }
    }

    /// What has not begun is queued.
    fn queue(&mut self) -> Option<Queued<W>> {
        match self {
            State::Fresh(write) => write.take().map(Queued::new),
            State::Awaited(_) | State::Over => None,
        }
    }
}

impl<W: Whole> Queue<W> {
    #[inline]
    pub(crate) fn new(write: W) -> Queue<W> {
        Queue { state: State::Fresh(Some(write)) }
    }
}

// Nothing in it is pinned: an operation may be moved until it rests in its slot.
impl<W: Whole> Unpin for Queue<W> {}

impl<W: Whole> Future for Queue<W> {
    type Output = io::Result<usize>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Mostly nobody is at the gate, so none is queued, and nothing need be moved.
        if let Some(len) = Driver::queue_plain(&mut self.state, State::span, State::queue) {
            self.state = State::Over;
            return Poll::Ready(Ok(len));
        }
        self.poll_closely(cx)
    }
}

impl<W: Whole> Queue<W> {
    #[inline(never)]
    fn poll_closely(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut awaited = match mem::replace(&mut self.state, State::Over) {
            State::Fresh(Some(write)) if write.fd().queued.get() < MAX_QUEUED => {
                let driver = context::with("a queued write", |core| core.driver.clone());
                let len = write.len();
                let queued = match into_row(write, &driver) {
                    Ok(sent) => return Poll::Ready(sent.map(|()| len)),
                    Err(write) => Queued::new(write),
                };
                match driver.queue(queued) {
                    Ok(()) => return Poll::Ready(Ok(len)),
                    Err(Submitted::Ready(output)) => return Poll::Ready(W::result(output)),
                    Err(Submitted::Full(queued, _)) => Operation::new(queued.take()),
                    Err(Submitted::Pending(_)) => unreachable!("a queued operation has no key"),
                }
            }
            State::Fresh(Some(write)) => Operation::new(write),
            State::Awaited(operation) => operation,
            State::Fresh(None) | State::Over => {
                panic!("a queued write was polled after it was ready")
            }
        };
        let polled = Pin::new(&mut awaited).poll(cx);
        if polled.is_pending() {
            self.state = State::Awaited(awaited);
        }
        polled.map(W::result)
    }
}

/// A buffer of a pool that has to wait for the send before it goes out with what else waits. What may not, comes back.
fn into_row<W: Whole>(write: W, driver: &Driver) -> Result<io::Result<()>, W> {
    if !write.is_pooled() {
        return Err(write);
    }
    let fd = write.fd().clone();
    let mut write = Some(write);
    let last = driver.grow_last(&fd, |row: &mut SendRow| {
        let (_, buf) = write.take_if(|_| row.has_room())?.into_pooled().ok()?;
        row.push(buf);
        Some(())
    });
    match (last, write) {
        (Last::Grown(()), _) => Ok(Ok(())),
        (Last::Other, Some(write)) => {
            let (fd, buf) = write.into_pooled()?;
            match driver.clone().queue(SendRow::new(fd, buf)) {
                Ok(()) => Ok(Ok(())),
                Err(Submitted::Ready(sent)) => Ok(sent.map(drop)),
                Err(Submitted::Full(row, _)) => {
                    let (fd, buf) = row.take_only();
                    Err(W::from_pooled(fd, buf))
                }
                Err(Submitted::Pending(_)) => unreachable!("a queued operation has no key"),
            }
        }
        (_, Some(write)) => Err(write),
        (_, None) => unreachable!("it is taken when it was put into a row"),
    }
}

impl<W: Whole> std::fmt::Debug for Queue<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// One of the queued sends of a stream, which counts them.
struct Queued<W: Whole> {
    /// `None`: it was taken out.
    write: Option<W>,
}

impl<W: Whole> Queued<W> {
    #[inline(always)]
    fn new(write: W) -> Queued<W> {
        let queued = &write.fd().queued;
        queued.set(queued.get() + 1);
        Queued { write: Some(write) }
    }

    #[inline(always)]
    fn write(&mut self) -> &mut W {
        self.write.as_mut().expect("it was not taken out")
    }

    fn take(mut self) -> W {
        self.uncount();
        self.write.take().expect("it is taken out once")
    }

    #[inline(always)]
    fn uncount(&self) {
        if let Some(write) = &self.write {
            let queued = &write.fd().queued;
            queued.set(queued.get() - 1);
        }
    }
}

impl<W: Whole> Drop for Queued<W> {
    #[inline(always)]
    fn drop(&mut self) {
        self.uncount();
    }
}

impl<W: Whole> Op for Queued<W> {
    type Output = W::Output;
    const TRAITS: Traits = Traits { plain: None, ..W::TRAITS };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        self.write().span()
    }

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let write = self.write();
        let fits = write.fits();
        let mut request = write.request(scratch);
        request.set_quiet(fits, false);
        request
    }

    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        self.write().advance(completion, orphan)
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        self.take().complete(completion)
    }
}
