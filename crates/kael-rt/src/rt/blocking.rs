//! [`BlockingPool`]: bounded threads with a bounded queue, for what a platform can do only by blocking.
//!
//! Threads are started when a job finds none idle, and end when they were idle for [`IDLE_FOR`]. Closing the pool
//! never waits: jobs that wait are dropped, those that run are left alone.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::outcome::Outcome;
use crate::driver::PoolJob;
use crate::task::{JoinError, JoinHandle};

/// Jobs that may wait for a thread.
pub(crate) const MAX_WAITING: usize = 65_536;
/// How long a thread waits for work before it ends.
const IDLE_FOR: Duration = Duration::from_secs(10);

/// What a thread of the pool can do.
enum Job {
    Call(Box<dyn FnOnce() + Send>),
    Request(PoolJob),
}

pub(crate) struct BlockingPool {
    inner: Arc<Inner>,
}

struct Inner {
    max_threads: usize,
    max_waiting: usize,
    state: Mutex<State>,
    work: Condvar,
    /// Threads that have done their request, and will look for another one. Who hears of the one may send the next before
    /// that, and needs no further thread for it.
    looking: AtomicUsize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl BlockingPool {
    pub(crate) fn new(max_threads: usize) -> BlockingPool {
        BlockingPool::with_bounds(max_threads, MAX_WAITING)
    }

    fn with_bounds(max_threads: usize, max_waiting: usize) -> BlockingPool {
        let inner = Inner {
            max_threads,
            max_waiting,
            state: Mutex::default(),
            work: Condvar::new(),
            looking: AtomicUsize::new(0),
        };
        BlockingPool { inner: Arc::new(inner) }
    }

    /// Hands a job to a thread, or gives it back with the reason: the queue is full, the pool is closed, or there is
    /// no thread and none can be started.
    fn submit(&self, job: Job) -> Result<(), (Job, io::Error)> {
        self.put(&mut self.inner.lock(), job)
    }

    /// Hands requests to threads, all of a turn at once. `refused`: there is no room or no thread for one.
    pub(crate) fn submit_requests(
        &self,
        jobs: impl IntoIterator<Item = PoolJob>,
        mut refused: impl FnMut(PoolJob, io::Error),
    ) {
        let mut state = self.inner.lock();
        for job in jobs {
            if let Err((Job::Request(job), error)) = self.put(&mut state, Job::Request(job)) {
                refused(job, error);
            }
        }
    }

    fn put(&self, state: &mut State, job: Job) -> Result<(), (Job, io::Error)> {
        if state.closed {
            return Err((job, io::Error::other("the runtime has ended")));
        }
        if state.waiting.len() >= self.inner.max_waiting {
            let error = format!(
                "the blocking pool's queue is full ({} jobs wait for {} threads); Builder::blocking_threads sets \
                 their number",
                state.waiting.len(),
                state.threads
            );
            return Err((job, io::Error::new(io::ErrorKind::WouldBlock, error)));
        }
        state.waiting.push_back(job);
        if state.idle + self.inner.looking.load(Relaxed) >= state.waiting.len() {
            self.inner.work.notify_one();
        } else if state.threads < self.inner.max_threads {
            match self.inner.start_thread() {
                Ok(()) => state.threads += 1,
                Err(error) if state.threads == 0 => {
                    let job = state.waiting.pop_back().expect("it was just put there");
                    let text = format!("no thread can be started for the blocking pool: {error}");
                    return Err((job, io::Error::new(error.kind(), text)));
                }
                // The threads there are will come to it.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Runs `f` on a thread of the pool; the handle waits for it.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let outcome = Arc::new(Outcome::new());
        // A job that is dropped unrun says so to its handle.
        let unrun = CancelOnDrop(outcome.clone());
        let job = Job::Call(Box::new(move || {
            if unrun.0.begin() {
                unrun.0.finish(catch_unwind(AssertUnwindSafe(f)).map_err(JoinError::panicked));
            }
        }));
        if let Err((job, error)) = self.submit(job) {
            outcome.finish(Err(match self.inner.lock().closed {
                true => JoinError::cancelled(),
                false => JoinError::rejected(error),
            }));
            drop(job);
        }
        JoinHandle::of_job(outcome)
    }

    /// Takes back a request that no thread has begun.
    pub(crate) fn remove_request(&self, driver_tag: usize, id: u64) -> Option<PoolJob> {
        let mut state = self.inner.lock();
        let is_it = |job: &Job| matches!(job, Job::Request(job) if job.driver_tag() == driver_tag && job.id() == id);
        let index = state.waiting.iter().position(is_it)?;
        match state.waiting.remove(index) {
            Some(Job::Request(job)) => Some(job),
            _ => unreachable!("the job at this place is a request"),
        }
    }

    /// The threads there are, idle ones included.
    pub(crate) fn threads(&self) -> usize {
        self.inner.lock().threads
    }

    /// Drops the jobs that wait and lets idle threads end. Returns the number of jobs that still run; they are not
    /// waited for.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.inner.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        let running = state.threads - state.idle;
        drop(state);
        self.inner.work.notify_all();
        for job in waiting {
            // A capture's drop may panic; the others are dropped all the same.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(job)));
        }
        running
    }
}

impl Drop for BlockingPool {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Inner>) -> io::Result<()> {
        let inner = self.clone();
        thread::Builder::new().name("kael-blocking".to_owned()).spawn(move || inner.work())?;
        Ok(())
    }

    /// True: the thread is counted as one that looks for work.
    fn run(&self, job: Job) -> bool {
        let is_request = matches!(job, Job::Request(_));
        let looks = || {
            self.looking.fetch_add(1, Relaxed);
        };
        // The closure catches the job's own panic; what is left is the panic of a waker or of a drop, which has nobody
        // to go to. The thread goes on.
        let _ = catch_unwind(AssertUnwindSafe(|| match job {
            Job::Call(call) => call(),
            Job::Request(request) => request.run(looks),
        }));
        is_request
    }

    /// What a thread does.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                drop(state);
                let looks = self.run(job);
                state = self.lock();
                // Under the lock: whoever counted on this thread has put its job there, or has not looked yet.
                self.looking.fetch_sub(usize::from(looks), Relaxed);
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let nothing = |state: &mut State| state.waiting.is_empty() && !state.closed;
            let waited = self
                .work
                .wait_timeout_while(state, IDLE_FOR, nothing)
                .unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() {
                break;
            }
        }
        state.threads -= 1;
    }
}

struct CancelOnDrop<T>(Arc<Outcome<T>>);

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        self.0.finish(Err(JoinError::cancelled()));
    }
}
