//! Where a core reads the time: the system's monotonic clock, or a number that tests and the simulator move.
//! It does not decide when to move that number.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::OnceLock;

/// Nanoseconds since a base that all clocks of the process share. Clones of a virtual clock show the same time.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Option<Rc<Cell<u64>>>);

impl Clock {
    pub(crate) const fn real() -> Clock {
        Clock(None)
    }

    /// A clock that stands at 0 until `set_virtual` moves it.
    pub(crate) fn paused() -> Clock {
        Clock(Some(Rc::new(Cell::new(0))))
    }

    pub(crate) fn is_virtual(&self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        match &self.0 {
            None => real_now_ns(),
            Some(now) => now.get(),
        }
    }

    /// Moves a virtual clock forward; it never goes back.
    pub(crate) fn set_virtual(&self, ns: u64) {
        match &self.0 {
            None => unreachable!("only the owner of a virtual clock moves it"),
            Some(now) => now.set(now.get().max(ns)),
        }
    }
}

/// The moment of the first reading in this process. The system's clock counts from an arbitrary point and is opaque,
/// so a number needs a base of ours; 584 years from it fit in 64 bits.
pub(crate) fn base() -> std::time::Instant {
    static BASE: OnceLock<std::time::Instant> = OnceLock::new();
    *BASE.get_or_init(std::time::Instant::now)
}

#[inline]
pub(crate) fn real_now_ns() -> u64 {
    // The base first: the first reading of all must not lie before it.
    let base = base();
    let since = std::time::Instant::now().saturating_duration_since(base);
    since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
}
