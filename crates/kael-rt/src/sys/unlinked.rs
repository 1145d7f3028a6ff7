//! Where the system knows no chains of requests: the driver carries them out one after the other.
#![forbid(unsafe_code)]

use super::Backend;
use crate::{driver::SlotId, op::Request};

impl Backend {
    /// Whether the system carries out chains by itself.
    pub(crate) const CHAINS: bool = false;

    /// As long as the driver likes.
    pub(crate) fn longest_chain(&self) -> usize {
        usize::MAX
    }

    pub(crate) fn start_chain<const N: usize>(
        &mut self,
        _: [(SlotId, Request<'static>); N],
    ) -> bool {
        unreachable!("the driver carries out chains here")
    }
}
