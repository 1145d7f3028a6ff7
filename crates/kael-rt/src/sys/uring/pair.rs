//! Linked pairs of submissions, which the tests carry through the driver before public methods rest on them.

use super::{Backend, abi::*, lower};
use crate::{driver::SlotId, op::Request};

impl Backend {
    /// Two requests of which the second runs only if the first succeeds. The chain must be
    /// handed over in one call, so the room is made first; false: there is none.
    pub(crate) fn start_linked(
        &mut self,
        first: (SlotId, Request<'static>),
        second: (SlotId, Request<'static>),
    ) -> bool {
        if self.ring.room() < 2 {
            self.flush();
        }
        if self.ring.room() < 2 {
            return false;
        }
        let (Ok(mut a), Ok(b)) = (
            lower::lower(first.1, &self.files, &self.fixed, &self.probe),
            lower::lower(second.1, &self.files, &self.fixed, &self.probe),
        ) else {
            panic!("only requests of the ring can be linked");
        };
        a.flags |= SQE_IO_LINK;
        // SAFETY: as in `start`.
        unsafe {
            self.ring.push(Sqe { user_data: first.0.0, ..a });
            self.ring.push(Sqe { user_data: second.0.0, ..b });
        }
        true
    }
}
