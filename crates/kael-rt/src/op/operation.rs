//! An operation on its way, as the future that a program awaits.
#![forbid(unsafe_code)]

use super::{CancelOn, CancelToken, Op, WithTimeout};
use crate::{
    driver::{Driver, Key, Submitted},
    error::Fault,
    task::context,
};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// One operation, to be awaited. Every method that does I/O returns one.
///
/// It is lazy: nothing happens before the first poll. It must be polled on the thread and in the
/// runtime that it belongs to, and panics when polled after it was ready.
///
/// Dropping it loses nothing. What it had not begun is not done. A receive or an accept that the
/// kernel had begun is asked to stop; if bytes or a connection came all the same, the next receive
/// or accept on that socket gets them first. A write that had begun is finished before the next
/// write. The buffer of a dropped operation is freed when the kernel has let go of it; to have it
/// back, end the operation with [`timeout`](Self::timeout) or [`cancel_on`](Self::cancel_on).
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{fs::File, time::Duration};
/// let file = File::open("/dev/zero").await?;
/// let (result, buf) = file.read_at(Vec::with_capacity(16), 0).timeout(Duration::from_secs(5)).await;
/// assert_eq!(result?, 16);
/// assert_eq!(buf, [0; 16]);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "an operation does nothing unless it is awaited"]
pub struct Operation<O: Op> {
    /// Before it has begun: the operation.
    fresh: Option<O>,
    /// Afterwards: the right to its slot.
    key: Option<Key>,
    /// Between: its place in the queue for a slot.
    waiting: Option<(Driver, u64)>,
}

impl<O: Op> Unpin for Operation<O> {}

impl<O: Op> Operation<O> {
    #[inline]
    pub(crate) fn new(op: O) -> Operation<O> {
        Operation { fresh: Some(op), key: None, waiting: None }
    }

    /// The future of an operation that was begun elsewhere.
    #[cfg(test)]
    pub(super) fn begun(key: Key) -> Operation<O> {
        Operation { fresh: None, key: Some(key), waiting: None }
    }

    /// Stops the operation when `limit` has passed, counted from the first poll. The output then
    /// holds an error of kind [`TimedOut`](std::io::ErrorKind::TimedOut), and the buffer.
    ///
    /// The kernel has the last word: if the operation was just done, its result is given. Costs no
    /// system call unless the limit passes; then one submission.
    pub fn timeout(self, limit: Duration) -> WithTimeout<O> {
        WithTimeout::new(self, limit)
    }

    /// Stops the operation when `token` is cancelled. The output then holds the kernel's error for
    /// a cancelled operation (`ECANCELED`), and the buffer.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # use kael_rt::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let _client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (stream, _) = listener.accept().await?;
    /// use kael_rt::{CancelToken, time::{Duration, sleep}};
    /// let token = CancelToken::new();
    /// let stop = token.clone();
    /// kael_rt::spawn(async move {
    ///     sleep(Duration::from_millis(2)).await;
    ///     stop.cancel();
    /// });
    /// let (result, buf) = stream.read_exact(vec![0; 8]).cancel_on(&token).await;
    /// assert!(result.is_err());
    /// assert_eq!(buf.len(), 8);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn cancel_on(self, token: &CancelToken) -> CancelOn<O> {
        CancelOn::new(self, token.clone())
    }

    /// Looks at the operation, wherever it is.
    pub(super) fn look<R>(&self, f: impl FnOnce(&O) -> R) -> Option<R> {
        match (&self.fresh, &self.key) {
            (Some(op), _) => Some(f(op)),
            (None, Some(key)) => key.inspect(f),
            (None, None) => None,
        }
    }

    /// Asks for the operation to stop, with `fault` (or ECANCELED) as its result.
    pub(super) fn stop(&mut self, fault: Fault) {
        if let Some(key) = &self.key {
            key.cancel(fault);
        }
    }

    /// The operation back, if it has not begun.
    pub(super) fn take_unbegun(&mut self) -> Option<O> {
        self.stop_waiting();
        self.fresh.take()
    }

    fn stop_waiting(&mut self) {
        if let Some((driver, ticket)) = self.waiting.take() {
            driver.stop_waiting::<O>(ticket);
        }
    }

    /// Begins, or joins the queue for a slot.
    #[inline(always)]
    fn begin(&mut self, op: O, cx: &mut Context<'_>) -> Poll<O::Output> {
        let driver = context::with("an I/O operation", |core| core.driver.clone());
        match driver.submit(op, cx.waker()) {
            Submitted::Pending(key) => {
                self.key = Some(key);
                Poll::Pending
            }
            Submitted::Ready(output) => Poll::Ready(output),
            Submitted::Full(op, driver) => self.wait(op, driver, cx),
        }
    }

    #[cold]
    fn wait(&mut self, op: O, driver: Driver, cx: &mut Context<'_>) -> Poll<O::Output> {
        let ticket = self.waiting.as_ref().map(|(_, ticket)| *ticket);
        let ticket = driver.wait_for_slot::<O>(ticket, cx.waker());
        self.fresh = Some(op);
        self.waiting = Some((driver, ticket));
        Poll::Pending
    }

    /// Its turn for a slot may have come.
    #[cold]
    fn begin_late(&mut self, op: O, cx: &mut Context<'_>) -> Poll<O::Output> {
        let polled = self.begin(op, cx);
        if self.fresh.is_none()
            && let Some((driver, ticket)) = self.waiting.take()
        {
            driver.leave_queue::<O>(ticket);
        }
        polled
    }
}

impl<O: Op> Future for Operation<O> {
    type Output = O::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        let this = &mut *self;
        if let Some(key) = &this.key {
            let Poll::Ready(output) = key.poll::<O>(cx.waker()) else { return Poll::Pending };
            if let Some(key) = this.key.take() {
                key.spent();
            }
            return Poll::Ready(output);
        }
        match this.fresh.take() {
            Some(op) if this.waiting.is_none() => this.begin(op, cx),
            Some(op) => this.begin_late(op, cx),
            None => panic!("an operation was polled after it was ready"),
        }
    }
}

impl<O: Op> Drop for Operation<O> {
    #[inline]
    fn drop(&mut self) {
        if self.waiting.is_some() {
            self.stop_waiting();
        }
    }
}

impl<O: Op> std::fmt::Debug for Operation<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stage = match (&self.fresh, &self.key) {
            (Some(_), _) if self.waiting.is_some() => "waiting for a slot",
            (Some(_), _) => "not begun",
            (None, Some(_)) => "begun",
            (None, None) => "over",
        };
        f.debug_struct("Operation").field("stage", &stage).finish()
    }
}
