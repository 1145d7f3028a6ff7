//! Sends that the runtime carries out by itself: their futures leave them at once.
#![forbid(unsafe_code)]

use super::{
    Op, Operation, Request, SendFlags, Span, Step, Traits, WriteAll, WriteAllVectored, net::all,
};
use crate::{
    buf::{BufResult, IoBuf, IoBufs, MAX_VECTORS},
    driver::{Completion, Driver, Fd, Scratch, Submitted},
    sys::MOST,
    task::context,
};
use std::{
    future::Future,
    io, mem,
    pin::Pin,
    task::{Context, Poll},
};

/// Sends that one stream may have queued. At the bound the next one is awaited until it is sent.
const MAX_QUEUED: u8 = 16;

/// A place among the queued sends of a stream.
struct Place(Fd);

impl Place {
    fn new(fd: Fd) -> Place {
        fd.queued.set(fd.queued.get() + 1);
        Place(fd)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.queued.set(self.0.queued.get() - 1);
    }
}

/// A send of everything, awaited or queued.
#[doc(hidden)]
pub trait Whole: Op {
    type Queued: Op<Output = Self::Output>;

    fn fd(&self) -> &Fd;
    fn len(&self) -> usize;
    fn into_queued(self) -> Self::Queued;
    fn from_queued(queued: Self::Queued) -> Self;
    fn result(output: Self::Output) -> io::Result<usize>;
}

impl<B: IoBuf> Whole for WriteAll<B> {
    type Queued = Queued<B>;

    fn fd(&self) -> &Fd {
        &self.fd
    }
    fn len(&self) -> usize {
        self.buf.as_init().len()
    }
    fn into_queued(self) -> Queued<B> {
        Queued { place: Place::new(self.fd), buf: self.buf, sent: 0 }
    }
    fn from_queued(queued: Queued<B>) -> WriteAll<B> {
        WriteAll { fd: queued.place.0.clone(), buf: queued.buf, written: 0 }
    }
    fn result(output: Self::Output) -> io::Result<usize> {
        output.0
    }
}

impl<V: IoBufs> Whole for WriteAllVectored<V> {
    type Queued = QueuedVectored<V>;

    fn fd(&self) -> &Fd {
        &self.fd
    }
    fn len(&self) -> usize {
        self.bufs.total_len()
    }
    fn into_queued(self) -> QueuedVectored<V> {
        QueuedVectored { place: Place::new(self.fd), bufs: self.bufs, sent: 0 }
    }
    fn from_queued(queued: QueuedVectored<V>) -> WriteAllVectored<V> {
        WriteAllVectored { fd: queued.place.0.clone(), bufs: queued.bufs, written: 0 }
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
    Fresh(W),
    /// No more may be queued: it is awaited, behind what is.
    Awaited(Operation<W>),
    Over,
}

impl<W: Whole> Queue<W> {
    pub(crate) fn new(write: W) -> Queue<W> {
        Queue { state: State::Fresh(write) }
    }
}

// Nothing in it is pinned: an operation may be moved until it rests in its slot.
impl<W: Whole> Unpin for Queue<W> {}

impl<W: Whole> Future for Queue<W> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut awaited = match mem::replace(&mut self.state, State::Over) {
            State::Fresh(write) if write.fd().queued.get() < MAX_QUEUED => {
                let len = write.len();
                let Err(queued) = Driver::queue_plain(write.into_queued()) else {
                    return Poll::Ready(Ok(len));
                };
                let driver = context::with("a queued write", |core| core.driver.clone());
                match driver.queue(queued) {
                    Ok(()) => return Poll::Ready(Ok(len)),
                    Err(Submitted::Ready(output)) => return Poll::Ready(W::result(output)),
                    Err(Submitted::Full(queued, _)) => Operation::new(W::from_queued(queued)),
                    Err(Submitted::Pending(_)) => unreachable!("a queued operation has no key"),
                }
            }
            State::Fresh(write) => Operation::new(write),
            State::Awaited(operation) => operation,
            State::Over => panic!("a queued write was polled after it was ready"),
        };
        let polled = Pin::new(&mut awaited).poll(cx);
        if polled.is_pending() {
            self.state = State::Awaited(awaited);
        }
        polled.map(W::result)
    }
}

impl<W: Whole> std::fmt::Debug for Queue<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// A whole buffer, queued.
#[doc(hidden)]
pub struct Queued<B> {
    place: Place,
    buf: B,
    sent: usize,
}

impl<B: IoBuf> Op for Queued<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits::SEND;

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        Span::from(&self.place.0, self.buf.as_init(), 0)
    }

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let fd = &self.place.0;
        match self.buf.as_init().get(self.sent..) {
            None | Some([]) => Request::Pass { fd },
            Some(from) => {
                let flags = SendFlags { wait_all: true, quiet: from.len() <= MOST };
                Request::Send { fd, from, flags }
            }
        }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        self.sent += n.max(0) as usize;
        if n > 0 { Step::Again } else { Step::Done }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        let want = self.buf.as_init().len();
        (all(&completion, self.sent, want, io::ErrorKind::WriteZero), self.buf)
    }
}

/// Several buffers, queued.
#[doc(hidden)]
pub struct QueuedVectored<V> {
    place: Place,
    bufs: V,
    sent: usize,
}

impl<V: IoBufs> Op for QueuedVectored<V> {
    type Output = BufResult<usize, V>;
    const TRAITS: Traits = Traits::SEND;

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let (fd, len) = (&self.place.0, self.bufs.total_len());
        if self.sent >= len {
            return Request::Pass { fd };
        }
        // One call must be able to take all, or its answer could not mean all.
        let quiet = self.bufs.count() <= MAX_VECTORS && len <= MOST;
        let message = scratch.message_from(&self.bufs, self.sent);
        Request::SendMessage { fd, message, flags: SendFlags { wait_all: true, quiet } }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        self.sent += n.max(0) as usize;
        if n > 0 && self.sent < self.bufs.total_len() { Step::Again } else { Step::Done }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (completion.count(), self.bufs)
    }
}
