//! Linked pairs, which the tests carry through the driver before public methods rest on them.

use super::{Backend, errno};
use crate::{driver::SlotId, op::Request, sys::Region};

/// What begins when another request has got everything that it asked for.
pub(super) struct Link {
    after: SlotId,
    asked: u32,
    then: (SlotId, Request<'static>),
}

impl Backend {
    /// Two requests, of files, of which the second runs only if the first succeeds.
    pub(crate) fn start_linked(
        &mut self,
        first: (SlotId, Request<'static>),
        second: (SlotId, Request<'static>),
    ) -> bool {
        let asked = Region::of(&first.1).asked;
        self.linked.push(Link { after: first.0, asked, then: second });
        let _ = self.start_job(first.0, first.1);
        true
    }

    /// A request is over: what was linked to it begins, or is cancelled.
    pub(super) fn go_on(&mut self, id: SlotId, result: i32) {
        let Some(i) = self.linked.iter().position(|link| link.after == id) else { return };
        let Link { asked, then, .. } = self.linked.swap_remove(i);
        if result >= 0 && result as u32 >= asked {
            let _ = self.start_job(then.0, then.1);
        } else {
            self.finish(then.0.0, -errno::ECANCELED, 0);
        }
    }
}
