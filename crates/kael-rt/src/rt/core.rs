//! One core: its driver, its timers, its tasks. It is on one thread; of the others it knows what all threads may know. The
//! loop that runs it is in `run_loop.rs`.
#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::blocking::BlockingPool;
use super::builder::Builder;
use super::handle::{Handle, Shared};
use crate::driver::{Driver, DriverConfig};
use crate::task::{Owner, context};
use crate::time::{Clock, Timers};

pub(crate) struct Core {
    pub(crate) driver: Driver,
    pub(crate) timers: Timers,
    pub(crate) tasks: Owner,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pool: Arc<BlockingPool>,
    /// Set when the future of `block_on` wants to be polled.
    pub(super) main_woken: Rc<Cell<bool>>,
    /// Wakes it, from any thread: the waker of a small task that sets the flag above. So the future of `block_on`
    /// waits in the same queue as the tasks, and its wakes cost the same.
    pub(super) main_waker: Waker,
    /// The runtime as all its cores are seen from elsewhere.
    handle: OnceCell<Handle>,
    /// Somebody may read the counters.
    watched: Cell<bool>,
}

impl Core {
    pub(super) fn new(builder: &Builder, pool: Arc<BlockingPool>) -> io::Result<Rc<Core>> {
        let config = DriverConfig {
            queue_depth: builder.queue_depth,
            ring: builder.ring_options(),
            max_in_flight: builder.max_in_flight,
            seed: builder.seed,
        };
        let driver = Driver::new(&config, pool.clone())?;
        let clock = if builder.start_paused || Driver::MOVES_CLOCK {
            Clock::paused()
        } else {
            Clock::real()
        };
        let tasks = Owner::new(driver.unpark());
        let main_woken = Rc::new(Cell::new(false));
        let main_waker = spawn_main(&tasks, main_woken.clone());
        let shared = Arc::new(Shared::new(tasks.home().clone()));
        Ok(Rc::new(Core {
            driver,
            timers: Timers::new(clock),
            tasks,
            shared,
            pool,
            main_woken,
            main_waker,
            handle: OnceCell::new(),
            watched: Cell::new(false),
        }))
    }

    /// All cores of the runtime are there. The counters of several may be read by a task of any.
    pub(super) fn meet(&self, all: Arc<[Arc<Shared>]>) {
        self.watched.set(all.len() > 1);
        let met = self.handle.set(Handle::new(all, self.pool.clone()));
        assert!(met.is_ok(), "a core meets the others once");
    }

    /// From here on the counters can be read, and are published.
    pub(super) fn handle(&self) -> Handle {
        self.watched.set(true);
        self.publish();
        self.handle.get().expect("a core runs when it has met the others").clone()
    }

    /// Drops the futures of its tasks, and waits, `limit` at most, until the kernel has let go of everything.
    pub(super) fn end(self: &Rc<Core>, limit: Duration) {
        let _current = context::enter(self);
        // Tasks first: their operations are cancelled by their drops. What they spawn now is refused.
        self.shared.close();
        self.tasks.cancel_all();
        // Nothing is freed that the kernel may still write to.
        let leaked = self.driver.shutdown(limit);
        // What that woke has ended already; from here on other threads find the core closed.
        self.tasks.close();
        self.publish();
        self.shared.counters.tasks.set(0);
        self.shared.counters.leaked.set(leaked);
    }

    /// Whether something can be polled without waiting.
    #[inline]
    pub(super) fn is_runnable(&self) -> bool {
        self.main_woken.get() || !self.tasks.is_idle()
    }

    /// Somebody has or had a handle, by which the counters can be read.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.watched.get()
    }

    /// Makes the counters visible to other threads.
    pub(super) fn publish(&self) {
        let driver = self.driver.counters();
        let counters = &self.shared.counters;
        counters.syscalls.set(driver.syscalls);
        counters.submitted.set(driver.submitted);
        counters.completed.set(driver.completed);
        counters.in_flight.set(driver.in_flight);
        counters.slots.set(driver.slots);
        counters.carries.set(driver.carries);
        counters.stale.set(driver.stale);
        counters.starved.set(driver.starved);
        counters.zero_copy_sends.set(driver.zero_copy_sends);
        counters.zero_copy_copied.set(driver.zero_copy_copied);
        counters.queued_sends.set(driver.queued_sends);
        counters.gathered_sends.set(driver.gathered_sends);
        counters.spliced_bytes.set(driver.spliced_bytes);
        counters.pooled_receives.set(driver.pooled_receives);
        counters.plain_receives.set(driver.plain_receives);
        counters.bundled_receives.set(driver.bundled_receives);
        counters.pool_starved.set(driver.pool_starved);
        counters.registered_transfers.set(driver.registered_transfers);
        // Without the one that stands for the future of `block_on`.
        counters.tasks.set(self.tasks.tasks().saturating_sub(1));
        counters.task_polls.set(self.tasks.polls());
        counters.wakes_remote.set(self.tasks.wakes_remote());
        counters.timers.set(self.timers.len() as u64);
    }
}

impl Drop for Core {
    /// A driver is never left without its end: until that begins, it is the core that keeps it for the operations that
    /// futures wait for. Mostly the runtime has ended it already; here a panic came before.
    fn drop(&mut self) {
        self.driver.shutdown(Duration::ZERO);
    }
}

/// Starts the task that stands for the future of `block_on`, and returns its waker.
fn spawn_main(tasks: &Owner, woken: Rc<Cell<bool>>) -> Waker {
    let _current = tasks.enter();
    let waker = Rc::new(RefCell::new(None));
    let slot = waker.clone();
    drop(tasks.spawn(poll_fn::<(), _>(move |cx| {
        woken.set(true);
        slot.borrow_mut().get_or_insert_with(|| cx.waker().clone());
        Poll::Pending
    })));
    tasks.run(1, &Cell::new(false));
    waker.take().expect("the first task of a core was just polled")
}
