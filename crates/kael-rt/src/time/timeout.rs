//! `Timeout`: any future with a deadline. For an I/O operation `Operation::timeout` is the better choice: it gives the
//! buffer back, which dropping the operation cannot.
#![forbid(unsafe_code)]

use super::sleep::{Sleep, sleep};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Runs `future` for at most `duration` from this call: `Ok` with its output, or `Err(Elapsed)`.
///
/// The future is polled first, so what is ready at the deadline is not lost; one that never yields is not
/// interrupted. On `Elapsed` the future is not polled again, and it is dropped with the `Timeout` or returned by
/// [`Timeout::into_inner`]. `Duration::ZERO` polls it at least once, `Duration::MAX` waits for ever.
///
/// Panics when polled outside a runtime while the future is pending, and when polled again after completion.
/// Budget: no system call of its own; the next deadline is the timeout of the wait. Dropping it disarms the timer
/// and drops the future.
///
/// ```
/// use kael_rt::time::{Duration, sleep, timeout};
/// kael_rt::block_on(async {
///     assert_eq!(timeout(Duration::from_secs(5), async { 7 }).await, Ok(7));
///     let slow = sleep(Duration::from_secs(3600));
///     assert!(timeout(Duration::from_millis(1), slow).await.is_err());
/// });
/// ```
#[inline]
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(duration), completed: false }
}

pin_project! {
    /// The future of [`timeout`].
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
        completed: bool,
    }
}

impl<F> Timeout<F> {
    /// The future that is waited for.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future that is waited for.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// Gives the future back and disarms the timer.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const WHAT: &str = "kael_rt::time::timeout";
        let this = self.project();
        assert!(!*this.completed, "{WHAT} was polled after it had completed");
        let output = match this.future.poll(cx) {
            Poll::Ready(output) => Ok(output),
            Poll::Pending => match this.sleep.poll_named(WHAT, cx) {
                Poll::Ready(()) => Err(Elapsed(())),
                Poll::Pending => return Poll::Pending,
            },
        };
        *this.completed = true;
        Poll::Ready(output)
    }
}

/// The error of [`timeout`]: the time was up before the future was ready. Becomes an `io::Error` of kind `TimedOut`.
///
/// ```
/// use kael_rt::time::{Duration, Elapsed, timeout};
///
/// kael_rt::block_on(async {
///     let waited: Result<(), Elapsed> =
///         timeout(Duration::from_millis(1), std::future::pending()).await;
///     let error = std::io::Error::from(waited.unwrap_err());
///     assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
