//! [`Runtime`]: owns the cores, runs futures on the first, and ends all in a sound order.
#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::blocking::BlockingPool;
use super::builder::Builder;
use super::core::Core;
use super::cores::Others;
use super::handle::Handle;
use super::run_loop;
use crate::sys::{self, Granted};
use crate::task::{JoinHandle, context};

/// A runtime of the thread that built it: its first core runs inside [`block_on`](Runtime::block_on) on that
/// thread, the others ([`Builder::cores`]) on threads of their own, from [`Builder::build`] on.
///
/// Dropping it drops all its tasks' futures, each on its core, cancels what is in flight and waits (at most
/// [`Builder::shutdown_timeout`]) until the kernel has let go of every buffer. Wakers and handles may outlive it, on
/// any thread: a wake does nothing then, and a spawn gives a handle that says "cancelled".
///
/// A thread may have several runtimes, but runs one at a time: `block_on` inside `block_on` panics.
///
/// ```
/// use kael_rt::runtime::{Builder, Runtime};
///
/// let runtime: Runtime = Builder::new().build()?;
/// let task = runtime.block_on(async { kael_rt::spawn(async { 40 }) });
/// // The task waits here, between two calls; other threads may add to it.
/// let more = runtime.handle().spawn(|| async { 2 });
/// let sum = runtime.block_on(async { task.await.unwrap() + more.await.unwrap() });
/// assert_eq!((sum, runtime.cores()), (42, 1));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Runtime {
    core: Rc<Core>,
    /// Gone once the end has begun.
    others: Option<Others>,
    pin: bool,
    shutdown_timeout: Duration,
}

impl Runtime {
    pub(super) fn new(builder: &Builder) -> io::Result<Runtime> {
        if builder.pin_cores {
            // So that a CPU that this process may not use is an error here and not a panic later.
            drop(sys::pin_to_cpu(0)?);
        }
        let pool = Arc::new(BlockingPool::new(builder.blocking_threads));
        let core = Core::new(builder, pool)?;
        let others = Others::begin(builder, &core)?;
        Ok(Runtime {
            core,
            others: Some(others),
            pin: builder.pin_cores,
            shutdown_timeout: builder.shutdown_timeout,
        })
    }

    /// Runs `future` on this thread until it is done, and the runtime's tasks along with it. Tasks that are not done
    /// then stay where they are until the next `block_on`.
    ///
    /// # Panics
    /// When called inside a runtime, and with the future's own panic; the runtime may be used again after both.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert_outside("Runtime::block_on");
        let _pinned = self.pin.then(|| match sys::pin_to_cpu(0) {
            Ok(pinned) => pinned,
            Err(error) => panic!("Builder::pin_cores: CPU 0 cannot be used any more: {error}"),
        });
        run_loop::block_on(&self.core, future)
    }

    /// Starts a task on a given core, counted from 0, from outside or inside
    /// [`block_on`](Runtime::block_on). The closure runs there; what it makes need not be `Send`.
    ///
    /// ```
    /// let runtime = kael_rt::runtime::Builder::new().build()?;
    /// let task = runtime.spawn_on(0, || async { 6 * 7 });
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
        self.handle().spawn_on(core, start)
    }

    /// A handle for other threads.
    pub fn handle(&self) -> Handle {
        self.core.handle()
    }

    /// What the system granted the first core: the interface, its options, its queues.
    ///
    /// ```
    /// let runtime = kael_rt::runtime::Builder::new().build().unwrap();
    /// println!("{:?}", runtime.granted());
    /// ```
    pub fn granted(&self) -> Granted {
        self.core.driver.granted().expect("the core's driver ends with the runtime")
    }

    /// The number of cores.
    pub fn cores(&self) -> usize {
        1 + self.others.as_ref().map_or(0, Others::count)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let now = Instant::now();
        // Ten years are for ever, and can be added to a time.
        let deadline = now + self.shutdown_timeout.min(Duration::from_secs(10 * 365 * 86_400));
        let others = self.others.take();
        if let Some(others) = &others {
            others.begin_to_end(deadline);
        }
        self.core.end(self.shutdown_timeout);
        if let Some(others) = others {
            others.end(deadline);
        }
        // The cores share it, and the first core's counters have it.
        let left = self.core.pool.close();
        self.core.shared.counters.blocking_left.set(left as u64);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("cores", &self.cores()).finish_non_exhaustive()
    }
}

/// A core waits in one place only. A future that another one waits for is awaited or spawned.
#[track_caller]
pub(super) fn assert_outside(what: &str) {
    if context::try_with(|_| ()).is_some() {
        panic!(
            "{what} inside a running Kael runtime would block it: await the future, or spawn it"
        );
    }
}
