//! Chains of requests, of which each begins when the one before it has got all that it asked for.
#![forbid(unsafe_code)]

use super::{Backend, Stage, Submission, control, work};
use crate::{driver::SlotId, op::Request};

impl Backend {
    /// Whether the system carries out chains by itself.
    pub(crate) const CHAINS: bool = true;

    pub(crate) fn longest_chain(&self) -> usize {
        self.entries
    }

    /// Queues a chain as a whole. False: no room now.
    pub(crate) fn start_chain<const N: usize>(
        &mut self,
        chain: [(SlotId, Request<'static>); N],
    ) -> bool {
        if self.entries.saturating_sub(self.queue.len()) < N {
            self.flush();
        }
        if self.random.chance(self.faults.full) {
            return false;
        }
        let mut before: Option<SlotId> = None;
        for (id, request) in chain {
            let (kind, detail) = work::describe(&request);
            control::note(kind, id.0, detail);
            match before.replace(id) {
                None => {
                    self.take_in(id, request, Stage::Queued);
                    self.queue.push_back(Submission::Start(id.0));
                }
                Some(before) => {
                    self.take_in(id, request, Stage::Linked);
                    self.ops.get_mut(&before.0).expect("just taken in").then = Some(id.0);
                }
            }
        }
        true
    }
}
