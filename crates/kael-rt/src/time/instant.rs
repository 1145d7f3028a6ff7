//! `Instant`: a point in time as one number. It has no calendar and no time zone.
#![forbid(unsafe_code)]

use super::clock;
use crate::task::context;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

/// A point in time: nanoseconds of the monotonic clock since a base that the whole process shares.
///
/// Reaches 584 years from the first use of the clock in the process; the last nanosecond of that stands for "never".
/// The operators `+` and `-` stop at the ends of the range instead of panicking (unlike `std`), so that
/// `Instant::now() + Duration::MAX` is a deadline that never comes; `checked_add` and `checked_sub` tell. On virtual
/// time (the simulator, `start_paused`) `now` is the runtime's clock, which begins at the base.
///
/// ```
/// use kael_rt::time::{Duration, Instant};
/// let start = Instant::now();
/// let later = start + Duration::from_millis(5);
/// assert_eq!(later - start, Duration::from_millis(5));
/// assert_eq!(start - later, Duration::ZERO);
/// ```
///
/// The time between two instants, and what is left until a deadline:
///
/// ```
/// use kael_rt::time::{Duration, Instant};
/// let start = Instant::now();
/// let deadline = start.checked_add(Duration::from_secs(60)).expect("a minute is in range");
/// assert_eq!(deadline.duration_since(start), Duration::from_secs(60));
/// assert_eq!(start.saturating_duration_since(deadline), Duration::ZERO);
/// assert_eq!(start.checked_duration_since(deadline), None);
/// assert_eq!(deadline.checked_sub(Duration::from_secs(60)), Some(start));
/// assert!(start.elapsed() < Duration::from_secs(60));
/// assert!(start.checked_add(Duration::MAX).is_none());
/// ```
///
/// `std` has the same clock:
///
/// ```
/// use kael_rt::time::{Duration, Instant};
/// let now = Instant::now();
/// let std = now.into_std() + Duration::from_millis(3);
/// assert_eq!(Instant::from_std(std), now + Duration::from_millis(3));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    ns: u64,
}

impl Instant {
    /// The time now, by the clock of the runtime that runs on this thread, else by the system's.
    ///
    /// Budget: no system call where the C library reads the clock without one (vDSO).
    #[inline]
    #[must_use]
    pub fn now() -> Instant {
        let of_runtime = context::try_with(|core| core.timers.clock().now_ns());
        Instant { ns: of_runtime.unwrap_or_else(clock::real_now_ns) }
    }

    /// The time since this instant; zero if it lies ahead.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Instant::now() - *self
    }

    /// The time from `earlier` to this instant; zero if `earlier` is the later one.
    #[must_use]
    pub fn duration_since(&self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.ns.saturating_sub(earlier.ns))
    }

    /// The same as [`duration_since`](Instant::duration_since), named as in `std`.
    #[must_use]
    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }

    /// The time from `earlier` to this instant; `None` if `earlier` is the later one.
    #[must_use]
    pub fn checked_duration_since(&self, earlier: Instant) -> Option<Duration> {
        self.ns.checked_sub(earlier.ns).map(Duration::from_nanos)
    }

    /// This instant and `duration` on top; `None` beyond the range.
    #[must_use]
    pub fn checked_add(&self, duration: Duration) -> Option<Instant> {
        let ns = u64::try_from(duration.as_nanos()).ok()?;
        Some(Instant { ns: self.ns.checked_add(ns)? })
    }

    /// This instant less `duration`; `None` before the base.
    #[must_use]
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        let ns = u64::try_from(duration.as_nanos()).ok()?;
        Some(Instant { ns: self.ns.checked_sub(ns)? })
    }

    /// `std`'s form of an instant of the system's clock. Makes no sense for instants of virtual time.
    #[must_use]
    pub fn into_std(self) -> std::time::Instant {
        clock::base() + Duration::from_nanos(self.ns)
    }

    /// An instant of the system's clock from `std`'s form; the base if it lies before that.
    #[must_use]
    pub fn from_std(instant: std::time::Instant) -> Instant {
        Instant { ns: nanos(instant.saturating_duration_since(clock::base())) }
    }

    #[inline]
    pub(crate) const fn from_ns(ns: u64) -> Instant {
        Instant { ns }
    }

    #[inline]
    pub(crate) const fn as_ns(self) -> u64 {
        self.ns
    }
}

/// A duration in nanoseconds, `u64::MAX` if it is longer than that.
#[inline]
pub(super) fn nanos(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
}

impl Add<Duration> for Instant {
    type Output = Instant;
    #[inline]
    fn add(self, duration: Duration) -> Instant {
        Instant { ns: self.ns.saturating_add(nanos(duration)) }
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, duration: Duration) -> Instant {
        Instant { ns: self.ns.saturating_sub(nanos(duration)) }
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl From<std::time::Instant> for Instant {
    fn from(instant: std::time::Instant) -> Instant {
        Instant::from_std(instant)
    }
}

impl From<Instant> for std::time::Instant {
    fn from(instant: Instant) -> std::time::Instant {
        instant.into_std()
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Instant").field(&Duration::from_nanos(self.ns)).finish()
    }
}
