//! Ending an operation early with its buffer back: by a time limit, or by a token.
#![forbid(unsafe_code)]

use super::{Op, Operation};
use crate::{
    driver::Completion,
    error::Fault,
    time::{Instant, Sleep},
};
use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::*},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// An operation with a time limit; made by [`Operation::timeout`].
///
/// ```
/// use kael_rt::{WithTimeout, net::UdpSocket, ops::Recv, time::Duration};
///
/// fn answer(socket: &UdpSocket) -> WithTimeout<Recv<Vec<u8>>> {
///     socket.recv(Vec::with_capacity(512)).timeout(Duration::from_millis(5))
/// }
/// # kael_rt::block_on(async {
/// let socket = UdpSocket::bind("127.0.0.1:0").await?;
/// let (result, buf) = answer(&socket).await;
/// assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
/// assert_eq!(buf.capacity(), 512);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "an operation does nothing unless it is awaited"]
pub struct WithTimeout<O: Op> {
    operation: Operation<O>,
    limit: Duration,
    sleep: Option<Sleep>,
    stopped: bool,
}

impl<O: Op> WithTimeout<O> {
    pub(super) fn new(operation: Operation<O>, limit: Duration) -> WithTimeout<O> {
        WithTimeout { operation, limit, sleep: None, stopped: false }
    }
}

impl<O: Op> Unpin for WithTimeout<O> {}

impl<O: Op> Future for WithTimeout<O> {
    type Output = O::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        let this = &mut *self;
        if let Poll::Ready(output) = Pin::new(&mut this.operation).poll(cx) {
            this.sleep = None;
            return Poll::Ready(output);
        }
        if this.stopped {
            return Poll::Pending;
        }
        let limit = this.limit;
        let sleep =
            this.sleep.get_or_insert_with(|| crate::time::sleep_until(Instant::now() + limit));
        if Pin::new(sleep).poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.stopped = true;
        this.sleep = None;
        stop(&mut this.operation, Fault::TimedOut, cx)
    }
}

/// Ends an operation that is pending.
fn stop<O: Op>(
    operation: &mut Operation<O>,
    fault: Fault,
    cx: &mut Context<'_>,
) -> Poll<O::Output> {
    if let Some(op) = operation.take_unbegun() {
        return Poll::Ready(op.complete(Completion::refused(fault)));
    }
    operation.stop(fault);
    Pin::new(operation).poll(cx)
}

/// An operation that ends when a token is cancelled; made by [`Operation::cancel_on`].
///
/// ```
/// use kael_rt::{CancelOn, CancelToken, net::TcpListener, ops::Accept};
///
/// fn next(listener: &TcpListener, shutdown: &CancelToken) -> CancelOn<Accept> {
///     listener.accept().cancel_on(shutdown)
/// }
/// # kael_rt::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let shutdown = CancelToken::new();
/// shutdown.cancel();
/// assert!(next(&listener, &shutdown).await.is_err());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "an operation does nothing unless it is awaited"]
pub struct CancelOn<O: Op> {
    operation: Operation<O>,
    place: Place,
    stopped: bool,
}

impl<O: Op> CancelOn<O> {
    pub(super) fn new(operation: Operation<O>, token: CancelToken) -> CancelOn<O> {
        CancelOn { operation, place: Place { token, index: None }, stopped: false }
    }
}

impl<O: Op> Unpin for CancelOn<O> {}

impl<O: Op> Future for CancelOn<O> {
    type Output = O::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        let this = &mut *self;
        if !this.stopped && this.place.token.is_cancelled() {
            this.stopped = true;
            return stop(&mut this.operation, Fault::Cancelled, cx);
        }
        if let Poll::Ready(output) = Pin::new(&mut this.operation).poll(cx) {
            return Poll::Ready(output);
        }
        if !this.stopped && this.place.wait(cx.waker()) {
            this.stopped = true;
            return stop(&mut this.operation, Fault::Cancelled, cx);
        }
        Poll::Pending
    }
}

/// Says to many operations, on any thread, that they shall end.
///
/// Clones are the same token. Once cancelled it stays so. Cancelling wakes everybody who waits;
/// waiting allocates nothing once the token has had as many waiters before.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{CancelToken, net::UdpSocket};
/// let socket = UdpSocket::bind("127.0.0.1:0").await?;
/// let token = CancelToken::new();
/// let stop = token.clone();
/// kael_rt::spawn(async move { stop.cancel() });
/// let (result, buf) = socket.recv(vec![0; 64]).cancel_on(&token).await;
/// assert!(result.is_err());
/// assert_eq!(buf.len(), 64);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// A thread asks it between two steps of its work.
///
/// ```
/// let token = kael_rt::CancelToken::new();
/// let work = token.clone();
/// let thread = std::thread::spawn(move || {
///     while !work.is_cancelled() {
///         std::thread::yield_now();
///     }
/// });
/// token.cancel();
/// thread.join().unwrap();
/// ```
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Ends what waits for this token, now and later. Any thread may call it.
    pub fn cancel(&self) {
        if self.0.cancelled.swap(true, SeqCst) {
            return;
        }
        let wakers = mem::take(&mut self.waiters().wakers);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(SeqCst)
    }

    /// Waits until the token is cancelled.
    ///
    /// ```
    /// let token = kael_rt::CancelToken::new();
    /// token.cancel();
    /// kael_rt::block_on(token.cancelled());
    /// ```
    pub fn cancelled(&self) -> Cancelled {
        Cancelled(Place { token: self.clone(), index: None })
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.0.waiters.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl std::fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish()
    }
}

/// Waits for a [`CancelToken`]; made by [`CancelToken::cancelled`].
///
/// ```
/// use kael_rt::{CancelToken, Cancelled};
///
/// /// Ends with the program.
/// async fn clean_up(end: Cancelled) -> &'static str {
///     end.await;
///     "cleaned up"
/// }
/// kael_rt::block_on(async {
///     let token = CancelToken::new();
///     let cleaning = kael_rt::spawn(clean_up(token.cancelled()));
///     token.cancel();
///     assert_eq!(cleaning.await.unwrap(), "cleaned up");
/// });
/// ```
#[must_use = "a future does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Cancelled(Place);

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.wait(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A waiter's place in its token.
#[derive(Debug)]
struct Place {
    token: CancelToken,
    index: Option<usize>,
}

impl Place {
    /// Leaves `waker` to be woken. True: it is cancelled already.
    fn wait(&mut self, waker: &Waker) -> bool {
        // No user code runs under the lock: the clone is made before, old wakers go after.
        let waker = waker.clone();
        let old;
        {
            let mut waiters = self.token.waiters();
            if self.token.is_cancelled() {
                return true;
            }
            let index = *self.index.get_or_insert_with(|| match waiters.free.pop() {
                Some(index) => index,
                None => {
                    waiters.wakers.push(None);
                    waiters.wakers.len() - 1
                }
            });
            old = waiters.wakers[index].replace(waker);
        }
        drop(old);
        false
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(index) = self.index else { return };
        let mut waiters = self.token.waiters();
        // After a cancel the list is gone, and the places with it.
        let old = waiters.wakers.get_mut(index).and_then(Option::take);
        if !self.token.is_cancelled() {
            waiters.free.push(index);
        }
        drop(waiters);
        drop(old);
    }
}
