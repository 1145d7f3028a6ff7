//! [`Handle`]: a runtime as other threads see it. It starts tasks and reads counters; it does not run anything.
#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::blocking::BlockingPool;
use super::metrics::{Counters, Metrics};
use crate::task::{Home, HomeArc, JoinHandle, context};

/// What a core shares with other threads. It outlives the core.
pub(crate) struct Shared {
    home: HomeArc,
    closed: AtomicBool,
    pool: Arc<BlockingPool>,
    pub(super) counters: Counters,
}

impl Shared {
    pub(super) fn new(home: HomeArc, pool: Arc<BlockingPool>) -> Shared {
        Shared { home, closed: AtomicBool::new(false), pool, counters: Counters::default() }
    }

    /// From here on spawns give cancelled handles. The home's own state decides; this only saves them the attempt.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

/// A runtime as other threads see it. It may outlive the runtime.
///
/// ```
/// use kael_rt::runtime::{Handle, Runtime};
///
/// /// A thread that reports what the runtime does, and leaves a note in it.
/// fn watch(handle: Handle) {
///     let busy: u64 = handle.metrics().cores.iter().map(|core| core.in_flight).sum();
///     drop(handle.spawn_on(0, move || async move { println!("{busy} operations in flight") }));
/// }
/// let runtime: Runtime = kael_rt::runtime::Builder::new().build()?;
/// let handle = runtime.handle();
/// let watcher = std::thread::spawn(move || watch(handle));
/// runtime.block_on(async { kael_rt::yield_now().await });
/// watcher.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Handle>();
};

impl Handle {
    pub(super) fn new(shared: Arc<Shared>) -> Handle {
        Handle { shared }
    }

    /// Starts a task on the least loaded core. The closure runs there; what it makes need not be `Send`.
    ///
    /// From another thread this allocates the task's memory, and wakes the core if it sleeps (one system call). On
    /// the core itself it is as cheap as [`kael_rt::spawn`](crate::spawn). When the runtime has ended, the handle
    /// gives a [`JoinError`](crate::JoinError) that is cancelled.
    ///
    /// ```
    /// let runtime = kael_rt::runtime::Builder::new().build()?;
    /// let handle = runtime.handle();
    /// let other = std::thread::spawn(move || handle.spawn(|| async { 5 }));
    /// let task = other.join().unwrap();
    /// assert_eq!(runtime.block_on(task).unwrap(), 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spawn<S, F>(&self, start: S) -> JoinHandle<F::Output>
    where
        S: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_on(0, start)
    }

    /// Starts a task on a given core, counted from 0; otherwise like [`spawn`](Handle::spawn).
    ///
    /// # Panics
    /// If the runtime has no such core.
    #[track_caller]
    pub fn spawn_on<S, F>(&self, core: usize, start: S) -> JoinHandle<F::Output>
    where
        S: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        assert!(core < 1, "Handle::spawn_on({core}, ..): this runtime has one core, number 0");
        let home: &Home = &self.shared.home;
        let here = context::try_with(|core| std::ptr::eq::<Home>(&**core.tasks.home(), home))
            .unwrap_or(false);
        if here {
            return context::with("Handle::spawn_on", |core| {
                core.tasks.spawn(async move { start().await })
            });
        }
        if self.shared.closed.load(Ordering::Acquire) {
            return JoinHandle::closed();
        }
        Home::spawn_remote(&self.shared.home, start)
    }

    /// The runtime's counters. On the core itself they are those of this moment; another thread sees them as the core
    /// last published them: before each sleep, every few thousand polls, and when `block_on` returns.
    pub fn metrics(&self) -> Metrics {
        let home: &Home = &self.shared.home;
        context::try_with(|core| {
            if std::ptr::eq::<Home>(&**core.tasks.home(), home) {
                core.publish();
            }
        });
        let mut core = self.shared.counters.read();
        core.blocking_threads = self.shared.pool.threads() as u64;
        Metrics { cores: vec![core] }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("closed", &self.shared.closed).finish_non_exhaustive()
    }
}
