//! Where there is one way to the system for all operations.
#![forbid(unsafe_code)]

use super::{Backend, Started, packet::PacketAt};
use crate::{driver::SlotId, op::Request};

impl Backend {
    /// No transfers have a way of their own.
    pub(crate) fn polls_direct(&self) -> bool {
        false
    }

    /// Asks the system.
    #[inline(always)]
    pub(crate) fn start_by_kind(
        &mut self,
        id: SlotId,
        at: PacketAt,
        request: Request<'static>,
    ) -> Started {
        self.start(id, at, request)
    }
}
