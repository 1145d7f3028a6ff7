//! Chains of submissions (IOSQE_IO_LINK): each begins when the one before it has got all that it asked for, and is
//! cancelled otherwise.

use super::{Backend, abi::*};
use crate::{driver::SlotId, op::Request};

impl Backend {
    /// Whether the system carries out chains by itself.
    pub(crate) const CHAINS: bool = true;

    /// How many submissions the kernel takes in one call.
    pub(crate) fn longest_chain(&self) -> usize {
        self.ring.sq_entries() as usize
    }

    /// Queues a chain as a whole. False: there is no room for it now.
    ///
    /// It must be handed over in one call: the tail of one that is split runs although its head failed (measured).
    /// So the room is made first.
    pub(crate) fn start_chain<const N: usize>(
        &mut self,
        chain: [(SlotId, Request<'static>); N],
    ) -> bool {
        if (self.ring.room() as usize) < N {
            self.make_room();
        }
        if (self.ring.room() as usize) < N {
            return false;
        }
        for (i, (id, request)) in chain.into_iter().enumerate() {
            let Ok(sqe) = self.lower::<false>(request) else {
                unreachable!("each operation that may be linked is one of the ring");
            };
            let link = if i + 1 < N { SQE_IO_LINK } else { 0 };
            // SAFETY: as in `start`.
            unsafe { self.ring.push(Sqe { user_data: id.0, flags: sqe.flags | link, ..sqe }) };
        }
        true
    }
}
