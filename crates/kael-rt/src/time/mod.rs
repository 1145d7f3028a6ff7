//! Time: [`sleep`], [`timeout`], [`interval`] and the [`Instant`] they are measured by.
//!
//! Timers are kept to the nanosecond and nothing fires early; the kernel's timer slack comes on top. They cost no
//! system call: the nearest deadline is the timeout of the wait in which the core sleeps anyway. Arming, cancelling and
//! firing allocate nothing once as many timers have existed before.
//!
//! A core has at most 2^31 timers at a time; the next one panics. Each takes 40 bytes, which are kept for the next ones
//! until the runtime ends.
#![forbid(unsafe_code)]

mod clock;
mod instant;
mod interval;
mod nodes;
mod sleep;
mod timeout;
mod timers;
mod wheel;

pub(crate) use clock::{Clock, real_now_ns};
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, Tick, interval};
pub use sleep::{Sleep, sleep, sleep_until};
pub use std::time::Duration;
pub use timeout::{Elapsed, Timeout, timeout};
pub(crate) use timers::Timers;
