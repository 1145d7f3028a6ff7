//! What a backend says of receives on demand that has none: what a multishot receives comes by itself.

use super::Backend;
use crate::driver::{Descriptor, SlotId};
use std::ptr::NonNull;

impl Backend {
    /// A multishot does not wait for its future to look.
    pub(crate) const ON_DEMAND: bool = false;

    pub(crate) fn may_receive(&mut self, _: SlotId, _: i32) -> bool {
        false
    }

    pub(crate) fn take_lent(
        &mut self,
        _: SlotId,
        _: &Descriptor,
        _: u16,
    ) -> Option<(NonNull<u8>, u16)> {
        None
    }

    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn receive_waiting(
        &mut self,
        _: SlotId,
        _: &Descriptor,
        _: NonNull<u8>,
        _: usize,
    ) -> i32 {
        0
    }
}
