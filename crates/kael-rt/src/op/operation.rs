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
    mem,
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
    state: Stage<O>,
}

enum Stage<O: Op> {
    /// Not begun.
    Fresh(O),
    /// All slots are taken; it is in the queue for one.
    Waiting(O, Driver, u64),
    /// In a slot.
    Begun(Key),
    Over,
}

impl<O: Op> Unpin for Operation<O> {}

impl<O: Op> Operation<O> {
    #[inline]
    pub(crate) fn new(op: O) -> Operation<O> {
        Operation { state: Stage::Fresh(op) }
    }

    /// The future of an operation that was begun elsewhere.
    #[cfg(test)]
    pub(super) fn begun(key: Key) -> Operation<O> {
        Operation { state: Stage::Begun(key) }
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
    pub fn cancel_on(self, token: &CancelToken) -> CancelOn<O> {
        CancelOn::new(self, token.clone())
    }

    /// Looks at the operation, wherever it is.
    pub(super) fn look<R>(&self, f: impl FnOnce(&O) -> R) -> Option<R> {
        match &self.state {
            Stage::Fresh(op) | Stage::Waiting(op, ..) => Some(f(op)),
            Stage::Begun(key) => key.inspect(f),
            Stage::Over => None,
        }
    }

    /// Asks for the operation to stop, with `fault` (or ECANCELED) as its result.
    pub(super) fn stop(&mut self, fault: Fault) {
        match &self.state {
            Stage::Begun(key) => key.cancel(fault),
            Stage::Fresh(_) | Stage::Waiting(..) | Stage::Over => {}
        }
    }

    /// The operation back, if it has not begun.
    pub(super) fn take_unbegun(&mut self) -> Option<O> {
        match mem::replace(&mut self.state, Stage::Over) {
            Stage::Fresh(op) => Some(op),
            Stage::Waiting(op, driver, ticket) => {
                driver.stop_waiting::<O>(ticket);
                Some(op)
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    #[cold]
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<O::Output> {
        let Stage::Waiting(op, driver, ticket) = mem::replace(&mut self.state, Stage::Over) else {
            unreachable!("called in that state only")
        };
        match driver.clone().submit(op, cx.waker()) {
            Submitted::Full(op, driver) => self.wait(op, driver, Some(ticket), cx),
            Submitted::Pending(key) => {
                driver.leave_queue::<O>(ticket);
                self.state = Stage::Begun(key);
                Poll::Pending
            }
            Submitted::Ready(output) => {
                driver.leave_queue::<O>(ticket);
                Poll::Ready(output)
            }
        }
    }

    #[cold]
    fn wait(
        &mut self,
        op: O,
        driver: Driver,
        ticket: Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<O::Output> {
        let ticket = driver.wait_for_slot::<O>(ticket, cx.waker());
        self.state = Stage::Waiting(op, driver, ticket);
        Poll::Pending
    }
}

impl<O: Op> Future for Operation<O> {
    type Output = O::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        match &self.state {
            Stage::Begun(key) => {
                let Poll::Ready(output) = key.poll::<O>(cx.waker()) else { return Poll::Pending };
                if let Stage::Begun(key) = mem::replace(&mut self.state, Stage::Over) {
                    key.spent();
                }
                Poll::Ready(output)
            }
            Stage::Fresh(_) => {
                let driver = context::with("an I/O operation", |core| core.driver.clone());
                let Stage::Fresh(op) = mem::replace(&mut self.state, Stage::Over) else {
                    unreachable!("looked at just now")
                };
                match driver.submit(op, cx.waker()) {
                    Submitted::Pending(key) => {
                        self.state = Stage::Begun(key);
                        Poll::Pending
                    }
                    Submitted::Ready(output) => Poll::Ready(output),
                    Submitted::Full(op, driver) => self.wait(op, driver, None, cx),
                }
            }
            Stage::Waiting(..) => self.poll_waiting(cx),
            Stage::Over => panic!("an operation was polled after it was ready"),
        }
    }
}

impl<O: Op> Drop for Operation<O> {
    fn drop(&mut self) {
        if let Stage::Waiting(_, driver, ticket) = &self.state {
            driver.stop_waiting::<O>(*ticket);
        }
    }
}

impl<O: Op> std::fmt::Debug for Operation<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stage = match self.state {
            Stage::Fresh(_) => "not begun",
            Stage::Waiting(..) => "waiting for a slot",
            Stage::Begun(_) => "begun",
            Stage::Over => "over",
        };
        f.debug_struct("Operation").field("stage", &stage).finish()
    }
}
