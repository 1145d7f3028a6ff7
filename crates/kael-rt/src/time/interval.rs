//! `Interval`: ticks at a fixed rate, and what to do about those that came too late.
#![forbid(unsafe_code)]

use super::instant::{Instant, nanos};
use super::sleep::{Sleep, sleep_until};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A tick that is taken later than this (or than a whole period, if that is shorter) counts as missed. The usual
/// lateness of a loop must not, or `Delay` would drift by it.
const LATE: Duration = Duration::from_millis(5);

/// Ticks at once and then every `period`.
///
/// Missed ticks are made up for in a burst unless [`Interval::set_missed_tick_behavior`] says otherwise.
///
/// Panics if `period` is zero, and in `tick` outside a runtime. Budget: no system call of its own; the next
/// deadline is the timeout of the wait. Dropping it disarms the timer.
///
/// ```
/// use kael_rt::time::{Duration, interval};
/// kael_rt::block_on(async {
///     let mut interval = interval(Duration::from_millis(2));
///     let first = interval.tick().await;
///     let second = interval.tick().await;
///     assert_eq!(second - first, Duration::from_millis(2));
/// });
/// ```
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "kael_rt::time::interval: the period must not be zero");
    Interval { sleep: sleep_until(Instant::now()), period, missed: MissedTickBehavior::default() }
}

/// What an [`Interval`] does about ticks that were not taken in time: more than 5 ms late, or more than a period if
/// that is shorter.
///
/// ```
/// use kael_rt::runtime::Builder;
/// use kael_rt::time::{Duration, MissedTickBehavior, interval, sleep};
///
/// Builder::new().start_paused(true).build()?.block_on(async {
///     let mut interval = interval(Duration::from_millis(10));
///     interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
///     let start = interval.tick().await;
///     sleep(Duration::from_millis(35)).await;
///     // The tick that was due at 10 ms is late; those of 20 and 30 ms are left out.
///     assert_eq!(interval.tick().await - start, Duration::from_millis(10));
///     assert_eq!(interval.tick().await - start, Duration::from_millis(40));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// All missed ticks follow one another at once, until the schedule is caught up with.
    #[default]
    Burst,
    /// The next tick is a period after the late one: the schedule moves.
    Delay,
    /// Missed ticks are left out: the next one is the next of the schedule that lies ahead.
    Skip,
}

/// What [`interval`] returns.
///
/// A heartbeat that whatever was heard puts off:
///
/// ```
/// use kael_rt::time::{Duration, Instant, Interval, MissedTickBehavior, interval};
/// use std::future::poll_fn;
///
/// struct Heartbeat(Interval);
///
/// impl Heartbeat {
///     fn new(period: Duration) -> Heartbeat {
///         let mut interval = interval(period);
///         interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
///         interval.reset();
///         Heartbeat(interval)
///     }
///
///     /// The peer has shown that it is alive.
///     fn heard(&mut self) {
///         self.0.reset();
///     }
///
///     async fn due(&mut self) -> Instant {
///         poll_fn(|cx| self.0.poll_tick(cx)).await
///     }
/// }
/// kael_rt::block_on(async {
///     let mut heartbeat = Heartbeat::new(Duration::from_millis(2));
///     heartbeat.heard();
///     let first = heartbeat.due().await;
///     assert!(Instant::now() >= first);
///     assert!(heartbeat.0.tick().await >= first + heartbeat.0.period());
///     assert_eq!(heartbeat.0.missed_tick_behavior(), MissedTickBehavior::Delay);
/// });
/// ```
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    period: Duration,
    missed: MissedTickBehavior,
}

impl Interval {
    /// Waits for the next tick and returns the instant for which it was due.
    ///
    /// Dropping the future loses no tick: the next call waits for the same one.
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self, completed: false }
    }

    /// [`tick`](Interval::tick) for futures written by hand.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        if self.sleep.poll_named("kael_rt::time::Interval::tick", cx).is_pending() {
            return Poll::Pending;
        }
        let due = self.sleep.deadline();
        self.sleep.reset(self.after(due, Instant::now()));
        Poll::Ready(due)
    }

    /// The next tick will be a period from now.
    pub fn reset(&mut self) {
        self.sleep.reset(Instant::now() + self.period);
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What happens about missed ticks.
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Says what to do about missed ticks.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }

    /// The tick after the one that was due at `due` and taken at `now`.
    fn after(&self, due: Instant, now: Instant) -> Instant {
        let late = now - due;
        if late <= LATE.min(self.period) {
            return due + self.period;
        }
        match self.missed {
            MissedTickBehavior::Burst => due + self.period,
            MissedTickBehavior::Delay => now + self.period,
            MissedTickBehavior::Skip => {
                let period = nanos(self.period);
                now + Duration::from_nanos(period - nanos(late) % period)
            }
        }
    }
}

/// The future of [`Interval::tick`].
///
/// ```
/// use kael_rt::time::{Duration, Interval, Tick, Timeout, interval, timeout};
///
/// fn next_within(interval: &mut Interval, limit: Duration) -> Timeout<Tick<'_>> {
///     timeout(limit, interval.tick())
/// }
/// kael_rt::block_on(async {
///     let mut interval = interval(Duration::from_secs(3600));
///     let limit = Duration::from_millis(2);
///     assert!(next_within(&mut interval, limit).await.is_ok());
///     assert!(next_within(&mut interval, limit).await.is_err());
/// });
/// ```
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Tick<'a> {
    interval: &'a mut Interval,
    completed: bool,
}

impl Future for Tick<'_> {
    type Output = Instant;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        assert!(!self.completed, "kael_rt::time::Interval::tick was polled after it had completed");
        let tick = self.interval.poll_tick(cx);
        self.completed = tick.is_ready();
        tick
    }
}
