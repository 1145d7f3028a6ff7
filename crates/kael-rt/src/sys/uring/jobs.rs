//! What is no submission of its own: plain calls that do not block, requests for the blocking pool, and accepts that the
//! kernel repeats.
#![forbid(unsafe_code)]

use super::Backend;
use crate::{
    driver::SlotId,
    op::Request,
    sys::{event::Started, splice},
};

impl Backend {
    #[cold]
    pub(super) fn start_job(&mut self, id: SlotId, request: Request<'static>) -> Started {
        if let Request::Accept { .. } | Request::AcceptNext { .. } = request {
            return self.start_accept(id, request);
        }
        if !matches!(request, Request::Fill { may_wait: true, .. })
            && let Some(result) = splice::call(&request, &mut self.calls)
        {
            return Started::Done(result);
        }
        self.jobs.push(id, request);
        let own = &mut self.own;
        self.jobs.hand_over(|event| own.push(event));
        Started::Queued
    }
}
