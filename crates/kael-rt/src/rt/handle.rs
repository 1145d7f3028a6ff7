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
    /// Its thread is in the loop. The first core's is only inside `block_on`.
    running: AtomicBool,
    pub(super) counters: Counters,
}

impl Shared {
    pub(super) fn new(home: HomeArc) -> Shared {
        let [closed, running] = Default::default();
        Shared { home, closed, running, counters: Counters::default() }
    }

    /// The core's thread enters the loop, or leaves it.
    pub(super) fn set_running(&self, running: bool) {
        self.running.store(running, Ordering::Relaxed);
    }

    /// How much the core has to do. One that has ended has no room, nor one that runs nothing now.
    fn load(&self) -> u64 {
        let takes = self.running.load(Ordering::Relaxed) && !self.closed.load(Ordering::Acquire);
        if takes { self.home.load() } else { u64::MAX }
    }

    /// This thread runs that core now.
    fn is_here(&self) -> bool {
        let home: &Home = &self.home;
        context::try_with(|core| std::ptr::eq::<Home>(&**core.tasks.home(), home)).unwrap_or(false)
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
    cores: Arc<[Arc<Shared>]>,
    pool: Arc<BlockingPool>,
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Handle>();
};

impl Handle {
    pub(super) fn new(cores: Arc<[Arc<Shared>]>, pool: Arc<BlockingPool>) -> Handle {
        Handle { cores, pool }
    }

    /// The runtime that this thread is running now.
    ///
    /// ```
    /// use kael_rt::runtime::{Builder, Handle};
    ///
    /// let answer = Builder::new().build()?.block_on(async {
    ///     let everywhere = Handle::current();
    ///     assert_eq!(everywhere.cores(), 1);
    ///     everywhere.spawn(|| async { 6 * 7 }).await.unwrap()
    /// });
    /// assert_eq!(answer, 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn current() -> Handle {
        context::with("Handle::current", |core| core.handle())
    }

    /// The number of cores.
    pub fn cores(&self) -> usize {
        self.cores.len()
    }

    /// Starts a task on the least loaded core: the one with the fewest tasks that have not ended. The first core is not
    /// taken while nobody is in [`block_on`](super::Runtime::block_on), if there are others. The closure runs on that core;
    /// what it makes need not be `Send`, and stays there.
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
        self.spawn_on(self.least_loaded(), start)
    }

    /// The first of them, if several are alike.
    fn least_loaded(&self) -> usize {
        if self.cores.len() == 1 {
            return 0;
        }
        let by_load = self.cores.iter().enumerate().min_by_key(|(_, core)| core.load());
        by_load.map_or(0, |(index, _)| index)
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
        let Some(shared) = self.cores.get(core) else {
            let cores = self.cores.len();
            panic!("Handle::spawn_on({core}, ..): this runtime has {cores} core(s), counted from 0")
        };
        if shared.is_here() {
            return context::with("Handle::spawn_on", |core| {
                core.tasks.spawn(async move { start().await })
            });
        }
        if shared.closed.load(Ordering::Acquire) {
            return JoinHandle::closed();
        }
        Home::spawn_remote(&shared.home, start)
    }

    /// The runtime's counters. Those of the core that asks are of this moment; the others are as each core last
    /// published them: before each sleep, every few thousand polls, and when `block_on` returns.
    pub fn metrics(&self) -> Metrics {
        context::try_with(|core| {
            if self.cores.iter().any(|own| Arc::ptr_eq(own, &core.shared)) {
                core.publish();
            }
        });
        let mut cores: Vec<_> = self.cores.iter().map(|core| core.counters.read()).collect();
        cores[0].blocking_threads = self.pool.threads() as u64;
        Metrics { cores }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closed = &self.cores[0].closed;
        f.debug_struct("Handle")
            .field("cores", &self.cores.len())
            .field("closed", closed)
            .finish_non_exhaustive()
    }
}
