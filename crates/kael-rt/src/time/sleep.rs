//! `Sleep`: one timer of the core's wheel as a future.
#![forbid(unsafe_code)]

use super::instant::{Instant, nanos};
use super::timers::TimerQueue;
use super::wheel::TimerKey;
use crate::task::context;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Waits until `duration` from now has passed, counted from this call and not from the first poll.
///
/// Never completes early, and late by no more than the kernel's timer slack (50 us by default) and what the core is
/// busy with. `Duration::ZERO` waits for at most one turn of the loop, `Duration::MAX` for ever. The timer is armed
/// at the first poll.
///
/// Panics when it is first polled outside a runtime, and when polled again after completion.
/// Budget: no system call of its own; the next deadline is the timeout of the wait. Dropping it disarms the timer.
///
/// ```
/// use kael_rt::time::{Duration, Instant, sleep};
/// kael_rt::block_on(async {
///     let start = Instant::now();
///     sleep(Duration::from_millis(2)).await;
///     assert!(start.elapsed() >= Duration::from_millis(2));
/// });
/// ```
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    let ns = nanos(duration);
    // "For ever" needs no clock.
    sleep_until(if ns == u64::MAX { Instant::from_ns(ns) } else { Instant::now() + duration })
}

/// Waits until `deadline`; the same as [`sleep`] otherwise.
///
/// ```
/// use kael_rt::time::{Duration, Instant, sleep_until};
/// kael_rt::block_on(async {
///     let deadline = Instant::now() + Duration::from_millis(2);
///     sleep_until(deadline).await;
///     assert!(Instant::now() >= deadline);
/// });
/// ```
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { deadline, state: State::Idle }
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// It is `Unpin`, so a loop can keep one and [`reset`](Sleep::reset) it, and it is not `Send`. It belongs to the
/// runtime in which it was last polled, and may outlive it.
///
/// A time limit for idleness is one `Sleep` that every sign of life moves:
///
/// ```
/// use kael_rt::time::{Duration, Instant, Sleep, sleep};
///
/// struct Idle(Sleep);
///
/// impl Idle {
///     fn touch(&mut self) {
///         self.0.reset(Instant::now() + Duration::from_millis(2));
///     }
/// }
/// kael_rt::block_on(async {
///     let mut idle = Idle(sleep(Duration::from_secs(3600)));
///     assert!(!idle.0.is_elapsed());
///     idle.touch();
///     assert!(idle.0.deadline() <= Instant::now() + Duration::from_millis(2));
///     (&mut idle.0).await;
///     assert!(idle.0.is_elapsed());
/// });
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    deadline: Instant,
    state: State,
}

/// ```text
///          poll                 fired and polled
///   Idle --------> Armed ------------------------> Done
///     ^ \            |                              ^  |
///     |  \-----------+--- deadline passed already --/  |
///     \-- reset (an armed one stays armed) ------------/
/// ```
enum State {
    Idle,
    /// The key is removed exactly once: on completion, on drop, or when another runtime takes over.
    Armed {
        queue: Rc<TimerQueue>,
        key: TimerKey,
    },
    Done,
}

// It lies in every future that has a time limit.
const _: () = assert!(size_of::<Sleep>() == 32);

impl Sleep {
    /// When it completes.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the deadline has passed, or the future has completed.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        matches!(self.state, State::Done) || Instant::now() >= self.deadline
    }

    /// Sets another deadline, also after completion.
    ///
    /// A task that waits for it is woken at the new deadline without another poll, except if the old one had
    /// already woken it. Budget: no system call.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        match &self.state {
            State::Armed { queue, key } if queue.rearm(*key, deadline.as_ns()) => {}
            _ => {
                self.disarm();
                self.state = State::Idle;
            }
        }
    }

    /// An armed one goes back to `Idle`, its timer and its waker are gone.
    #[inline]
    fn disarm(&mut self) {
        if let State::Armed { queue, key } = &self.state {
            // The waker is user code: it drops at the very end, when nothing here is half done.
            let _waker = queue.remove(*key);
            self.state = State::Idle;
        }
    }

    /// `poll` without its panic about the place, for the futures that contain a `Sleep` and name themselves.
    #[inline]
    pub(super) fn poll_named(&mut self, what: &'static str, cx: &mut Context<'_>) -> Poll<()> {
        assert!(!matches!(self.state, State::Done), "{what} was polled after it had completed");
        context::with(what, |core| {
            if let State::Armed { queue, key } = &self.state
                && Rc::ptr_eq(queue, core.timers.queue())
            {
                if !queue.is_fired(*key) {
                    queue.set_waker(*key, cx.waker());
                    return Poll::Pending;
                }
                self.disarm();
                self.state = State::Done;
                return Poll::Ready(());
            }
            self.arm(core.timers.queue(), cx)
        })
    }

    /// The first poll, and the first one in another runtime than before: only the runtime that is running can wake us.
    #[inline]
    fn arm(&mut self, queue: &Rc<TimerQueue>, cx: &mut Context<'_>) -> Poll<()> {
        self.disarm();
        if queue.has_passed(self.deadline.as_ns()) {
            self.state = State::Done;
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let key = queue.insert(self.deadline.as_ns(), waker);
        self.state = State::Armed { queue: Rc::clone(queue), key };
        Poll::Pending
    }
}

impl Future for Sleep {
    type Output = ();
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_named("kael_rt::time::sleep", cx)
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        self.disarm();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
