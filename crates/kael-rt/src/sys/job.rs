//! A request on its way through the blocking pool.

use super::{call, event::Event, inbox::Inbox};
use crate::op::Request;
use std::sync::Arc;

/// It points at memory of the slot that it came from. The slot stays until the job has reported,
/// and is leaked if the core ends before that; so the job may run at any time, on any thread.
pub(crate) struct PoolJob {
    id: u64,
    request: Request<'static>,
    inbox: Arc<Inbox>,
}

// SAFETY: the request's memory is used by nobody else until the job reports (the slot is in
// flight), and what the request points at is plain bytes, a descriptor's number (read through a
// node that stays, see `run`), a pipe's numbers, or an Arc of Send + Sync parts.
unsafe impl Send for PoolJob {}

impl PoolJob {
    pub(in crate::sys) fn new(id: u64, request: Request<'static>, inbox: Arc<Inbox>) -> PoolJob {
        PoolJob { id, request, inbox }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Which core's job it is.
    pub(crate) fn driver_tag(&self) -> usize {
        Arc::as_ptr(&self.inbox) as usize
    }

    /// Carries the request out, and reports; before that, `done` is called.
    pub(crate) fn run(mut self, done: impl FnOnce()) {
        let result = call(&mut self.request);
        done();
        self.inbox.put(Event { user: self.id, result, flags: 0 });
    }
}
