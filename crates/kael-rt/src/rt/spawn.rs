//! The functions that work on the current runtime, and the one that makes it.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::builder::Builder;
use super::runtime::assert_outside;
use crate::task::{JoinHandle, context};

/// Runs `future` on a runtime of its own on this thread, which ends with the call.
///
/// # Panics
/// When called inside a runtime; when the runtime cannot be built, with the reason (see
/// [`Builder::build`](crate::runtime::Builder::build), which returns it); with the future's own panic.
///
/// ```
/// let length = kael_rt::block_on(async {
///     let text = kael_rt::fs::read_to_string("/proc/self/status").await?;
///     Ok::<_, std::io::Error>(text.len())
/// });
/// assert!(length.unwrap() > 0);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert_outside("kael_rt::block_on");
    match Builder::new().build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("kael_rt::block_on: the runtime cannot be built: {error}"),
    }
}

/// Starts a task on this core. It need not be `Send`; it never leaves this thread. Dropping the handle detaches it.
///
/// Costs no system call, and no allocation once tasks of its size have run before (sizes are rounded up to powers of
/// two; beyond 1 MiB each spawn allocates).
///
/// # Panics
/// Outside a runtime.
///
/// ```
/// kael_rt::block_on(async {
///     // What a task shares with others on its core need not be `Send`.
///     let total = std::rc::Rc::new(std::cell::Cell::new(0));
///     let tasks: Vec<_> = (1..=3)
///         .map(|n| {
///             let total = total.clone();
///             kael_rt::spawn(async move { total.set(total.get() + n) })
///         })
///         .collect();
///     for task in tasks {
///         task.await.unwrap();
///     }
///     assert_eq!(total.get(), 6);
/// });
/// ```
#[inline]
#[track_caller]
pub fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    context::with("kael_rt::spawn", |core| core.tasks.spawn(future))
}

/// Runs `f` on a thread of the blocking pool.
///
/// The pool has at most [`Builder::blocking_threads`](crate::runtime::Builder::blocking_threads) threads and 65,536
/// waiting jobs; a job beyond that is not taken, and the handle says so
/// ([`is_rejected`](crate::JoinError::is_rejected)). Aborting cancels a job that has not begun. The end of the
/// runtime cancels those that have not begun and does not wait for those that have.
///
/// # Panics
/// Outside a runtime.
///
/// ```
/// kael_rt::block_on(async {
///     let primes = kael_rt::spawn_blocking(|| (2..1000).filter(|n| (2..*n).all(|d| n % d != 0)).count());
///     assert_eq!(primes.await.unwrap(), 168);
/// });
/// ```
#[track_caller]
pub fn spawn_blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    context::with("kael_rt::spawn_blocking", |core| core.pool.spawn(f))
}

/// Lets every other task that is runnable now go first.
///
/// ```
/// kael_rt::block_on(async {
///     let other = kael_rt::spawn(async { "done" });
///     kael_rt::yield_now().await;
///     assert!(other.is_finished());
/// });
/// ```
#[inline]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
///
/// ```
/// use kael_rt::{YieldNow, yield_now};
///
/// /// Every thousandth step of a long computation lets others go first.
/// fn pause(step: u64) -> Option<YieldNow> {
///     step.is_multiple_of(1000).then(yield_now)
/// }
/// kael_rt::block_on(async {
///     for step in 0..10_000 {
///         if let Some(pause) = pause(step) {
///             pause.await;
///         }
///     }
/// });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
