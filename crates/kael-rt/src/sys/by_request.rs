//! What a backend says of a read that could be answered before it has a slot, where a request is answered as soon or there is
//! no such thing.

use super::Backend;
use crate::driver::Descriptor;
use std::ptr::NonNull;

impl Backend {
    /// # Safety
    /// None is needed.
    #[inline(always)]
    pub(crate) unsafe fn read_at_once(
        &mut self,
        _: &Descriptor,
        _: NonNull<u8>,
        _: usize,
        _: u64,
    ) -> Option<i32> {
        None
    }
}
