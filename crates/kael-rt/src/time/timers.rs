//! The timers of one core: the wheel with wakers in it, and the clock it is read by. The loop asks for the next
//! deadline, waits, and calls `fire`; this file never waits.
//!
//! User code is in every waker (clone, wake and drop), so none of the three happens while the wheel is borrowed.
#![forbid(unsafe_code)]

use super::clock::Clock;
use super::wheel::{TimerKey, Wheel};
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::task::Waker;

/// Owned by the core. Dropping it drops all wakers; futures that still hold the queue find their timers ended.
pub(crate) struct Timers {
    queue: Rc<TimerQueue>,
}

/// What the core and its sleeping futures share.
pub(crate) struct TimerQueue {
    clock: Clock,
    wheel: RefCell<Wheel<Waker>>,
}

impl Timers {
    pub(crate) fn new(clock: Clock) -> Timers {
        let wheel = RefCell::new(Wheel::new(clock.now_ns()));
        Timers { queue: Rc::new(TimerQueue { clock, wheel }) }
    }

    /// For a future that must find its timer again wherever it is polled or dropped.
    #[inline]
    pub(crate) fn queue(&self) -> &Rc<TimerQueue> {
        &self.queue
    }
}

impl Deref for Timers {
    type Target = TimerQueue;
    #[inline]
    fn deref(&self) -> &TimerQueue {
        &self.queue
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        while let Some(waker) = self.queue.pop_any() {
            drop(waker);
        }
    }
}

impl TimerQueue {
    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Timers that have neither fired nor been removed.
    pub(crate) fn len(&self) -> usize {
        self.wheel.borrow().len()
    }

    #[inline]
    pub(crate) fn insert(&self, deadline_ns: u64, waker: Waker) -> TimerKey {
        self.wheel.borrow_mut().insert(deadline_ns, waker)
    }

    /// Ends a timer and returns its waker if it had not fired. Every key must be removed once, fired or not.
    #[inline]
    pub(crate) fn remove(&self, key: TimerKey) -> Option<Waker> {
        self.wheel.borrow_mut().remove(key)
    }

    /// Gives an armed timer another deadline; false if it has fired.
    pub(crate) fn rearm(&self, key: TimerKey, deadline_ns: u64) -> bool {
        self.wheel.borrow_mut().rearm(key, deadline_ns)
    }

    #[inline]
    pub(crate) fn is_fired(&self, key: TimerKey) -> bool {
        self.wheel.borrow().is_fired(key)
    }

    /// Whether a deadline is over at the time of the last `fire`. Reads no clock.
    #[inline]
    pub(crate) fn has_passed(&self, deadline_ns: u64) -> bool {
        self.wheel.borrow().has_passed(deadline_ns)
    }

    /// Has an armed timer wake somebody else; nothing happens if it has fired.
    pub(crate) fn set_waker(&self, key: TimerKey, waker: &Waker) {
        let same = match self.wheel.borrow_mut().payload_mut(key) {
            Some(armed) => armed.will_wake(waker),
            None => true,
        };
        if same {
            return;
        }
        let mut other = waker.clone();
        // The clone was user code: look again.
        if let Some(armed) = self.wheel.borrow_mut().payload_mut(key) {
            std::mem::swap(armed, &mut other);
        }
        drop(other);
    }

    /// When `fire` should be called next, in nanoseconds on the clock; `None` if no timer will ever fire. Never later
    /// than the earliest deadline, and exactly that unless a timer was cancelled.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.wheel.borrow().next_deadline()
    }

    /// Wakes at most `budget` timers that are due at `now_ns`, in the order of their deadlines, and says how many.
    /// What is left keeps `next_deadline` at or before `now_ns`.
    pub(crate) fn fire(&self, now_ns: u64, budget: usize) -> usize {
        for fired in 0..budget {
            let Some(waker) = self.pop_due(now_ns) else { return fired };
            waker.wake();
        }
        budget
    }

    // Functions of their own, so that the borrow has ended before a waker is touched.
    #[inline]
    fn pop_due(&self, now_ns: u64) -> Option<Waker> {
        self.wheel.borrow_mut().pop_due(now_ns)
    }

    fn pop_any(&self) -> Option<Waker> {
        self.wheel.borrow_mut().pop_any()
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Timers};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Wake, Waker};

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counter() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), Waker::from(count))
    }

    #[test]
    fn the_budget_leaves_the_rest_due() {
        let timers = Timers::new(Clock::paused());
        let (count, waker) = counter();
        for deadline in 1..=10 {
            timers.insert(deadline, waker.clone());
        }
        assert_eq!(timers.fire(8, 5), 5);
        assert_eq!((count.0.load(Ordering::Relaxed), timers.next_deadline()), (5, Some(6)));
        assert_eq!(timers.fire(8, 5), 3);
        assert_eq!((timers.len(), timers.next_deadline()), (2, Some(9)));
        assert_eq!(timers.fire(8, 5), 0);
    }

    #[test]
    fn r30_after_a_jump_every_timer_fires_once_and_in_portions() {
        const HOUR: u64 = 3_600_000_000_000;
        let clock = Clock::paused();
        let timers = Timers::new(clock.clone());
        let (count, waker) = counter();
        let keys: Vec<_> =
            (0..10_000).map(|nth| timers.insert(nth * nth * 1_000, waker.clone())).collect();
        clock.set_virtual(HOUR);
        clock.set_virtual(0);
        assert_eq!(clock.now_ns(), HOUR, "it never goes back");
        let mut portions = 0;
        while timers.next_deadline().is_some_and(|deadline| deadline <= clock.now_ns()) {
            assert!((1..=256).contains(&timers.fire(clock.now_ns(), 256)));
            portions += 1;
        }
        assert_eq!((portions, count.0.load(Ordering::Relaxed)), (10_000_u32.div_ceil(256), 10_000));
        assert!(keys.into_iter().all(|key| timers.is_fired(key) && timers.remove(key).is_none()));
    }

    #[test]
    fn set_waker_replaces_and_drops_the_old_one() {
        let timers = Timers::new(Clock::paused());
        let ((first, first_waker), (second, second_waker)) = (counter(), counter());
        let key = timers.insert(5, first_waker);
        timers.set_waker(key, &second_waker);
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 3));
        timers.set_waker(key, &second_waker);
        assert_eq!(Arc::strong_count(&second), 3, "the same waker is not cloned again");
        timers.fire(5, 1);
        timers.set_waker(key, &second_waker);
        assert_eq!((Arc::strong_count(&second), second.0.load(Ordering::Relaxed)), (2, 1));
    }
}
