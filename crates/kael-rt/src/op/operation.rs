//! An operation on its way, as the future that a program awaits.
#![forbid(unsafe_code)]

use super::{CancelOn, CancelToken, Op, WithTimeout};
use crate::{
    driver::{Stage, Tag},
    error::Fault,
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
    stage: Stage<O>,
}

impl<O: Op> Unpin for Operation<O> {}

impl<O: Op> Operation<O> {
    #[inline]
    pub(crate) fn new(op: O) -> Operation<O> {
        Operation { stage: Stage::fresh(op) }
    }

    /// The future of an operation that was begun elsewhere.
    pub(crate) fn begun(key: crate::driver::Key) -> Operation<O> {
        Operation { stage: Stage::begun(key) }
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
        match self.stage.key() {
            Some(key) => key.inspect(f),
            None => self.stage.op().map(f),
        }
    }

    /// Asks for the operation to stop, with `fault` (or ECANCELED) as its result.
    pub(super) fn stop(&mut self, fault: Fault) {
        if let Some(key) = self.stage.key() {
            key.cancel(fault);
        }
    }

    /// The operation made into another one, before its first poll.
    pub(crate) fn change<O2: Op>(mut self, change: impl FnOnce(O) -> O2) -> Operation<O2> {
        let op = self.stage.take_unbegun().expect("an operation that was not polled yet");
        Operation::new(change(op))
    }

    /// The operation back, if it has not begun.
    pub(crate) fn take_unbegun(&mut self) -> Option<O> {
        self.stage.take_unbegun()
    }
}

impl<O: Op> Future for Operation<O> {
    type Output = O::Output;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        self.stage.poll(cx)
    }
}

impl<O: Op> std::fmt::Debug for Operation<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stage = match self.stage.tag() {
            Tag::Waiting => "waiting for a slot",
            Tag::Fresh => "not begun",
            Tag::Begun => "begun",
            Tag::Over => "over",
        };
        f.debug_struct("Operation").field("stage", &stage).finish()
    }
}
