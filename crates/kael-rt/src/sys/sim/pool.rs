//! What real threads do for a simulated core: wake it, and carry out the one request that is made
//! to be stuck. They are the only part whose order no seed decides.

use crate::op::Request;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Wakes a core that sleeps in its turn. Outlives the core: then it wakes nobody.
#[derive(Clone)]
pub(crate) struct Unpark(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    woken: bool,
    wakes: u64,
    /// Jobs that are done: whose, and the answer.
    done: Vec<(u64, i32)>,
}

impl Unpark {
    pub(super) fn new() -> Unpark {
        Unpark(Arc::default())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn unpark(&self) {
        let mut state = self.lock();
        state.woken = true;
        state.wakes += 1;
        drop(state);
        self.0.changed.notify_one();
    }

    pub(super) fn wakes(&self) -> u64 {
        self.lock().wakes
    }

    /// Somebody has woken the core, or done a job for it.
    pub(super) fn is_woken(&self) -> bool {
        self.lock().woken
    }

    /// Forgets the wake. True: there was one.
    pub(super) fn take_wake(&self) -> bool {
        std::mem::take(&mut self.lock().woken)
    }

    pub(super) fn take_done(&self) -> Vec<(u64, i32)> {
        std::mem::take(&mut self.lock().done)
    }

    /// Waits in real time for a wake; false: none came.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        let end = Instant::now().checked_add(limit);
        let mut state = self.lock();
        while !state.woken {
            let left =
                end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            let waited = self.0.changed.wait_timeout(state, left.min(Duration::from_secs(3600)));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn finish(&self, user: u64, result: i32) {
        self.lock().done.push((user, result));
        self.unpark();
    }

    pub(super) fn tag(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
}

/// A request on its way through the blocking pool. Simulated kernels do all but one themselves.
pub(crate) struct PoolJob {
    user: u64,
    request: Sent,
    unpark: Unpark,
}

impl PoolJob {
    pub(super) fn new(user: u64, request: Request<'static>, unpark: Unpark) -> PoolJob {
        PoolJob { user, request: Sent(request), unpark }
    }

    pub(crate) fn id(&self) -> u64 {
        self.user
    }

    /// Which core's job it is.
    pub(crate) fn driver_tag(&self) -> usize {
        self.unpark.tag()
    }

    /// Carries the request out, and reports; before that, `done` is called.
    pub(crate) fn run(self, done: impl FnOnce()) {
        let result = attempt(self.request.0);
        done();
        self.unpark.finish(self.user, result);
    }
}

fn attempt(request: Request<'static>) -> i32 {
    match request {
        #[cfg(test)]
        Request::Stall { on, into } => {
            on.wait();
            into.fill(std::mem::MaybeUninit::new(7));
            into.len() as i32
        }
        _ => unreachable!("the simulated kernel does every other request itself"),
    }
}

struct Sent(Request<'static>);

// SAFETY: the request's memory is used by nobody else until the job reports (the slot is in
// flight), and what it points at is plain bytes and an Arc of Send + Sync parts.
unsafe impl Send for Sent {}
